/**
 * The `memory:` store, for tests and for ensembles that start and end together.
 *
 * @module
 */
import type { ServerId } from "../runtime/actor/references.ts";
import { sameInstance } from "../runtime/server/instance.ts";
import { compareEntries, type RegistryEntry } from "../runtime/server/registry_protocol.ts";
import type { EntryQuery, RegistryStore } from "./store.ts";

/** Keeps the entries in this process: they are gone when it ends. */
export class MemoryStore implements RegistryStore {
  readonly #entries = new Map<ServerId, RegistryEntry>();

  /** See {@linkcode RegistryStore.put}. */
  put(entry: RegistryEntry): Promise<void> {
    this.#entries.set(entry.id, structuredClone(entry));
    return Promise.resolve();
  }

  /** See {@linkcode RegistryStore.delete}. */
  delete(id: ServerId, instance: Uint8Array): Promise<boolean> {
    const entry = this.#entries.get(id);
    const isMeant = entry !== undefined && sameInstance(entry.instance, instance);
    return Promise.resolve(isMeant && this.#entries.delete(id));
  }

  /** See {@linkcode RegistryStore.get}. */
  get(id: ServerId): Promise<RegistryEntry | undefined> {
    return Promise.resolve(structuredClone(this.#entries.get(id)));
  }

  /** See {@linkcode RegistryStore.list}. */
  list({ role, after, limit }: EntryQuery): Promise<RegistryEntry[]> {
    const matching = [...this.#entries.values()]
      .filter(({ id, roles }) =>
        (role === undefined || roles.includes(role)) && (after === undefined || id > after)
      )
      .sort(compareEntries)
      .slice(0, limit);
    return Promise.resolve(structuredClone(matching));
  }

  /** See {@linkcode RegistryStore.close}. */
  close(): Promise<void> {
    this.#entries.clear();
    return Promise.resolve();
  }
}
