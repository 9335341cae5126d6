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

/** A server that is not there is a failure; a role that nobody has is an empty list. */
async function find(actors: ActorSystem, query: LookupQuery): Promise<RegistryEntry[]> {
  if ("role" in query) return await listServers(actors, query);
  const entry = await registryClient(actors).lookup({ id: query.server });
  if (!entry) throw new EnsembleError(`the registry knows no server ${query.server}`);
  return [entry];
}
