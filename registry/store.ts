/**
 * The interface that the registry keeps its entries behind.
 *
 * @module
 */
import type { ServerId } from "../runtime/actor/server_id.ts";
import type { RegistryEntry } from "../runtime/server/registry_entry.ts";

/**
 * A set of entries, one for each server id. When a change resolves it is as durable as the store
 * promises to be. Entries are handed over by value: changing one later changes nothing in the store.
 */
export interface RegistryStore {
  /** Adds the entry, in place of an earlier one of the same id. */
  put(entry: RegistryEntry): Promise<void>;

  /**
   * Removes a server's entry. With `instance`, only the entry of that instance: so a server that
   * stops never removes the entry of its restarted successor.
   *
   * @returns whether there was such an entry.
   */
  delete(id: ServerId, instance?: Uint8Array): Promise<boolean>;

  /** The server's entry. */
  get(id: ServerId): Promise<RegistryEntry | undefined>;

  /** The entries of the servers that have the role, sorted by id. */
  byRole(role: string): Promise<RegistryEntry[]>;

  /** All entries, sorted by id. */
  list(): Promise<RegistryEntry[]>;

  /** Lets go of the store; nothing may be asked of it afterwards. */
  close(): Promise<void>;
}
