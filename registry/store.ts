/**
 * Where the registry keeps its entries: the interface of a store, the choice of one, and the one in memory.
 *
 * @module
 */
import { InvalidInputError } from "../runtime/errors.ts";
import { sameInstance } from "../runtime/server/credentials.ts";
import type { RegistryEntry } from "../runtime/server/registry_protocol.ts";

/** Which entries to give. */
export interface EntryQuery {
  /** Those of the servers with this role; by default all. */
  readonly role?: string | undefined;
  /** Those whose ids come after this one; by default from the first. */
  readonly after?: string | undefined;
  /** At most so many. */
  readonly limit: number;
}

/**
 * A set of entries, one for each server id. When a change resolves it is as durable as the store
 * promises to be. Entries are handed over by value: changing one later changes nothing in the store.
 */
export interface RegistryStore {
  /** Adds the entry, in place of an earlier one of the same id. */
  put(entry: RegistryEntry): Promise<void>;

  /**
   * Removes the entry of an instance of a server. Its restarted successor has another: so a server that stops
   * never removes that one's.
   *
   * @returns whether there was such an entry.
   */
  delete(id: string, instance: Uint8Array): Promise<boolean>;

  /** The server's entry. */
  get(id: string): Promise<RegistryEntry | undefined>;

  /** The entries that match, sorted by id, by code unit. */
  list(query: EntryQuery): Promise<RegistryEntry[]>;

  /** Lets go of the store; nothing may be asked of it afterwards. */
  close(): Promise<void>;
}

/** Orders entries by server id, by code unit: the order in which every store answers. */
export function compareEntries(a: RegistryEntry, b: RegistryEntry): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** Which store: what `--store` says. */
export type StoreLocation =
  | {
    readonly kind: "sqlite"; /** The file; the default one when absent. */
    readonly path?: string;
  }
  | { readonly kind: "memory" };

/**
 * Reads the URL of a store: `sqlite:`, `sqlite:<path>` or `memory:`.
 *
 * @throws {InvalidInputError} for anything else.
 */
export function parseStoreLocation(text: string): StoreLocation {
  if (text === "memory:") return { kind: "memory" };
  if (text === "sqlite:") return { kind: "sqlite" };
  if (text.startsWith("sqlite:")) return { kind: "sqlite", path: text.slice("sqlite:".length) };
  throw new InvalidInputError(
    `not a registry store: ${JSON.stringify(text)}: there are "sqlite:", "sqlite:<path>" and ` +
      `"memory:"`,
  );
}

/**
 * Opens a store.
 *
 * @param location which one.
 * @param defaultPath the file of a `sqlite:` store that names none.
 * @throws {EnsembleError} when the store cannot be opened.
 */
export async function openStore(
  location: StoreLocation,
  defaultPath: string,
): Promise<RegistryStore> {
  if (location.kind === "memory") return new MemoryStore();
  // SQLite is loaded only when it is asked for.
  const { SqliteStore } = await import("./sqlite_store.ts");
  return await SqliteStore.open(location.path ?? defaultPath);
}

/** Keeps the entries in this process: they are gone when it ends. */
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
