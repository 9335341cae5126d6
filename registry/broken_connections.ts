/**
 * What the registry does when the connection of a server breaks.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { sameInstance } from "../runtime/server/credentials.ts";
import type { Presence } from "../runtime/server/presence.ts";
import { describePlace, type RegistryEntry } from "../runtime/server/registry_protocol.ts";
import type { Directory } from "./directory.ts";
import type { RegistryStore } from "./store.ts";

const logger = getLogger(["gxensemble", "registry"]);

/** The number of servers that are looked for at the same time. */
const AT_ONCE = 32;

/** A server whose connection has ended. */
export interface Disconnected {
  /** Its id. */
  readonly id: string;
  /** Its instance. */
  readonly instance: Uint8Array;
}

/**
 * Looks for servers whose connections broke before they left. One whose addresses refuse is
 * `unreachable` at once; of all others, the lease decides.
 */
export class BrokenConnections {
  readonly #directory: Directory;
  readonly #store: RegistryStore;
  readonly #presence: (entry: RegistryEntry) => Promise<Presence>;
  readonly #queue: Disconnected[] = [];
  #looking = 0;
  #isClosed = false;

  /** Looks for the servers of a directory with `presence`. */
  constructor(
    directory: Directory,
    { store, presence }: {
      store: RegistryStore;
      presence: (entry: RegistryEntry) => Promise<Presence>;
    },
  ) {
    this.#directory = directory;
    this.#store = store;
    this.#presence = presence;
  }

  /** Looks for a server if it is registered. */
  lookFor(server: Disconnected): void {
    if (this.#isClosed || !this.#entryOf(server)) return;
    this.#queue.push(server);
    if (this.#looking < AT_ONCE) void this.#work();
  }

  /** Looks for no further ones: the registry stops, and its own connections end. */
  close(): void {
    this.#isClosed = true;
    this.#queue.length = 0;
  }

  async #work(): Promise<void> {
    this.#looking++;
    for (let next; (next = this.#queue.shift());) {
      try {
        await this.#look(next);
      } catch (error) {
        const { message } = error as Error;
        logger.warn("cannot record that {id} has ended: {reason}", {
          id: next.id,
          reason: message,
        });
      }
    }
    this.#looking--;
  }

  async #look(server: Disconnected): Promise<void> {
    const before = this.#entryOf(server);
    if (!before || await this.#presence(before) !== "gone") return;
    const entry = this.#entryOf(server);
    if (this.#isClosed || !entry || !await this.#store.lapse(entry.id, entry.revision)) return;
    logger.info("{id} is unreachable: its connection broke, and nothing answers as {place}", {
      id: entry.id,
      place: describePlace(entry),
    });
  }

  /** The entry of this instance, if it counts as reachable. */
  #entryOf({ id, instance }: Disconnected): RegistryEntry | undefined {
    const entry = this.#directory.get(id);
    if (!entry || entry.state === "unreachable") return undefined;
    return sameInstance(entry.instance, instance) ? entry : undefined;
  }
}
