/**
 * Converts what servers say of themselves to what the page shows: plain data, in which every text
 * from a server is shortened and has visible control characters.
 *
 * @module
 */
import type { ActorInfo } from "../runtime/actor/introspection.ts";
import type { BusyActor } from "../runtime/observation/busiest_protocol.ts";
import type { LoggedRecord } from "../runtime/observation/log_protocol.ts";
import type {
  Flow,
  ModuleVersion,
  RecordedLoad,
  ServerStatus,
} from "../runtime/observation/status_protocol.ts";
import { escapeControls, shorten } from "../runtime/safe_text.ts";
import type { RegistryEntry } from "../runtime/server/registry_protocol.ts";
import { formatAddressUrl } from "../runtime/wire/address.ts";
import type {
  ObservedActor,
  ObservedLevel,
  ObservedLoad,
  ObservedLogRecord,
  ObservedModule,
  ObservedServer,
  ObservedStatus,
  ObservedTraffic,
  ObservedTree,
} from "./page/page_protocol.ts";

/** The longest name and other short text that the page gets, in UTF-16 code units. */
const MAX_SHOWN = 300;

/** The longest message of a log record that the page gets, in UTF-16 code units. */
const MAX_MESSAGE = 2_000;

/** The longest details of a log record that the page gets, in UTF-16 code units. */
const MAX_DETAILS = 8_000;

/** The maximum number of types of a service's requests, and of roles and groups, that are shown. */
const MAX_LISTED = 100;

/** Makes a text from a server safe to show. Line breaks stay only where they are asked for. */
export function shown(text: string, { limit = MAX_SHOWN, keep = "" } = {}): string {
  return escapeControls(shorten(text, limit), { keep });
}

/** The levels of the log, which a server may name in another way. */
const LEVELS: readonly ObservedLevel[] = ["trace", "debug", "info", "warning", "error", "fatal"];

/** Reads a log level. Anything that is not one is absent. */
export function readLevel(text: unknown): ObservedLevel | undefined {
  return LEVELS.find((level) => level === text);
}

/** The part of a server that the registry knows. */
export type ObservedEntry = Omit<ObservedServer, "status" | "modules" | "error" | "deno">;

/** Converts an entry of the registry. */
export function observedEntry(
  entry: RegistryEntry,
  { isRegistry = false }: { isRegistry?: boolean } = {},
): ObservedEntry {
  const { id, state, roles, groups = {}, addresses, instance, pid, host, version, startedAt } =
    entry;
  return {
    id,
    instance: new Uint8Array(instance).toHex().slice(0, 16),
    isRegistry,
    state,
    roles: roles.slice(0, MAX_LISTED).map((role) => shown(role)),
    groups: Object.fromEntries(
      Object.entries(groups).slice(0, MAX_LISTED)
        .map(([group, members]) => [shown(group), members]),
    ),
    addresses: addresses.map((address) => shown(formatAddressUrl(address))),
    ...pid !== undefined && { pid },
    ...host !== undefined && { host: shown(host) },
    ...version !== undefined && { version: shown(version) },
    ...startedAt !== undefined && { startedAt },
  };
}

/** Converts the state of a server that came at a time by the observer's clock. */
export function observedStatus(status: ServerStatus, at: number): ObservedStatus {
  const { rss, heapUsed, heapTotal } = status.memory;
  const { p50, p99, max } = status.eventLoopDelay;
  const level = readLevel(status.log?.level);
  return {
    at,
    memory: { rss, heapUsed, heapTotal },
    cpu: rounded(status.cpu, 3),
    eventLoopDelay: { p50: rounded(p50, 3), p99: rounded(p99, 3), max: rounded(max, 3) },
    actors: status.actors,
    longestMailboxes: status.longestMailboxes.map(({ actor, length }) => ({
      actor: shown(`${actor}`),
      length,
    })),
    connections: status.connections,
    received: observedTraffic(status.received),
    sent: observedTraffic(status.sent),
    handledPerSecond: rounded(status.handled.messagesPerSecond, 3),
    asksPending: status.pendingAsks,
    restarts: status.restarts,
    ...status.log && {
      log: {
        ...level && { level },
        errors: status.log.errors,
        warnings: status.log.warnings,
      },
    },
    ...status.certificateEnd !== undefined && { certificateEnd: status.certificateEnd },
  };
}

function observedTraffic({ messagesPerSecond, bytesPerSecond }: Flow): ObservedTraffic {
  return {
    messagesPerSecond: rounded(messagesPerSecond, 3),
    bytesPerSecond: rounded(bytesPerSecond, 3),
  };
}

/** Rounds to a number of digits, so that small changes are not told. */
export function rounded(value: number, digits: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(digits)) : 0;
}

/** Converts the current version of a module. */
export function observedModule({ module, hash, at, by }: ModuleVersion): ObservedModule {
  return { module: shown(module), hash: shown(hash), at, by: shown(by) };
}

/** Converts a load of a server. */
export function observedLoad(load: RecordedLoad): ObservedLoad {
  const { module, by } = load;
  return { ...load, module: shown(module), by: shown(by) };
}

/** Converts an actor. */
export function observedActor(info: ActorInfo): ObservedActor {
  const { serial, name, group, state, mailbox, handled, age, types, essential } = info;
  return {
    serial,
    ...name !== undefined && { name: shown(name) },
    group: shown(group),
    state,
    mailbox,
    handled,
    age,
    ...types && { types: types.slice(0, MAX_LISTED).map((type) => shown(type)) },
    ...essential && { essential },
  };
}

/** Converts one of the busiest actors. */
export function observedBusyActor(actor: BusyActor): ObservedActor {
  const { serial, name, group, state, mailbox, handled, essential } = actor;
  const { handledPerSecond, busy } = actor;
  return {
    serial,
    ...name !== undefined && { name: shown(name) },
    group: shown(group),
    state,
    mailbox,
    handled,
    ...handledPerSecond !== undefined && { handledPerSecond: rounded(handledPerSecond, 3) },
    ...busy !== undefined && { timeShare: rounded(busy, 3) },
    ...essential && { essential },
  };
}

/**
 * Arranges actors below their supervisors; at most `limit` of them. Those at the top are sorted by
 * name, and the others stay in their order.
 */
export function observedTree(
  infos: readonly ActorInfo[],
  limit: number,
): { tree: ObservedTree[]; isCut: boolean } {
  const known = new Set(infos.map(({ serial }) => serial));
  const below = Map.groupBy(
    infos,
    ({ child }) => child && known.has(child.supervisor) ? child.supervisor : undefined,
  );
  let left = limit;
  // Supervisors have lower numbers than their children. Otherwise they could be below themselves.
  const childrenOf = (serial: number | undefined): ObservedTree[] => {
    const children: ObservedTree[] = [];
    for (const info of below.get(serial) ?? []) {
      if (serial !== undefined && info.serial <= serial) continue;
      if (--left < 0) break;
      children.push({
        ...observedActor(info),
        ...info.child && { id: shown(info.child.id) },
        restarts: info.child?.restarts ?? 0,
        children: childrenOf(info.serial),
      });
    }
    return children;
  };
  const nameOf = ({ name, serial }: ObservedTree) => name ?? `${serial}`;
  const tree = childrenOf(undefined).sort((a, b) => nameOf(a) < nameOf(b) ? -1 : 1);
  return { tree, isCut: left < 0 };
}

/** Converts a log record of a server. */
export function observedRecord(server: string, record: LoggedRecord): ObservedLogRecord {
  const { sequence, at, level, category, message, fields, errors } = record;
  const details = [fields.trim(), errors].filter((part) => part !== "").join("\n");
  return {
    server,
    sequence,
    at,
    level,
    category: shown(category),
    message: shown(message, { limit: MAX_MESSAGE }),
    ...details !== "" && { details: shown(details, { limit: MAX_DETAILS, keep: "\n" }) },
  };
}
