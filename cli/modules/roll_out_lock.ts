/**
 * The lock of roll-outs: one at a time in the servers of a role.
 *
 * @module
 */
import type { Client } from "../../runtime/actor/service.ts";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { DisconnectedError, EnsembleError, TimeoutError } from "../../runtime/errors.ts";
import { LOADER } from "../../runtime/server/capabilities.ts";
import {
  type LockHolder,
  registryClient,
  type RegistryHandlers,
} from "../../runtime/server/registry_protocol.ts";
import { operatorName } from "../kit/administrator.ts";
import { printNotice } from "../kit/output.ts";
import type { LoaderSet, SetEntry } from "./loader_set.ts";

/**
 * The names of the locks that a roll-out to servers takes: one for each role that any of them has,
 * and one for each server without a role. So roll-outs that share a server share a name.
 */
export function lockNames(entries: readonly SetEntry[]): string[] {
  const names = entries.flatMap(({ id, roles = [] }) =>
    roles.length > 0 ? roles.map((role) => `roll-out:${role}`) : [`roll-out:server/${id}`]
  );
  return [...new Set(names)].sort();
}

/** Describes who holds a lock, for messages. */
export function describeHolder({ by, console, since }: LockHolder): string {
  return `${by} (${console}) since ${new Date(since).toISOString()}`;
}

/** Describes a lock, for messages. */
function describeLock(name: string): string {
  const what = name.slice("roll-out:".length);
  return what.startsWith("server/")
    ? what.slice("server/".length)
    : `servers with the role ${what}`;
}

/** The locks of a roll-out, which are renewed until they are disposed of. */
export class RollOutLock implements AsyncDisposable {
  readonly #registry: Client<RegistryHandlers>;
  readonly #loaders: LoaderSet;
  readonly #key = crypto.randomUUID();
  readonly #names = new Set<string>();
  readonly #lost = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  private constructor(loaders: LoaderSet) {
    this.#loaders = loaders;
    this.#registry = registryClient(loaders.actors);
  }

  /**
   * Takes the locks of servers. A registry that has just started may wait for one lease, until a
   * holder of before would have renewed its lock.
   *
   * @throws {EnsembleError} if another roll-out has one of them, saying whose it is.
   */
  static async take(loaders: LoaderSet, entries: readonly SetEntry[]): Promise<RollOutLock> {
    const lock = new RollOutLock(loaders);
    try {
      await lock.extend(entries);
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      if (!(error instanceof DisconnectedError || error instanceof TimeoutError)) throw error;
      throw new EnsembleError(
        `cannot take the lock that keeps other roll-outs out: ${error.message}; without the ` +
          "registry, load into one server at a time",
        { cause: error },
      );
    }
    return lock;
  }

  /** Aborted when another roll-out has got the lock, since it could not be renewed for too long. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * Takes the locks of further servers.
   *
   * @throws {EnsembleError} as {@linkcode RollOutLock.take} does.
   */
  async extend(entries: readonly SetEntry[]): Promise<void> {
    const names = lockNames(entries).filter((name) => !this.#names.has(name));
    if (names.length === 0) return;
    await this.#loaders.administrator.elevating(REGISTRY_ID, LOADER, async () => {
      for (const name of names) {
        const lease = await this.#takeOne(name);
        this.#names.add(name);
        if (this.#timer === undefined) this.#renewLater(lease);
      }
    });
  }

  /** Frees the locks. If the registry does not answer, they are free after their lease. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    const key = this.#key;
    const freed = [...this.#names].map((name) => this.#registry.unlock({ name, key }));
    this.#names.clear();
    await Promise.allSettled(freed);
  }

  async #takeOne(name: string): Promise<number> {
    let isNoticed = false;
    while (true) {
      const request = { name, key: this.#key, by: operatorName() };
      const { taken, holder, wait = 0, lease } = await this.#registry.lock(request);
      if (taken) return lease;
      if (holder) {
        throw new EnsembleError(
          `a roll-out to ${describeLock(name)} is under way: ${describeHolder(holder)}; if its ` +
            `command has ended, its lock is free in ${Math.ceil(wait / 1000)} s`,
        );
      }
      if (!isNoticed) {
        printNotice(
          `... the registry has just started: waiting up to ${Math.ceil(wait / 1000)} s for a ` +
            "roll-out that began before",
        );
      }
      isNoticed = true;
      await new Promise((resolve) => setTimeout(resolve, Math.min(Math.max(wait, 10), 1_000)));
    }
  }

  #renewLater(lease: number): void {
    this.#timer = setTimeout(async () => {
      const key = this.#key;
      const by = operatorName();
      const renewed = [...this.#names].map(async (name) => {
        // While the registry does not answer, no other command gets the lock either.
        const { taken, holder } = await this.#registry.lock({ name, key, by, renews: true })
          .catch(() => ({ taken: true, holder: undefined }));
        if (!taken && this.#names.has(name)) {
          this.#lost.abort(
            new EnsembleError(
              `the lock for ${describeLock(name)} was not renewed in time, and is now that of ` +
                (holder ? describeHolder(holder) : "another roll-out"),
            ),
          );
        }
      });
      await Promise.all(renewed);
      if (this.#names.size > 0) this.#renewLater(lease);
    }, lease / 3);
  }
}
