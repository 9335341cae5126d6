/**
 * A host with a supervisor: its servers listen only at UNIX sockets, and clients elsewhere reach only
 * the supervisor, over tcp.
 *
 * @module
 */
import { serveTunnels, type TunnelsOptions } from "../../supervisor/tunnels.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import type { ActorServerOptions } from "../../runtime/server/actor_server_options.ts";
import { openTunnel } from "../../supervisor/tunnel_stream.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { anyPort, type LocalEnsemble } from "../runtime/server/local_ensemble.ts";

/** The id of the supervisor. */
export const SUPERVISOR_ID = "supervisor-host1";

/** Starts the supervisor of an ensemble, with a tcp port. */
export function startSupervisor(
  ensemble: LocalEnsemble,
  { id = SUPERVISOR_ID, idleTimeout, ...options }:
    & Partial<ActorServerOptions>
    & Partial<TunnelsOptions> = {},
): Promise<ActorServer> {
  return ensemble.start(id, {
    listen: [anyPort()],
    prepare: (server) =>
      serveTunnels(server, {
        socket: (id) => `${ensemble.directory}/${id}`,
        ...idleTimeout !== undefined && { idleTimeout },
      }),
    ...options,
  });
}

/** The port of a server. */
export function portOf(server: ActorServer): Address {
  return server.entry.addresses.find(({ kind }) => kind !== "unix")!;
}

/** Starts a client that reaches everything through the supervisor, as a command with `-s` does. */
export async function startThrough(
  ensemble: LocalEnsemble,
  { id = `console-${crypto.randomUUID().slice(0, 8)}`, supervisor = SUPERVISOR_ID, ...options }:
    & Partial<ActorServerOptions>
    & { readonly supervisor?: string } = {},
): Promise<ActorServer> {
  const client = await ensemble.start(id, { listen: [], register: false, ...options });
  await client.connect(supervisor);
  goThrough(client, supervisor);
  return client;
}

/** Has a client reach other servers through a supervisor. */
export function goThrough(client: ActorServer, supervisor: string): void {
  client.goThrough({
    supervisor,
    open: (server) => openTunnel(client.actors, { supervisor, server }),
  });
}
