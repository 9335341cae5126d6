/**
 * `gxensemble lookup`.
 *
 * @module
 */
import { listServers, registryClient } from "../../runtime/ensemble/remote.ts";
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import type { RegistryEntry } from "../../runtime/server/registry_entry.ts";
import { withConsole } from "../console.ts";
import { entryToJson, formatServer } from "../listing.ts";
import { printJson, printLine } from "../output.ts";
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";

/** Options of {@linkcode lookup}. */
export interface LookupOptions extends ClientOptions, OutputOptions {}

/** What to look up: one server, or those that have a role. */
export type LookupQuery = { readonly server: ServerId } | { readonly role: string };

/** Prints where servers are reached. */
export async function lookup(query: LookupQuery, options: LookupOptions): Promise<void> {
  const entries = await withConsole(options, (actors) => find(actors, query));
  if (options.json) return printJson(entries.map(entryToJson));
  for (const { id, addresses } of entries) printLine(formatServer(id, addresses));
}

/** What is not there is a failure: a server, and a role that no server has. */
async function find(actors: ActorSystem, query: LookupQuery): Promise<RegistryEntry[]> {
  const entries = "role" in query
    ? await listServers(actors, query)
    : [await registryClient(actors).lookup({ id: query.server }) ?? []].flat();
  if (entries.length > 0) return entries;
  const { suggestLookups } = await import("../suggestions.ts");
  const what = "role" in query ? `server with the role ${query.role}` : `server ${query.server}`;
  throw new EnsembleError(`the registry knows no ${what}${await suggestLookups(actors, query)}`);
}
