/**
 * The remote side of the benchmark: a server with an echo and a counter, or a raw socket that
 * echoes.
 *
 * Run with `ensemble <directory>`, `tls <directory>` or `raw <socket path>`. It prints `ready` and
 * its address once it listens.
 *
 * @module
 */
import { ActorServer } from "../../runtime/server/actor_server.ts";
import { type Address, formatAddressUrl, localUnixAddress } from "../../runtime/wire/address.ts";
import { readCredentials } from "./certificates.ts";

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
  const id = "peer";
  const listen: Address = kind === "tls"
    ? { kind, host: "127.0.0.1", port: 0 }
    : localUnixAddress(`${place}/peer`);
  const server = await ActorServer.start({
    id,
    cookie: new Uint8Array(32),
    tls: kind === "tls" ? await readCredentials(place!, id) : undefined,
    listen: [listen],
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
  console.log(`ready ${formatAddressUrl(server.entry.addresses[0]!)} .`);
  await server.stopped;
}
