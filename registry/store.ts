/**
 * The interface that the registry keeps its entries behind.
 *
 * @module
 */
import type { ServerId } from "../runtime/actor/references.ts";
import { InvalidInputError } from "../runtime/errors.ts";
import type { RegistryEntry } from "../runtime/server/registry_protocol.ts";

/** Which entries to give. */
export interface EntryQuery {
  /** Those of the servers with this role; by default all. */
  readonly role?: string | undefined;
  /** Those whose ids come after this one; by default from the first. */
  readonly after?: ServerId | undefined;
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
  delete(id: ServerId, instance: Uint8Array): Promise<boolean>;

  /** The server's entry. */
  get(id: ServerId): Promise<RegistryEntry | undefined>;

  /** The entries that match, sorted by id, by code unit. */
  list(query: EntryQuery): Promise<RegistryEntry[]>;

  /** Lets go of the store; nothing may be asked of it afterwards. */
  close(): Promise<void>;
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
  // Each store is loaded only when it is the one asked for.
  if (location.kind === "memory") {
    const { MemoryStore } = await import("./memory_store.ts");
    return new MemoryStore();
  }
  const { SqliteStore } = await import("./sqlite_store.ts");
  return new SqliteStore(location.path ?? defaultPath);
}
