/**
 * The registry's stores: their interface, the choice of one, and the one in memory.
 *
 * @module
 */
import { InvalidInputError } from "../runtime/errors.ts";
import { sameInstance } from "../runtime/server/credentials.ts";
import type { RegistryEntry } from "../runtime/server/registry_protocol.ts";

/** A query for entries. */
export interface EntryQuery {
  /** Only servers with this role. Default: all. */
  readonly role?: string | undefined;
  /** Only ids after this one. Default: from the first. */
  readonly after?: string | undefined;
  /** The maximum number of entries. */
  readonly limit: number;
}

/**
 * A set of entries, one for each server id. A change resolves when it is as durable as the store
 * promises. Entries are passed by value: changing one later does not change the store.
 */
export interface RegistryStore {
  /** Adds an entry, replacing an earlier one of the same id. */
  put(entry: RegistryEntry): Promise<void>;

  /**
   * Removes the entry of an instance of a server. A restarted server has another instance, so a
   * server that stops never removes its successor's entry.
   *
   * @returns whether there was such an entry.
   */
  delete(id: string, instance: Uint8Array): Promise<boolean>;

  /** Returns the server's entry, if any. */
  get(id: string): Promise<RegistryEntry | undefined>;

  /** Returns the matching entries, sorted by id, by code unit. */
  list(query: EntryQuery): Promise<RegistryEntry[]>;

  /** Closes the store. It must not be used afterwards. */
  close(): Promise<void>;
}

/** Compares entries by server id, by code unit: the order of every store's results. */
export function compareEntries(a: RegistryEntry, b: RegistryEntry): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** The location of a store, from `--store`. */
export type StoreLocation =
  | {
    readonly kind: "sqlite"; /** The file. Default: in the server's directory. */
    readonly path?: string;
  }
  | { readonly kind: "memory" };

/**
 * Parses the URL of a store: `sqlite:`, `sqlite:<path>` or `memory:`.
 *
 * @throws {InvalidInputError} for anything else.
 */
export function parseStoreLocation(text: string): StoreLocation {
  if (text === "memory:") return { kind: "memory" };
  if (text === "sqlite:") return { kind: "sqlite" };
  if (text.startsWith("sqlite:")) return { kind: "sqlite", path: text.slice("sqlite:".length) };
  throw new InvalidInputError(
    `not a registry store: ${JSON.stringify(text)}; use "sqlite:", "sqlite:<path>" or ` +
      `"memory:"`,
  );
}

/**
 * Opens a store.
 *
 * @param location the location.
 * @param defaultPath the file of a `sqlite:` store without a path.
 * @throws {EnsembleError} if the store cannot be opened.
 */
export async function openStore(
  location: StoreLocation,
  defaultPath: string,
): Promise<RegistryStore> {
  if (location.kind === "memory") return new MemoryStore();
  // SQLite is loaded only if it is used.
  const { SqliteStore } = await import("./sqlite_store.ts");
  return await SqliteStore.open(location.path ?? defaultPath);
}

/** Stores the entries in memory: they are lost when the process ends. */
export class MemoryStore implements RegistryStore {
  readonly #entries = new Map<string, RegistryEntry>();

  /** See {@linkcode RegistryStore.put}. */
  put(entry: RegistryEntry): Promise<void> {
    this.#entries.set(entry.id, structuredClone(entry));
    return Promise.resolve();
  }

  /** See {@linkcode RegistryStore.delete}. */
  delete(id: string, instance: Uint8Array): Promise<boolean> {
    const entry = this.#entries.get(id);
    const isMeant = entry !== undefined && sameInstance(entry.instance, instance);
    return Promise.resolve(isMeant && this.#entries.delete(id));
  }

  /** See {@linkcode RegistryStore.get}. */
  get(id: string): Promise<RegistryEntry | undefined> {
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
