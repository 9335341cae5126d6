/**
 * The changes of entries that servers and administrators ask for.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import { EnsembleError } from "../runtime/errors.ts";
import type { ActorServer } from "../runtime/server/actor_server.ts";
import { sameInstance } from "../runtime/server/credentials.ts";
import {
  describePlace,
  idTaken,
  type OwnEntry,
  type RegistryEntry,
  withClaimant,
} from "../runtime/server/registry_protocol.ts";
import type { Directory } from "./directory.ts";
import type { RegistryStore, Removal } from "./store.ts";

/** How often a change is tried while the entry changes, and the pause in between, in ms. */
const MAX_TRIES = 50;
const RETRY_INTERVAL = 20;

/** Which server an entry is of. */
export interface NamedInstance {
  /** Its id. */
  readonly id: string;
  /** Its instance. */
  readonly instance: Uint8Array;
}

/** What a registration has changed. */
export interface Registered {
  /** The revision of the entry. */
  readonly revision: number;
  /** The entry before. */
  readonly before: RegistryEntry | undefined;
}

/**
 * Changes entries by the rules of the registry, on top of what the directory has. If the entry is
 * another one by then, in the store, it looks again: another registry over the store has changed
 * it, or its lease has run out.
 */
export class EntryChanges {
  readonly #server: Pick<ActorServer, "presence" | "holderOf">;
  readonly #store: RegistryStore;
  readonly #directory: Directory;

  /** Changes the entries of a store, which a directory follows. */
  constructor(
    server: Pick<ActorServer, "presence" | "holderOf">,
    { store, directory }: { store: RegistryStore; directory: Directory },
  ) {
    this.#server = server;
    this.#store = store;
    this.#directory = directory;
  }

  /**
   * Adds a server's entry, or changes it. If it is there as it is, that renews its lease.
   *
   * @throws {EnsembleError} with the code `ID_TAKEN`, if the id belongs to another instance.
   */
  async register(entry: OwnEntry): Promise<Registered> {
    const registered = await this.#untilMade(entry.id, async () => {
      const before = this.#directory.get(entry.id);
      const revision = await this.#put(entry, before);
      return revision === undefined ? undefined : { revision, before };
    });
    await this.#directory.reached(registered.revision);
    return registered;
  }

  /** Removes the entry of an instance. Returns whether there was one. */
  async remove({ id, instance }: NamedInstance, as: Removal): Promise<boolean> {
    return await this.#untilMade(id, async () => {
      const entry = this.#directory.get(id);
      if (!entry || !sameInstance(entry.instance, instance)) return false;
      return await this.#store.delete(id, { expected: entry.revision, as }) || undefined;
    });
  }

  /**
   * Removes the entry of a server that is not alive; with `force`, of any.
   *
   * @throws {EnsembleError} if there is no such entry, or the server may be alive.
   */
  async forget(id: string, { force = false }: { force?: boolean | undefined } = {}): Promise<void> {
    await this.#untilMade(id, async () => {
      const entry = this.#directory.get(id);
      if (!entry) {
        throw new EnsembleError(`no server ${id} is registered`, { code: "UNKNOWN_SERVER" });
      }
      if (!force && await this.#isAlive(entry)) {
        throw new EnsembleError(
          `${id} is ${entry.state}, as ${describePlace(entry)}: stop it, or use -f`,
        );
      }
      return await this.#store.delete(id, { expected: entry.revision, as: "gone" }) || undefined;
    });
  }

  async #put(entry: OwnEntry, before: RegistryEntry | undefined): Promise<number | undefined> {
    if (before && !sameInstance(before.instance, entry.instance)) {
      const holder = await this.#server.holderOf(before);
      const leaseLeft = this.#store.leaseLeft(before.id);
      if (holder) throw withClaimant(idTaken({ ...before, leaseLeft }, holder), entry);
    } else if (before && isSame(before, entry)) {
      if (await this.#store.renew(entry.id, entry.instance)) return before.revision;
    }
    return await this.#store.put(entry, before?.revision ?? 0);
  }

  async #isAlive(entry: RegistryEntry): Promise<boolean> {
    return entry.state !== "unreachable" && await this.#server.presence(entry) !== "gone";
  }

  async #untilMade<Result>(id: string, make: () => Promise<Result | undefined>): Promise<Result> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const made = await make();
      if (made !== undefined) return made;
      await new Promise((resolve) => setTimeout(resolve, RETRY_INTERVAL));
    }
    throw new EnsembleError(`the entry of ${id} keeps changing: try again`);
  }
}

/** Whether an entry is what a server says of itself. */
function isSame({ revision: _, ...entry }: RegistryEntry, own: OwnEntry): boolean {
  return isDeepStrictEqual(entry, own);
}
