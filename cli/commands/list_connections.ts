/**
 * `gxensemble list-connections`.
 *
 * @module
 */
import { controlClient } from "../../runtime/ensemble/remote.ts";
import { formatAddressUrl } from "../../runtime/wire/address.ts";
import { withConsole } from "../kit/console.ts";
import { formatServer } from "../kit/listing.ts";
import { printJson, printLine } from "../kit/output.ts";
import type { ServerId } from "../../runtime/actor/references.ts";
import type { ClientOptions, OutputOptions } from "../kit/options.ts";

/** Options of {@linkcode listConnections}. */
export interface ListConnectionsOptions extends ClientOptions, OutputOptions {}

/** Prints the servers that a server is connected to. */
export async function listConnections(
  serverId: ServerId,
  options: ListConnectionsOptions,
): Promise<void> {
  const connections = await withConsole(
    options,
    (actors) => controlClient(actors, serverId).listConnections(),
  );
  if (options.json) {
    printJson(connections.map(({ peer, address }) => ({
      server: peer,
      address: formatAddressUrl(address),
    })));
  } else {
    for (const { peer, address } of connections) printLine(formatServer(peer, [address]));
  }
}
