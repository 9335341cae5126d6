/**
 * The far side of the benchmark: a server with an echo and a counter, or a raw socket that echoes.
 *
 * Run with `ensemble <directory>` or `raw <socket path>`; prints `ready` once it listens.
 *
 * @module
 */
import { parseServerId } from "../../runtime/actor/server_id.ts";
import { ActorServer } from "../../runtime/server/actor_server.ts";
import { localUnixAddress } from "../../runtime/wire/address.ts";

const [kind, place] = Deno.args;

if (kind === "raw") {
  const listener = Deno.listen({ transport: "unix", path: place! });
  console.log("ready");
  const connection = await listener.accept();
  const buffer = new Uint8Array(64 * 1024);
  for (let count; (count = await connection.read(buffer)) !== null;) {
    for (let at = 0; at < count;) at += await connection.write(buffer.subarray(at, count));
  }
} else {
  const server = await ActorServer.start({
    id: parseServerId("peer"),
    cookie: new Uint8Array(32),
    listen: [localUnixAddress(`${place}/peer`)],
    registry: [],
    roles: [],
    register: false,
  });
  let received = 0;
  server.actors.serve("bench", {
    echo: ({ payload }: { payload: string }) => payload,
    count: () => void received++,
    received: () => received,
  });
  console.log("ready");
  await server.stopped;
}
