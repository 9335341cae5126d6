import assert from "node:assert/strict";
import { LINUX, testWith } from "../requirements.ts";
import { RunningEnsemble, WAITING } from "./running_ensemble.ts";
import { RawPeer } from "../rogue_peer.ts";
import { type Address, localUnixAddress } from "../../runtime/wire/address.ts";

const ASKING = `
  import { ActorRef, currentServer } from "@gxensemble/ensemble";
  export async function main(peer: string): Promise<void> {
    const server = currentServer();
    const ref = new ActorRef(peer, "loader");
    server.spawn("watch", async (self) => {
      self.monitor(ref);
      await self.receive([{ type: "down", react: ({ reason }) => console.log("down", reason) }]);
    });
    await server.ask(ref, { type: "ping" });
    const expression = "new Promise(() => {})";
    console.log("asking");
    await server.ask(ref, { type: "evaluate", expression }, { timeout: Infinity })
      .catch((error) => console.log(error.name, error.message));
    await server.stopped;
  }
`;

Deno.test("a killed server is noticed by its peers, fails asks at once, and can be restarted", async () => {
  await using ensemble = await RunningEnsemble.start();
  const server = await ensemble.startServer("a");
  const file = await ensemble.write("asking.ts", ASKING);
  const peer = ensemble.spawn("run", "b", file, "a");
  await peer.logged(/is in the registry$/);
  await peer.printed("asking");
  server.signal("SIGKILL");
  assert.equal(await server.exit(), "SIGKILL");
  assert.match(await peer.printed("down"), /^down the connection to a was lost: /);
  assert.match(
    await peer.printed("DisconnectedError"),
    /^DisconnectedError the connection to a was lost: /,
  );

  // It left its socket and its entry. Neither hinders the next server.
  assert.deepEqual(ensemble.sockets(), ["a", "b", "registry"]);
  // Its peer and the registry notice its end independently of each other.
  await peer.until(
    async () => (await ensemble.lines("list-servers", "--state", "unreachable")).length === 1,
    "was unreachable",
  );
  assert.match(
    await ensemble.failure("ping", "a"),
    /^cannot reach a: it is unreachable: /,
  );
  await ensemble.startServer("a");
  assert.deepEqual(await ensemble.lines("ping", "a"), ["OK"]);
  assert.deepEqual(await ensemble.listed(), ["a", "b", "registry"]);
});

Deno.test("a killed registry restarts from its file, and the servers register again", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.run("cookie");
  const first = await ensemble.startRegistry();
  const servers = await Promise.all(["a", "b"].map((id) => ensemble.startServer(id)));
  await first.kill();
  await ensemble.startRegistry();
  // Acknowledged entries are there at once.
  assert.deepEqual(await ensemble.listed(), ["a", "b", "registry"]);
  for (const server of servers) {
    await server.logged(/WARN registration: the registry was lost; registering again/);
    await server.logged(/INFO registration: registered again/);
  }
  assert.deepEqual(await ensemble.listed(), ["a", "b", "registry"]);
  await ensemble.lines("shutdown", "a");
  assert.deepEqual(await ensemble.listed(), ["b", "registry"]);
});

Deno.test("servers register again with a registry that lost its entries", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.run("cookie");
  const first = await ensemble.startRegistry("--store", "memory:");
  const server = await ensemble.startServer("a", ["--roles", "web"]);
  first.signal("SIGTERM");
  assert.equal(await first.exit(), 0);
  await ensemble.startRegistry("--store", "memory:");
  await server.logged(/registered again/);
  assert.equal((await ensemble.lines("lookup", "--role", "web")).length, 1);
});

Deno.test("unauthenticated connections are closed with one log line each, without affecting others", async () => {
  await using ensemble = await RunningEnsemble.start();
  const server = await ensemble.startServer("a", ["-l", "tcp://127.0.0.1:0"]);
  const [, port] = await server.logged(/a listens at tcp:\/\/127\.0\.0\.1:(\d+)$/);
  const addresses: Address[] = [
    localUnixAddress(ensemble.socket("a")),
    { kind: "tcp", host: "127.0.0.1", port: Number(port) },
  ];
  let refused = 0;
  const refusal = async (pattern: RegExp) => {
    await server.logged(pattern);
    assert.equal(server.matching(/ WARN /).length, ++refused, server.log.join("\n"));
  };
  for (const address of addresses) {
    const from = address.kind === "unix" ? "unix:\\S+/a" : "tcp://127\\.0\\.0\\.1:\\d+";
    const line = (reason: string) =>
      new RegExp(`WARN server: refused a connection from ${from}: ${reason}`);
    {
      using peer = await RawPeer.connect(address);
      await peer.write(crypto.getRandomValues(new Uint8Array(5000)).fill(0xee, 0, 8));
      await peer.closed();
      await refusal(line("frame too large: 4008636142 bytes announced"));
    }
    {
      using peer = await RawPeer.connect(address);
      await peer.write(new Uint8Array([0, 0, 4, 1]));
      await peer.closed();
      await refusal(line("frame too large: 1025 bytes announced"));
    }
    {
      using peer = await RawPeer.connect(address);
      await peer.send(new TextEncoder().encode("\x01GXEN\x09 of the future"));
      assert.match(
        new TextDecoder().decode(await peer.receive()),
        /no protocol version in common: the client supports 9 /,
      );
      await peer.closed();
      await refusal(line("no protocol version in common: the client supports 9 "));
    }
    {
      using half = await RawPeer.connect(address);
      await half.write(new Uint8Array([0, 0, 0, 100, 1, 0x47]));
      // While it hangs there, all other servers continue.
      assert.deepEqual(await ensemble.lines("ping", "a"), ["OK"]);
    }
    await refusal(line("the peer closed the connection during the handshake"));
  }
  await ensemble.run("cookie", "-f");
  assert.match(
    await ensemble.failure("ping", "a"),
    /^cannot reach a: cannot reach registry: unix:\S+: authentication failed .* cookies differ$/,
  );
  // Without the registry, a command tries the server's own socket.
  await refusal(/refused a connection from unix:\S+\/a: authentication failed .* cookies differ$/);
  // Each of them has refused a connection, and has then read its cookie again.
  await server.until(() => ensemble.answers("a"), "reachable with the new cookie");
  await ensemble.startServer("c");
  server.signal("SIGTERM");
  assert.equal(await server.exit(), 0);
  const differing = server.matching(/ WARN server: .* their cookies differ$/).length;
  const others = server.matching(/ (WARN|ERROR) /).length - differing;
  assert.equal(others, refused - 1, server.log.join("\n"));
});

Deno.test("a socket directory that other users can enter is refused", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.run("cookie");
  await Deno.mkdir(ensemble.places.socketDirectory, { mode: 0o755 });
  assert.match(
    await ensemble.failure("registry"),
    /other users may enter \S+; make it private with: chmod 700/,
  );
});

/** Asserts that a failure names the suspended process, and says what to do. */
function assertNamesStopped(reason: string, id: string, { pid }: { pid: number }): void {
  const who = `${id} (pid ${pid} on host ${Deno.hostname()})`;
  const advice = `is stopped: continue it with kill -CONT ${pid}, or end it with kill -9 ${pid}`;
  assert.ok(reason.endsWith(`; ${who} ${advice}`), reason);
}

testWith([LINUX], {
  name: "commands name the process of a suspended server",
  async fn() {
    await using ensemble = await RunningEnsemble.start();
    const server = await ensemble.startServer("a");
    server.signal("SIGSTOP");
    await Promise.all([["ping", "a"], ["eval", "a", "1"], ["repl", "a"]].map(async (args) => {
      assertNamesStopped(await ensemble.failure(...args, "--timeout", "2"), "a", server);
    }));
    server.signal("SIGCONT");
    assert.deepEqual(await ensemble.lines("ping", "a"), ["OK"]);
  },
});

testWith([LINUX], {
  name: "a starting server names the process of a suspended registry",
  async fn() {
    await using ensemble = new RunningEnsemble();
    await ensemble.run("cookie");
    const registry = await ensemble.startRegistry();
    registry.signal("SIGSTOP");
    const file = await ensemble.write("main.ts", WAITING);
    const { code, stderr } = await ensemble.run("run", "b", file);
    assert.equal(code, 1);
    assertNamesStopped(stderr.trimEnd(), "registry", registry);
  },
});
