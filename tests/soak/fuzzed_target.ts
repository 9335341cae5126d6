/**
 * The server that is fuzzed, in a process of its own: `fuzzed_target.ts <socket> <cookie in hex>`. Says `ready`.
 *
 * Its actor `echo` answers any request with itself, its actor `memory` says how many bytes the process has.
 *
 * @module
 */
import { ActorServer } from "../../runtime/server/actor_server.ts";
import { localUnixAddress } from "../../runtime/wire/address.ts";

const [socket, cookie] = Deno.args;
const server = await ActorServer.start({
  id: "target",
  cookie: Uint8Array.fromHex(cookie!),
  listen: [localUnixAddress(socket!)],
  registry: [],
  roles: [],
  register: false,
});
server.actors.serve("echo", { echo: (request: unknown) => request });
server.actors.serve("memory", { get: () => Deno.memoryUsage().rss });
console.log("ready");
await server.stopped;
