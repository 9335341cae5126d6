/**
 * The process of the server that is asked. Run with a transport and a directory; prints `ready` and
 * its address.
 *
 * @module
 */
import type { Transport } from "./case.ts";
import { addressOf, startService } from "./ensemble_peer.ts";

const [transport, directory] = Deno.args as [Transport, string];
const server = await startService(transport, directory);
console.log(`ready ${addressOf(server)} .`);
await server.stopped;
