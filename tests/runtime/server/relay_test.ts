/**
 * Another user of the host, who puts a relay where servers expect each other's sockets.
 *
 * @module
 */
import assert from "node:assert/strict";
import { DisconnectedError } from "../../../runtime/errors.ts";
import { registryClient } from "../../../runtime/server/registry_protocol.ts";
import { localUnixAddress } from "../../../runtime/wire/address.ts";
import { MadeAuthority } from "../wire/made_authority.ts";
import { CapturedLogs } from "./captured_logs.ts";
import { anyPort, LocalEnsemble } from "./local_ensemble.ts";
import { Proxy } from "./proxy.ts";

const authority = await MadeAuthority.create();
const target = "target";

/** A relay at a socket of its own directory, which passes all on to an address. */
class Relay implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "gx-" });
  /** How many connections it was given. */
  connections = 0;
  readonly #listener = Deno.listen({ transport: "unix", path: `${this.directory}/target` });
  readonly #streams: Deno.Conn[] = [];

  constructor(to: { host: string; port: number }) {
    void (async () => {
      for await (const near of this.#listener) {
        this.connections++;
        const far = await Deno.connect({ hostname: to.host, port: to.port });
        this.#streams.push(near, far);
        const pass = (from: Deno.Conn, to: Deno.Conn) =>
          from.readable.pipeTo(to.writable).catch(() => {});
        void pass(near, far);
        void pass(far, near);
      }
    })();
  }

  get address() {
    return localUnixAddress(`${this.directory}/target`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const stream of this.#streams) {
      try {
        stream.close();
      } catch {
        // It is closed already.
      }
    }
    await Deno.remove(this.directory, { recursive: true });
  }
}

async function withTarget() {
  const ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const server = await ensemble.start("target", { listen: [anyPort()] });
  const port = server.entry.addresses[0] as { host: string; port: number };
  return { ensemble, server, port };
}

for (
  const [what, open] of [
    ["that others may enter", (directory: string) => Deno.chmodSync(directory, 0o755)],
    ["of another user", (directory: string) => {
      Deno.chmodSync(directory, 0o700);
      Deno.chownSync(directory, 12_345, 12_345);
    }],
  ] as const
) {
  Deno.test({
    name: `no server connects to a relay in a directory ${what}, from any source of the address`,
    ignore: what === "of another user" && Deno.uid() !== 0,
    async fn() {
      const { ensemble, server, port } = await withTarget();
      await using _ = ensemble;
      await using relay = new Relay(port);
      open(relay.directory);
      const reason =
        /unix:\/.*\/target: .*(?:other users may enter|belongs to another user \(uid 12345\))/;
      const refuses = async (action: Promise<unknown>) =>
        await assert.rejects(action, (error) => {
          assert.ok(error instanceof DisconnectedError);
          assert.match(error.message, reason);
          return true;
        });
      // The registry hands it out.
      const entry = { ...server.entry, addresses: [relay.address] };
      await registryClient(server.actors).register({ entry });
      const console = await ensemble.startConsole();
      await refuses(console.connect(target));
      // In the place of the registry's own socket.
      await refuses(ensemble.start("other", { registry: [relay.address] }));
      // A certified console is no exception.
      const tls = await authority.credentials("console");
      const certified = await ensemble.start("console-3", { listen: [], register: false, tls });
      await refuses(certified.connect(target));
      assert.equal(relay.connections, 0);
    },
  });
}

Deno.test("a relay from a socket to a tcp port fails where the directory is this user's, too", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, server, port } = await withTarget();
  await using _ = ensemble;
  await using relay = new Relay(port);
  await registryClient(server.actors).register({
    entry: { ...server.entry, addresses: [relay.address] },
  });
  const console = await ensemble.startConsole();
  await assert.rejects(
    console.connect(target),
    /connected over unix, but the connection arrived over tcp: it was forwarded on the way$/,
  );
  assert.ok(relay.connections > 0);
  assert.equal(server.session(console.id), undefined);
  assert.match(logs.complaints.join(), /refused a connection from tcp:.* connected over unix/);
});

Deno.test("a relay from one socket to another is what the owner of both makes of it", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  await ensemble.start("target");
  await using way = await Proxy.start({
    at: ensemble.socket("way"),
    target: ensemble.socket("target"),
  });
  const console = await ensemble.startConsole();
  await console.connect(target, [way.address]);
  assert.deepEqual(LocalEnsemble.peers(console), [target]);
});
