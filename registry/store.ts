/**
 * The interface that the registry keeps its entries behind.
 *
 * @module
 */
import type { ServerId } from "../runtime/actor/server_id.ts";
import type { RegistryEntry } from "../runtime/server/registry_entry.ts";

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
