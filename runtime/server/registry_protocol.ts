/**
 * The requests that the registry answers.
 *
 * @module
 */
import { ActorRef } from "../actor/ref.ts";
import { REGISTRY_ID, type ServerId } from "../actor/server_id.ts";
import type { RegistryEntry } from "./registry_entry.ts";

/** The registry's actor. */
export const REGISTRY: ActorRef = new ActorRef(REGISTRY_ID, "registry");

/** The handlers of the registry's actor, for `client`. */
export type RegistryHandlers = {
  /** Adds a server's entry in place of an earlier one. */
  add(request: { entry: RegistryEntry }): Promise<void>;
  /** Removes a server's entry, if it is this instance's; says whether it was there. */
  remove(request: { id: ServerId; instance?: Uint8Array }): Promise<boolean>;
  /** The entry of a server. */
  lookup(request: { id: ServerId }): Promise<RegistryEntry | undefined>;
  /** The entries of the servers with a role, sorted by id. */
  lookupRole(request: { role: string }): Promise<RegistryEntry[]>;
  /** All entries, sorted by id. */
  list(): Promise<RegistryEntry[]>;
};
