/**
 * What the page knows of the ensemble: the last snapshot, with all changes since.
 *
 * @module
 */
import type {
  Changes,
  ObservedConnection,
  ObservedLogRecord,
  ObservedServer,
  Snapshot,
  TimelineEntry,
} from "./page_protocol.ts";

/** The greatest number of log records that the page keeps. */
export const MAX_LOGS = 2000;

/** The greatest number of entries of the time line that the page keeps. */
export const MAX_TIMELINE = 1000;

/** Whether the page hears from its server. */
export type Link = "connecting" | "live" | "lost";

/** The ensemble. */
export class Model {
  /** Whether the page hears from its server. */
  link: Link = "connecting";
  /** The version of gxensemble that serves the page. */
  version = "";
  /** The id of the console that observes. */
  observer = "";
  /** How often each server is asked for its status, in ms. */
  interval = 0;
  /** The token for actions, where they are allowed. */
  actionToken: string | undefined;
  /** Why the registry does not answer. */
  registryError: string | undefined;
  /** The servers, by id. */
  readonly servers: Map<string, ObservedServer> = new Map();
  /** The connections, by both ends. */
  readonly connections: Map<string, ObservedConnection> = new Map();
  /** The number of connections that were left out. */
  connectionsLeftOut = 0;
  /** The last changes in the registry, oldest first. */
  timeline: readonly TimelineEntry[] = [];
  /** The last warnings and errors of all servers, oldest first. */
  logs: readonly ObservedLogRecord[] = [];
  /** Increases with each change. */
  revision = 0;
  #clockDifference = 0;
  readonly #listeners = new Set<() => void>();

  /** The present time, by the observer's clock. */
  now(): number {
    return Date.now() + this.#clockDifference;
  }

  /** All servers, sorted by id. */
  sortedServers(): ObservedServer[] {
    return [...this.servers.values()];
  }

  /** Takes a first or new snapshot: what was known before is forgotten. */
  replace(snapshot: Snapshot): void {
    this.link = "live";
    this.version = snapshot.version;
    this.observer = snapshot.observer;
    this.interval = snapshot.interval;
    this.actionToken = snapshot.actionToken;
    this.registryError = snapshot.registryError;
    this.servers.clear();
    for (const server of snapshot.servers) this.servers.set(server.id, server);
    this.connections.clear();
    for (const each of snapshot.connections) this.connections.set(keyOf(each.a, each.b), each);
    this.connectionsLeftOut = snapshot.connectionsLeftOut;
    this.timeline = snapshot.timeline;
    this.logs = snapshot.logs;
    this.#hasChanged(snapshot.now);
  }

  /** Takes changes. */
  apply(changes: Changes): void {
    this.interval = changes.interval ?? this.interval;
    if (changes.registryError !== undefined) {
      this.registryError = changes.registryError ?? undefined;
    }
    this.#applyServers(changes);
    for (const each of changes.connections ?? []) this.connections.set(keyOf(each.a, each.b), each);
    for (const [a, b] of changes.closed ?? []) this.connections.delete(keyOf(a, b));
    this.connectionsLeftOut = changes.connectionsLeftOut ?? this.connectionsLeftOut;
    if (changes.timeline?.length) {
      this.timeline = [...this.timeline, ...changes.timeline].slice(-MAX_TIMELINE);
    }
    if (changes.logs?.length) {
      // Servers are asked one after the other, so that their records do not come in order.
      this.logs = [...this.logs, ...changes.logs].sort((a, b) => a.at - b.at).slice(-MAX_LOGS);
    }
    this.#hasChanged(changes.now);
  }

  #applyServers({ servers = [], figures = [], removed = [] }: Changes): void {
    const isNew = servers.some(({ id }) => !this.servers.has(id));
    for (const server of servers) this.servers.set(server.id, server);
    for (const { id, status, error } of figures) {
      const server = this.servers.get(id);
      if (server) this.servers.set(id, { ...server, status, error });
    }
    for (const id of removed) this.servers.delete(id);
    if (!isNew) return;
    const sorted = this.sortedServers().sort((a, b) => a.id < b.id ? -1 : 1);
    this.servers.clear();
    for (const server of sorted) this.servers.set(server.id, server);
  }

  /** Notes that the page does not hear from its server at present, or does again. */
  setLink(link: Link): void {
    if (link === this.link) return;
    this.link = link;
    this.#tell();
  }

  /** Calls a function after each change, until the returned function is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #hasChanged(now: number): void {
    this.#clockDifference = now - Date.now();
    this.#tell();
  }

  #tell(): void {
    this.revision++;
    for (const listener of this.#listeners) listener();
  }
}

function keyOf(a: string, b: string): string {
  return JSON.stringify([a, b]);
}
