/**
 * A server that serves tunnels, as a supervisor does, and nothing else.
 *
 * Run as a program: `tunnelling_server.ts <id> <address to listen at>`.
 *
 * @module
 */
import "../../mod.ts";
import { startServer } from "../../runtime/ensemble/start_server.ts";
import { findPlaces } from "../../runtime/home/paths.ts";
import { SUPERVISOR_ROLE } from "../../supervisor/supervisor_protocol.ts";
import { serveTunnels } from "../../supervisor/tunnels.ts";

const [id, address] = Deno.args as [string, string];
const places = findPlaces();
await startServer(id, {
  roles: [SUPERVISOR_ROLE],
  listen: [address],
  announce: [address],
  prepare: (server) => serveTunnels(server, { socket: (id) => places.socket(id) }),
});
