/**
 * Reads the state of a server of this process.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import type { UnitStore } from "../code/unit_store.ts";
import type { ActorServer } from "../server/actor_server.ts";
import type { Traffic } from "../server/connection.ts";
import { hostName } from "../wire/address.ts";
import { VERSION } from "../version.ts";
import { eventLoopDelay, watchEventLoop } from "./event_loop_delay.ts";
import { openFiles, processMemory, processUser, systemMemory } from "./process_usage.ts";
import { StatusHistory } from "./status_history.ts";
import {
  type Flow,
  MAX_LOADS,
  MAX_MAILBOXES,
  MAX_MODULES,
  MAX_RECORDED_LOADS,
  type ModuleVersion,
  type RecordedLoad,
  type ServerStatus,
  type StatusPoint,
} from "./status_protocol.ts";

/** The parts of a server whose state is read. */
export interface StatusSource {
  /** The server. */
  readonly server: Pick<ActorServer, "id" | "actors" | "entry" | "connections" | "traffic">;
  /** Its code. */
  readonly units: Pick<UnitStore, "loads" | "history">;
  /** When its certificate ends; undefined if it has none. */
  certificateEnd(): Date | undefined;
}

/** Reads the state of a server, and keeps its history, until disposed. */
export class StatusReader implements Disposable {
  /**
   * What other parts of the process know, such as the registry. Each gives its part of the state.
   */
  readonly parts: Set<() => Partial<ServerStatus>> = new Set<() => Partial<ServerStatus>>();
  readonly #source: StatusSource;
  readonly #history: StatusHistory;
  readonly #watch: Disposable;
  #user: string | undefined;

  /** Starts the history of a server. */
  constructor(source: StatusSource) {
    this.#source = source;
    const { server } = source;
    this.#history = new StatusHistory({
      totals: () => ({ ...server.traffic(), handled: server.actors.handled }),
      level: () => ({
        actors: server.actors.count,
        longestMailbox: longestMailbox(server.actors.actors()),
        connections: server.connections().length,
        pendingAsks: server.actors.pendingAsks,
      }),
    });
    this.#watch = watchEventLoop(() => this.#history.takeReading());
  }

  /** The state now. */
  read(): ServerStatus {
    const { server, units } = this.#source;
    const { actors, entry } = server;
    const rates = this.#history.rates();
    const { received, sent } = server.traffic();
    const loads = units.loads().filter(({ undone }) => !undone);
    const [host, user] = [entry.host ?? hostName(), this.#user ??= processUser()];
    const [memory, files] = [systemMemory(), openFiles()];
    const certificateEnd = this.#source.certificateEnd()?.getTime();
    const parts = Array.from(this.parts, (part) => part());
    return Object.assign({
      id: server.id,
      pid: Deno.pid,
      host,
      ...user !== undefined && { user },
      version: VERSION,
      deno: Deno.version.deno,
      v8: Deno.version.v8,
      startedAt: entry.startedAt ?? Date.now(),
      now: Date.now(),
      state: entry.state,
      roles: entry.roles,
      memory: processMemory(),
      ...memory && { systemMemory: memory },
      cpu: rates.cpu,
      eventLoopDelay: eventLoopDelay(),
      actors: actors.count,
      longestMailboxes: longestMailboxes(actors.actors()),
      connections: server.connections().length,
      received: flowOf(received, rates.received),
      sent: flowOf(sent, rates.sent),
      handled: { messages: actors.handled, messagesPerSecond: rates.handled },
      pendingAsks: actors.pendingAsks,
      restarts: actors.restarts,
      loads: {
        count: loads.length,
        last: loads.slice(-MAX_LOADS).reverse().map(({ module, hash, time, by, current }) => ({
          module,
          hash,
          at: time,
          by,
          current,
        })),
      },
      ...certificateEnd !== undefined && { certificateEnd },
      ...files && { openFiles: files },
    }, ...parts);
  }

  /** The points of its history that end after a time, in ms since 1970. */
  history(since?: number): StatusPoint[] {
    return this.#history.points(since);
  }

  /** The current versions of its modules, the newest first. */
  modules(): ModuleVersion[] {
    return this.#source.units.history().filter(({ current }) => current)
      .map(({ module, hash, time, by }) => ({ module, hash, at: time, by }))
      .sort((a, b) => b.at - a.at)
      .slice(0, MAX_MODULES);
  }

  /** The loads that changed its code, the newest first. */
  loads(): RecordedLoad[] {
    return this.#source.units.loads().slice(-MAX_RECORDED_LOADS).reverse()
      .map(({ module, hash, time, by, current, id, undone }) => ({
        module,
        hash,
        at: time,
        by,
        current,
        id,
        undone,
      }));
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }
}

function flowOf(total: Traffic, perSecond: Traffic): Flow {
  return {
    ...total,
    messagesPerSecond: perSecond.messages,
    bytesPerSecond: perSecond.bytes,
  };
}

function longestMailbox(actors: readonly Actor[]): number {
  return actors.reduce((longest, { mailboxLength }) => Math.max(longest, mailboxLength), 0);
}

/** The actors for which messages wait, the longest mailboxes first. */
function longestMailboxes(actors: readonly Actor[]): ServerStatus["longestMailboxes"] {
  return actors.filter(({ mailboxLength }) => mailboxLength > 0)
    .sort((a, b) => b.mailboxLength - a.mailboxLength)
    .slice(0, MAX_MAILBOXES)
    .map(({ name, serial, mailboxLength }) => ({ actor: name ?? serial, length: mailboxLength }));
}
