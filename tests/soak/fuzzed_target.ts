/**
 * The server to fuzz, in its own process: `fuzzed_target.ts <socket> <cookie in hex>`. Prints
 * `ready`.
 *
 * Its actor `echo` answers every request with the request, and its actor `memory` returns the size
 * of the process in bytes. Its actor `tunnels` is that of a supervisor: all tunnels lead to its own
 * socket.
 *
 * @module
 */
import { ActorServer } from "../../runtime/server/actor_server.ts";
import { serveTunnels } from "../../supervisor/tunnels.ts";
import { localUnixAddress } from "../../runtime/wire/address.ts";

const [socket, cookie] = Deno.args;
const server = await ActorServer.start({
  id: "target",
  cookies: [Uint8Array.fromHex(cookie!)],
  listen: [localUnixAddress(socket!)],
  registry: [],
  roles: [],
  register: false,
});
server.actors.serve("echo", { echo: (request: unknown) => request });
server.actors.serve("memory", { get: () => Deno.memoryUsage().rss });
serveTunnels(server, { socket: () => socket! });
console.log("ready");
await server.stopped;
