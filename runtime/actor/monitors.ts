/**
 * Monitors: notifications when an actor ends.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import type { ActorId, ActorRef } from "./references.ts";

/** The maximum number of monitors that the actors of another server may have here at once. */
export const MAX_MONITORS = 65_536;

/**
 * The message that a monitoring actor gets, once, when the watched actor has ended.
 *
 * @example Keep the news for later
 * ```ts
 * import { type Actor, type Down, onDown } from "@gxensemble/ensemble";
 *
 * async function watcher(self: Actor) {
 *   const gone: Down[] = [];
 *   for (const id of ["web1", "web2"]) self.monitor(`server@${id}`);
 *   while (gone.length < 2) await self.receive([onDown((down) => gone.push(down))]);
 * }
 * ```
 */
export interface Down {
  /** Distinguishes it from other messages. */
  type: "down";
  /** The result of `monitor`. */
  monitor: number;
  /** The actor that ended, as it was named to `monitor`. */
  ref: ActorRef;
  /** The reason; undefined if it ended normally. */
  reason?: string;
}

/** A message from another server that one of its actors ended. */
export interface DownNews {
  /** The number of the monitor. */
  readonly monitor: number;
  /** The server. */
  readonly server: string;
  /** The reason; undefined if the actor ended normally. */
  readonly reason: string | undefined;
}

/** One watch that this server keeps for a watcher on any server. */
interface Watch {
  readonly monitor: number;
  readonly watcher: ActorRef;
  readonly watched: ActorRef;
}

/** The monitors of one server: on its own actors, and by its actors on actors of other servers. */
export class Monitors {
  /** Watches on actors of this server, by the serial number of the actor. */
  readonly #watches = new Map<number, Set<Watch>>();
  /**
   * The same watches, by the watcher's server and by monitor number, since each server has its own
   * numbers.
   */
  readonly #watchers = new Map<string, Map<number, { watch: Watch; serial: number }>>();
  /** Watches by this server's actors on other servers' actors, by monitor number. */
  readonly #remote = new Map<number, Watch>();
  readonly #tell: (dest: ActorRef, message: Down) => void;

  /** Makes an empty table. `tell` sends a watcher its {@linkcode Down}. */
  constructor(tell: (dest: ActorRef, message: Down) => void) {
    this.#tell = tell;
  }

  /** The number of entries in its tables; 0 if there are no monitors. */
  get size(): number {
    return this.#watches.size + this.#watchers.size + this.#remote.size;
  }

  /**
   * Watches an actor of this server, in place of a watch with the same number.
   *
   * @throws {EnsembleError} if another server already has {@linkcode MAX_MONITORS} here.
   */
  watch(serial: number, watch: Watch): void {
    const { server } = watch.watcher;
    this.#remove(watch.monitor, server);
    const own = this.#watchers.get(server) ?? new Map();
    if (own.size >= MAX_MONITORS && server !== watch.watched.server) {
      throw new EnsembleError(
        `${server} has ${MAX_MONITORS} monitors in ${watch.watched.server} already, and cannot have more`,
        { code: "LIMIT_REACHED" },
      );
    }
    this.#watchers.set(server, own.set(watch.monitor, { watch, serial }));
    const watches = this.#watches.get(serial);
    if (watches) watches.add(watch);
    else this.#watches.set(serial, new Set([watch]));
  }

  /** Records a watch by an actor of this server on another server's actor. */
  watchRemote(watch: Watch): void {
    this.#remote.set(watch.monitor, watch);
  }

  /**
   * Ends a watch on request of a server. Returns the watched actor of another server, so that its
   * server can be notified.
   */
  unwatch(monitor: number, server: string): ActorRef | undefined {
    // Each server numbers its own monitors, so another server's may have the number of one of ours.
    const remote = this.#remote.get(monitor);
    const isOurs = remote?.watcher.server === server;
    if (isOurs) this.#remote.delete(monitor);
    this.#remove(monitor, server);
    return isOurs ? remote.watched : undefined;
  }

  /** Notifies all watchers of an actor of this server that it ended. */
  ended(serial: number, reason: string | undefined): void {
    const watches = this.#watches.get(serial) ?? [];
    this.#watches.delete(serial);
    for (const { monitor, watcher } of watches) this.#forget(monitor, watcher.server);
    for (const watch of watches) this.#down(watch, reason);
  }

  /** Notifies one watcher that the actor does not exist. */
  absent(watch: Watch, actor: ActorId): void {
    this.#down(watch, `unknown actor: ${actor}`);
  }

  /** Passes the end of a watched actor on another server on to its watcher. */
  arrived({ monitor, server, reason }: DownNews): void {
    const watch = this.#remote.get(monitor);
    if (watch?.watched.server !== server) return;
    this.#remote.delete(monitor);
    this.#down(watch, reason);
  }

  /** A server was lost: its watched actors count as ended, and its watchers are removed. */
  disconnected(server: string, reason: string): void {
    for (const watch of [...this.#remote.values()]) {
      if (watch.watched.server !== server) continue;
      this.#remote.delete(watch.monitor);
      this.#down(watch, reason);
    }
    for (const monitor of [...this.#watchers.get(server)?.keys() ?? []]) {
      this.#remove(monitor, server);
    }
  }

  #remove(monitor: number, server: string): void {
    const found = this.#watchers.get(server)?.get(monitor);
    if (!found) return;
    this.#forget(monitor, server);
    const watches = this.#watches.get(found.serial);
    watches?.delete(found.watch);
    if (watches?.size === 0) this.#watches.delete(found.serial);
  }

  #forget(monitor: number, server: string): void {
    const own = this.#watchers.get(server);
    own?.delete(monitor);
    if (own?.size === 0) this.#watchers.delete(server);
  }

  #down(watch: Watch, reason: string | undefined): void {
    this.#tell(watch.watcher, {
      type: "down",
      monitor: watch.monitor,
      ref: watch.watched,
      ...(reason === undefined ? {} : { reason }),
    });
  }
}
