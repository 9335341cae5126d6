/**
 * `gxensemble list-servers`.
 *
 * @module
 */
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { listServers as listAll, registryClient } from "../../runtime/ensemble/remote.ts";
import { compareEntries } from "../../runtime/server/registry_protocol.ts";
import { withConsole } from "../kit/console.ts";
import { entryToJson, formatServer } from "../kit/listing.ts";
import { printJson, printLine } from "../kit/output.ts";
import type { ClientOptions, OutputOptions } from "../kit/options.ts";

/** Options of {@linkcode listServers}. */
export interface ListServersOptions extends ClientOptions, OutputOptions {}

/** Prints the servers that the registry knows, and the registry. */
export async function listServers(options: ListServersOptions): Promise<void> {
  const entries = await withConsole(options, async (actors) => {
    const [servers, registry] = await Promise.all([
      listAll(actors),
      registryClient(actors).lookup({ id: REGISTRY_ID }),
    ]);
    return [...servers, ...registry ? [registry] : []].sort(compareEntries);
  });
  if (options.json) return printJson(entries.map(entryToJson));
  for (const { id, roles, addresses } of entries) printLine(formatServer(id, addresses, roles));
}
