/**
 * `gxensemble list-servers`.
 *
 * @module
 */
import { listServers as listAll } from "../../runtime/ensemble/remote.ts";
import { withConsole } from "../console.ts";
import { entryToJson, formatServer } from "../listing.ts";
import { printJson, printLine } from "../output.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";

/** Options of {@linkcode listServers}. */
export interface ListServersOptions extends ClientOptions, OutputOptions {}

/** Prints the servers that the registry knows. */
export async function listServers(options: ListServersOptions): Promise<void> {
  const entries = await withConsole(options, (actors) => listAll(actors));
  if (options.json) return printJson(entries.map(entryToJson));
  for (const { id, roles, addresses } of entries) printLine(formatServer(id, addresses, roles));
}
