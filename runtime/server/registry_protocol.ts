/**
 * The requests that the registry answers.
 *
 * @module
 */
import { ActorRef } from "../actor/ref.ts";
import { REGISTRY_ID, type ServerId } from "../actor/server_id.ts";
import type { Presence } from "./liveness.ts";
import type { RegistryEntry } from "./registry_entry.ts";

/** The registry's actor. */
export const REGISTRY: ActorRef = new ActorRef(REGISTRY_ID, "registry");

/** How many entries one answer holds at most: some megabytes of the largest ones. */
export const PAGE_SIZE = 256;

/** Some of the entries that were asked for, sorted by id. */
export interface RegistryPage {
  /** At most {@linkcode PAGE_SIZE} of them. */
  readonly entries: RegistryEntry[];
  /** Where to go on, as `after` of the next request; absent on the last page. */
  readonly next?: ServerId | undefined;
}

/** The handlers of the registry's actor, for `client`. */
export type RegistryHandlers = {
  /** Adds a server's entry in place of an earlier one. */
  add(request: { entry: RegistryEntry }): Promise<void>;
  /** Removes the entry of an instance of a server; says whether it was there. */
  remove(request: { id: ServerId; instance: Uint8Array }): Promise<boolean>;
  /** The entry of a server, or of the registry itself, which is in no list. */
  lookup(request: { id: ServerId }): Promise<RegistryEntry | undefined>;
  /** A page of the entries, or of those with a role, from the one after an id on. */
  list(request: { role?: string | undefined; after?: ServerId | undefined }): Promise<RegistryPage>;
  /** Whether a registered instance lives, as far as the registry can tell; "gone" when it is not registered. */
  presence(request: { id: ServerId; instance: Uint8Array }): Promise<Presence>;
};
