/**
 * What the observer knows of the ensemble, and what of it has changed since the page was last told.
 *
 * Everything in it is bounded: it keeps the last entries of the time line and of the log, and the
 * busiest connections.
 *
 * @module
 */
import type { ConnectionInfo } from "../runtime/server/connection.ts";
import { ConnectionRates } from "./connection_rates.ts";
import type { ObservedEntry } from "./observed_values.ts";
import type {
  Changes,
  ObservedConnection,
  ObservedLogRecord,
  ObservedModule,
  ObservedServer,
  ObservedStatus,
  Snapshot,
  TimelineEntry,
} from "./page/page_protocol.ts";

/** The maximum number of entries of the time line. */
const MAX_TIMELINE = 500;

/** The maximum number of log records of all servers. */
const MAX_LOGS = 500;

/** How long a server that is gone is shown, in ms. */
const GONE_SHOWN = 60_000;

/** A server, with what the page does not get. */
interface Known {
  server: ObservedServer;
  /** Since when it is gone, by `performance.now()`. */
  goneSince?: number | undefined;
}

/** Parts of a {@linkcode Snapshot} that do not change. */
export type SnapshotHead = Pick<Snapshot, "version" | "observer" | "actionToken">;

/** The changes that the page has not been told. */
interface Pending {
  readonly servers: Set<string>;
  readonly figures: Set<string>;
  readonly removed: Set<string>;
  readonly timeline: TimelineEntry[];
  readonly logs: ObservedLogRecord[];
  registryError: boolean;
  interval: boolean;
  connections: boolean;
}

/** The state of the ensemble, as far as it is known. */
export class ObservedEnsemble {
  readonly #head: SnapshotHead;
  readonly #servers = new Map<string, Known>();
  readonly #rates = new ConnectionRates();
  #connections = new Map<string, ObservedConnection>();
  #connectionsLeftOut = 0;
  readonly #timeline: TimelineEntry[] = [];
  readonly #logs: ObservedLogRecord[] = [];
  #sequence = 0;
  #interval: number;
  #registryError: string | undefined;
  #pending = nothingPending();

  /**
   * Creates an empty one.
   *
   * @param interval how often each server is asked, in ms.
   */
  constructor(head: SnapshotHead, interval: number) {
    this.#head = head;
    this.#interval = interval;
  }

  /** The servers, by id. */
  server(id: string): ObservedServer | undefined {
    return this.#servers.get(id)?.server;
  }

  /** The servers that are not gone. */
  servers(): ObservedServer[] {
    return [...this.#servers.values()].map(({ server }) => server)
      .filter(({ state }) => state !== "gone");
  }

  /** Takes what the registry says of a server. */
  setEntry(entry: ObservedEntry): void {
    const known = this.#servers.get(entry.id);
    const before = known?.server;
    if (before?.instance !== entry.instance) this.#rates.forget(entry.id);
    // What was known of another instance does not count any more.
    const server = before?.instance === entry.instance
      ? { ...before, ...entry }
      : { ...entry, modules: [] };
    this.#servers.set(entry.id, { server });
    this.#pending.servers.add(entry.id);
    this.#pending.removed.delete(entry.id);
  }

  /** Takes note that a server is gone. It is shown for a while. */
  setGone(id: string): void {
    const known = this.#servers.get(id);
    if (!known || known.server.state === "gone") return;
    this.#rates.forget(id);
    this.#pending.connections = true;
    const { status: _, error: __, ...server } = known.server;
    this.#servers.set(id, {
      server: { ...server, state: "gone" },
      goneSince: performance.now(),
    });
    this.#pending.servers.add(id);
  }

  /** Takes the figures of an instance of a server. */
  setStatus(
    { id, instance }: Pick<ObservedServer, "id" | "instance">,
    { status, deno }: { status: ObservedStatus; deno: string },
  ): void {
    const known = this.#known(id, instance);
    if (!known) return;
    if (known.server.deno !== deno) this.#pending.servers.add(id);
    const { error: _, ...server } = known.server;
    known.server = { ...server, status, deno };
    this.#pending.figures.add(id);
  }

  /** Takes note that an instance of a server does not give its figures. */
  setError({ id, instance }: Pick<ObservedServer, "id" | "instance">, error: string): void {
    const known = this.#known(id, instance);
    if (!known || known.server.error === error) return;
    known.server = { ...known.server, error };
    this.#rates.forget(id);
    this.#pending.connections = true;
    this.#pending.figures.add(id);
  }

  /** Takes the current modules of an instance of a server. */
  setModules(
    { id, instance }: Pick<ObservedServer, "id" | "instance">,
    modules: readonly ObservedModule[],
  ): void {
    const known = this.#known(id, instance);
    if (!known) return;
    known.server = { ...known.server, modules };
    this.#pending.servers.add(id);
  }

  /** Takes the connections of a server. */
  setConnections(id: string, connections: readonly ConnectionInfo[]): void {
    this.#rates.set(id, connections);
    this.#pending.connections = true;
  }

  /** Adds to the time line. */
  note(entry: Omit<TimelineEntry, "sequence">): void {
    const added = { sequence: ++this.#sequence, ...entry };
    push(this.#timeline, added, MAX_TIMELINE);
    push(this.#pending.timeline, added, MAX_TIMELINE);
  }

  /** Adds log records. */
  addLogs(records: readonly ObservedLogRecord[]): void {
    for (const record of records) {
      push(this.#logs, record, MAX_LOGS);
      push(this.#pending.logs, record, MAX_LOGS);
    }
  }

  /** Takes note of why the registry does not answer, or that it does. */
  setRegistryError(error: string | undefined): void {
    if (this.#registryError === error) return;
    this.#registryError = error;
    this.#pending.registryError = true;
  }

  /** Takes how often each server is asked, in ms. */
  setInterval(interval: number): void {
    if (this.#interval === interval) return;
    this.#interval = interval;
    this.#pending.interval = true;
  }

  /** All that the page needs at first. It includes all changes up to the last that were taken. */
  snapshot(): Snapshot {
    const servers = [...this.#servers.values()].map(({ server }) => server);
    return {
      ...this.#head,
      now: Date.now(),
      interval: this.#interval,
      ...this.#registryError !== undefined && { registryError: this.#registryError },
      servers: servers.sort((a, b) => a.id < b.id ? -1 : 1),
      connections: [...this.#connections.values()],
      connectionsLeftOut: this.#connectionsLeftOut,
      timeline: this.#timeline,
      logs: this.#logs,
    };
  }

  /** Takes the changes since this was last called; undefined if there are none. */
  takeChanges(): Changes | undefined {
    this.#removeGone();
    const pending = this.#pending;
    this.#pending = nothingPending();
    const servers = this.#existing(pending.servers);
    const figures = this.#existing(pending.figures)
      .filter(({ id }) => !pending.servers.has(id))
      .map(({ id, status, error }) => ({
        id,
        ...status && { status },
        ...error !== undefined && { error },
      }));
    const changes: Changes = {
      now: Date.now(),
      ...pending.interval && { interval: this.#interval },
      ...pending.registryError && { registryError: this.#registryError ?? null },
      ...servers.length > 0 && { servers },
      ...figures.length > 0 && { figures },
      ...pending.removed.size > 0 && { removed: [...pending.removed] },
      ...pending.connections && this.#takeConnections(),
      ...pending.timeline.length > 0 && { timeline: pending.timeline },
      ...pending.logs.length > 0 && { logs: pending.logs },
    };
    return Object.keys(changes).length > 1 ? changes : undefined;
  }

  #known(id: string, instance: string): Known | undefined {
    const known = this.#servers.get(id);
    return known?.server.instance === instance && known.goneSince === undefined ? known : undefined;
  }

  #existing(ids: ReadonlySet<string>): ObservedServer[] {
    return Array.from(ids, (id) => this.#servers.get(id)?.server ?? []).flat();
  }

  #removeGone(): void {
    const limit = performance.now() - GONE_SHOWN;
    for (const [id, { goneSince }] of this.#servers) {
      if (goneSince === undefined || goneSince > limit) continue;
      this.#servers.delete(id);
      this.#pending.servers.delete(id);
      this.#pending.removed.add(id);
    }
  }

  #takeConnections(): Pick<Changes, "connections" | "closed" | "connectionsLeftOut"> {
    const isServer = (id: string) => (this.#servers.get(id)?.server.state ?? "gone") !== "gone";
    const { connections: now, leftOut } = this.#rates.busiest(isServer);
    const before = this.#connections;
    const changed = [...now].filter(([key, connection]) => !isSame(connection, before.get(key)));
    const closed = [...before].filter(([key]) => !now.has(key));
    const isOther = leftOut !== this.#connectionsLeftOut;
    this.#connections = now;
    this.#connectionsLeftOut = leftOut;
    return {
      ...changed.length > 0 && { connections: changed.map(([, connection]) => connection) },
      ...closed.length > 0 && { closed: closed.map(([, { a, b }]): [string, string] => [a, b]) },
      ...isOther && { connectionsLeftOut: leftOut },
    };
  }
}

function nothingPending(): Pending {
  return {
    servers: new Set(),
    figures: new Set(),
    removed: new Set(),
    timeline: [],
    logs: [],
    registryError: false,
    interval: false,
    connections: false,
  };
}

/** Adds to a list of limited length, of which the oldest go. */
function push<Value>(list: Value[], value: Value, limit: number): void {
  list.push(value);
  if (list.length > limit) list.shift();
}

function isSame(a: ObservedConnection, b: ObservedConnection | undefined): boolean {
  return b !== undefined && a.kind === b.kind && a.since === b.since &&
    a.messagesPerSecond === b.messagesPerSecond && a.bytesPerSecond === b.bytesPerSecond &&
    a.waiting === b.waiting;
}
