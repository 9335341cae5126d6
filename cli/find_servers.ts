/**
 * Servers by what a person names them by: an id, or a role that they have.
 *
 * @module
 */
import type { ActorSystem } from "../runtime/actor/actor_system.ts";
import type { ServerId } from "../runtime/actor/server_id.ts";
import { listServers, registryClient } from "../runtime/ensemble/remote.ts";
import { EnsembleError } from "../runtime/errors.ts";
import type { RegistryEntry } from "../runtime/server/registry_entry.ts";

/** What to look up: one server, or those that have a role. */
export type LookupQuery = { readonly server: ServerId } | { readonly role: string };

/**
 * Asks the registry for the entries of servers.
 *
 * @throws {EnsembleError} when there is no such server, or none has the role; it says what may have been meant.
 */
export async function findServers(
  actors: ActorSystem,
  query: LookupQuery,
): Promise<RegistryEntry[]> {
  const entries = "role" in query
    ? await listServers(actors, query)
    : [await registryClient(actors).lookup({ id: query.server }) ?? []].flat();
  if (entries.length > 0) return entries;
  const { suggestLookups } = await import("./suggestions.ts");
  const what = "role" in query ? `server with the role ${query.role}` : `server ${query.server}`;
  throw new EnsembleError(`the registry knows no ${what}${await suggestLookups(actors, query)}`);
}
