/**
 * The states of several servers, asked at the same time: what `status` and `top` show.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { ServerStatus } from "../../runtime/observation/status_protocol.ts";
import { inParallel } from "../../runtime/parallel.ts";
import {
  registryClient,
  type RegistryEntry,
  SERVER_STATES,
  type Staleness,
} from "../../runtime/server/registry_protocol.ts";
import { explainFailure } from "./console.ts";
import type { Observers } from "./observers.ts";
import { listReached, onlyReached } from "./servers.ts";
import { AT_ONCE, type ServerSet } from "./server_set_options.ts";

/** A server that is asked, and its registry entry, if it has been looked up. */
export interface Reporter {
  /** Its id. */
  readonly id: string;
  /** Its entry. */
  readonly entry?: RegistryEntry;
}

/** What a server told of its state, or why it did not. */
export interface ServerReport extends Reporter {
  /** Its state; absent if there is an error. */
  readonly status?: ServerStatus;
  /** Its clock; absent if there is an error. */
  readonly clock?: ClockOffset;
  /** Why there is none. */
  readonly error?: EnsembleError;
}

/** How far a server's clock is ahead of that of this process, measured by one request. */
export interface ClockOffset {
  /** The time by which it is ahead, in ms. */
  readonly offset: number;
  /** How much that may be wrong, in ms: half of the time that the answer took. */
  readonly error: number;
}

/** The servers of a list: a set; if undefined, all that are registered, and the registry. */
export interface ReporterOptions {
  /** The set. */
  readonly set: ServerSet | undefined;
  /** Called with each answer of the registry. */
  onPage?(page: Staleness): void;
}

/**
 * Finds the servers to ask, in any state.
 *
 * @throws {EnsembleError} if no server has one of the roles.
 */
export async function findReporters(
  actors: ActorSystem,
  { set, onPage }: ReporterOptions,
): Promise<Reporter[]> {
  if (set === undefined || set === "all") {
    const entries = await listReached(actors, { onPage });
    if (set === "all") return entries.map(reporterOf);
    const { entry } = await registryClient(actors).lookup({ id: REGISTRY_ID });
    const registries = await onlyReached(actors, entry ? [entry] : []);
    return [...entries, ...registries].map(reporterOf);
  }
  if ("ids" in set) return set.ids.map((id) => ({ id }));
  const ofRoles = await Promise.all(
    set.roles.map((role) => listReached(actors, { role, states: SERVER_STATES, onPage })),
  );
  const found = new Map(ofRoles.flat().map((entry) => [entry.id, reporterOf(entry)]));
  if (found.size > 0) return [...found.values()];
  throw new EnsembleError(`no server with the role ${set.roles.join(" or ")} is registered`, {
    code: "UNKNOWN_SERVER",
  });
}

function reporterOf(entry: RegistryEntry): Reporter {
  return { id: entry.id, entry };
}

/** Asks a server for its state. An unreachable one is not asked. */
export async function readReport(
  reporter: Reporter,
  { actors, observers }: { readonly actors: ActorSystem; readonly observers: Observers },
): Promise<ServerReport> {
  const { id, entry } = reporter;
  try {
    if (entry?.state === "unreachable") {
      throw new EnsembleError(`${id} is unreachable: its lease in the registry has run out`, {
        code: "DISCONNECTED",
      });
    }
    const answer = await observers.ask(id, async (observer) => {
      const began = Date.now();
      const status = await observer.status();
      const error = (Date.now() - began) / 2;
      return { status, clock: { offset: status.now - began - error, error } };
    });
    return { ...reporter, ...answer };
  } catch (error) {
    const explained = await explainFailure(error, actors);
    if (!(explained instanceof EnsembleError)) throw explained; // A bug of the command itself.
    return { ...reporter, error: explained };
  }
}

/** Asks several servers at the same time. `onReport` is called for each. */
export async function readReports(
  reporters: readonly Reporter[],
  { concurrency = AT_ONCE, onReport, ...context }: {
    readonly actors: ActorSystem;
    readonly observers: Observers;
    readonly concurrency?: number | undefined;
    onReport?(report: ServerReport): void;
  },
): Promise<ServerReport[]> {
  return await inParallel(reporters, {
    atOnce: concurrency,
    async work(reporter) {
      const report = await readReport(reporter, context);
      onReport?.(report);
      return report;
    },
  });
}

/** The delay of an event loop that counts as one trouble, in ms. */
const DELAY_TROUBLE = 100;

/** The number of waiting messages that counts as one. */
const MAILBOX_TROUBLE = 1_000;

/**
 * Sorts reports, the worst first: servers that do not answer, and then by the delay of their event
 * loops (the 99th percentile) and their longest mailboxes, where 100 ms count as much as 1,000
 * messages. Equal ones, as those without trouble are, are sorted by id.
 */
export function sortWorstFirst(reports: readonly ServerReport[]): ServerReport[] {
  return reports.map((report) => ({ report, trouble: troubleOf(report) }))
    .sort((a, b) => compare(b.trouble, a.trouble) || (a.report.id < b.report.id ? -1 : 1))
    .map(({ report }) => report);
}

/** Two infinite ones are equal. */
function compare(one: number, other: number): number {
  return one === other ? 0 : one - other;
}

/** To a tenth, so that servers without trouble do not change their places all the time. */
function troubleOf({ status, error }: ServerReport): number {
  if (error) return Infinity;
  // It was not asked yet.
  if (!status) return -1;
  const { eventLoopDelay, longestMailboxes: [longest] } = status;
  const sum = eventLoopDelay.p99 / DELAY_TROUBLE + (longest?.length ?? 0) / MAILBOX_TROUBLE;
  return Math.floor(10 * sum) / 10;
}
