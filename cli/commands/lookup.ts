/**
 * `gxensemble lookup`.
 *
 * @module
 */
import { withConsole } from "../kit/console.ts";
import { findServers, type LookupQuery } from "../kit/servers.ts";
import { entryToJson, formatServer } from "../kit/listing.ts";
import { printJson, printLine } from "../kit/output.ts";
import type { ClientOptions, OutputOptions } from "../kit/options.ts";

/** Options of {@linkcode lookup}. */
export interface LookupOptions extends ClientOptions, OutputOptions {}

/** Prints where servers are reached. */
export async function lookup(query: LookupQuery, options: LookupOptions): Promise<void> {
  const entries = await withConsole(options, (actors) => findServers(actors, query));
  if (options.json) return printJson(entries.map(entryToJson));
  for (const { id, addresses } of entries) printLine(formatServer(id, addresses));
}
