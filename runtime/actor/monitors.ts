/**
 * Monitors: who wants to know when an actor ends.
 *
 * @module
 */
import type { ActorId, ActorRef } from "./ref.ts";
import type { ServerId } from "./server_id.ts";

/** The message a monitoring actor gets, once, when the actor it watches is gone. */
export interface Down {
  /** Tells it from other messages. */
  type: "down";
  /** What `monitor` returned. */
  monitor: number;
  /** The actor that is gone, as it was named to `monitor`. */
  ref: ActorRef;
  /** Why: undefined when it ended in good order. */
  reason?: string;
}

/** One watch that this server keeps for a watcher, wherever that lives. */
interface Watch {
  readonly monitor: number;
  readonly watcher: ActorRef;
  readonly watched: ActorRef;
}

/** The monitors of one server: on its own actors, and by its actors on those of other servers. */
export class Monitors {
  /** Watches on actors of this server, by serial number and by key. */
  readonly #watches = new Map<number, Map<string, Watch>>();
  /** The serial numbers of those actors, by the keys of the watches. */
  readonly #serials = new Map<string, number>();
  /** Watches by this server's actors on other servers' actors, by monitor number. */
  readonly #remote = new Map<number, Watch>();
  readonly #tell: (dest: ActorRef, message: Down) => void;

  /** Makes an empty table; `tell` sends a watcher its {@linkcode Down}. */
  constructor(tell: (dest: ActorRef, message: Down) => void) {
    this.#tell = tell;
  }

  /** How many entries its tables have: none when nobody watches. */
  get size(): number {
    return this.#watches.size + this.#serials.size + this.#remote.size;
  }

  /** Watches an actor of this server. */
  watch(serial: number, watch: Watch): void {
    const key = keyOf(watch.monitor, watch.watcher.server);
    const watches = this.#watches.get(serial);
    if (watches) watches.set(key, watch);
    else this.#watches.set(serial, new Map([[key, watch]]));
    this.#serials.set(key, serial);
  }

  /** Notes that an actor of this server watches one elsewhere. */
  watchRemote(watch: Watch): void {
    this.#remote.set(watch.monitor, watch);
  }

  /** Ends a watch that a server asked for. Gives the actor elsewhere that was watched, so that its server can be told. */
  unwatch(monitor: number, server: ServerId): ActorRef | undefined {
    // Each server numbers its monitors itself: another's may have the number of one of ours.
    const remote = this.#remote.get(monitor);
    const isOurs = remote?.watcher.server === server;
    if (isOurs) this.#remote.delete(monitor);
    this.#remove(keyOf(monitor, server));
    return isOurs ? remote.watched : undefined;
  }

  /** Tells all who watch an actor of this server that it ended. */
  ended(serial: number, reason: string | undefined): void {
    const watches = this.#watches.get(serial);
    this.#watches.delete(serial);
    for (const key of watches?.keys() ?? []) this.#serials.delete(key);
    for (const watch of watches?.values() ?? []) this.#down(watch, reason);
  }

  /** Tells one watcher that the actor is not there. */
  absent(watch: Watch, actor: ActorId): void {
    this.#down(watch, `unknown actor: ${actor}`);
  }

  /** Takes the news of a watched actor elsewhere and passes it on to the actor that watches. */
  arrived(monitor: number, server: ServerId, reason: string | undefined): void {
    const watch = this.#remote.get(monitor);
    if (watch?.watched.server !== server) return;
    this.#remote.delete(monitor);
    this.#down(watch, reason);
  }

  /** A server was lost: its watched actors are gone for us, and its watchers do not listen any more. */
  disconnected(server: ServerId, reason: string): void {
    for (const watch of [...this.#remote.values()]) {
      if (watch.watched.server !== server) continue;
      this.#remote.delete(watch.monitor);
      this.#down(watch, reason);
    }
    for (const watches of [...this.#watches.values()]) {
      for (const [key, watch] of [...watches]) {
        if (watch.watcher.server === server) this.#remove(key);
      }
    }
  }

  #remove(key: string): void {
    const serial = this.#serials.get(key);
    if (serial === undefined) return;
    this.#serials.delete(key);
    const watches = this.#watches.get(serial);
    watches?.delete(key);
    if (watches?.size === 0) this.#watches.delete(serial);
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

/** Each server numbers its monitors itself. */
function keyOf(monitor: number, watcher: ServerId): string {
  return `${monitor}@${watcher}`;
}
