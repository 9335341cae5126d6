import assert from "node:assert/strict";
import { controlClient } from "../../runtime/ensemble/remote.ts";
import { ActorError, DisconnectedError } from "../../runtime/errors.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import { MAX_TUNNEL_PART, tunnelsClient } from "../../supervisor/tunnels_protocol.ts";
import { openTunnel } from "../../supervisor/tunnel_stream.ts";
import { HIGH_WATER_MARK } from "../../runtime/wire/limits.ts";
import { serveTunnels } from "../../supervisor/tunnels.ts";
import { rogueBody, RoguePeer } from "../rogue_peer.ts";
import {
  AdministeredEnsemble,
  administratorFingerprint,
  elevated,
  granted,
} from "../runtime/server/administered_ensemble.ts";
import { CapturedLogs } from "../runtime/server/captured_logs.ts";
import { MadeAuthority } from "../runtime/wire/made_authority.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { anyPort, LocalEnsemble, refTo } from "../runtime/server/local_ensemble.ts";
import { portOf, startSupervisor, startThrough, SUPERVISOR_ID } from "./tunnelled_host.ts";

async function withHost(options: Parameters<typeof startSupervisor>[1] = {}) {
  const ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const supervisor = await startSupervisor(ensemble, options);
  const target = await ensemble.start("target");
  target.serve("echo", { give: ({ value }: { value: unknown }) => value });
  return { ensemble, supervisor, target };
}

function give<Value>(client: ActorServer, value: Value): Promise<Value> {
  return client.ask<Value>(refTo("target", "echo"), { type: "give", value }, { timeout: 60_000 });
}

Deno.test("a client reaches a server through its supervisor", async () => {
  const { ensemble, target } = await withHost();
  await using _ = ensemble;
  const client = await startThrough(ensemble);
  assert.equal(await give(client, "hello"), "hello");
  assert.equal(target.session(client.id)?.via, SUPERVISOR_ID);
  assert.equal(client.session("target")?.via, SUPERVISOR_ID);
  assert.deepEqual(target.session(client.id)?.binding, client.session("target")?.binding);
});

Deno.test("a client reaches a server through its supervisor when the registry has ended", async () => {
  const ensemble = new LocalEnsemble();
  await using _ = ensemble;
  const registry = await ensemble.startRegistry();
  const supervisor = await startSupervisor(ensemble);
  const target = await ensemble.start("target", { register: false });
  target.serve("echo", { give: ({ value }: { value: unknown }) => value });
  await ensemble.stop(registry);
  const known = new Map([[SUPERVISOR_ID, [portOf(supervisor)]]]);
  const client = await startThrough(ensemble, { known });
  assert.equal(await give(client, "hello"), "hello");
});

Deno.test("a client reaches the registry through the supervisor if there is no other way", async () => {
  const { ensemble, supervisor } = await withHost();
  await using _ = ensemble;
  const client = await startThrough(ensemble, {
    registry: [{ kind: "tcp", host: "127.0.0.1", port: 1 }],
    known: new Map([[SUPERVISOR_ID, [portOf(supervisor)]]]),
  });
  assert.equal(await give(client, "hello"), "hello");
  await client.connect("registry");
  assert.equal(client.session("registry")?.via, SUPERVISOR_ID);
});

Deno.test("a large message goes through a tunnel in both directions, and many small ones beside it", async () => {
  const { ensemble } = await withHost();
  await using _ = ensemble;
  const client = await startThrough(ensemble);
  const large = new Uint8Array(10_000_000).map((_, i) => i * 7);
  const small = Array.from({ length: 500 }, (_, i) => i);
  const [back, ...others] = await Promise.all([
    give(client, large),
    ...small.map((each) => give(client, each)),
  ]);
  assert.deepEqual(back, large);
  assert.deepEqual(others, small);
});

Deno.test("the error names the supervisor when a server does not listen on its host", async () => {
  const { ensemble } = await withHost();
  await using _ = ensemble;
  const client = await startThrough(ensemble);
  await assert.rejects(client.connect("nosuch"), (error: Error) => {
    assert.ok(error instanceof DisconnectedError);
    assert.match(
      error.message,
      /^cannot reach nosuch: through supervisor-host1: no server nosuch listens on its host: unix:\/\S+\/nosuch: no such socket$/,
    );
    return true;
  });
});

Deno.test("the error names the supervisor when it ends", async () => {
  const { ensemble, supervisor, target } = await withHost();
  await using _ = ensemble;
  target.serve("silent", { wait: () => new Promise(() => {}) });
  const client = await startThrough(ensemble);
  const waiting = client.ask(refTo("target", "silent"), { type: "wait" }, { timeout: 60_000 });
  await give(client, 1);
  await Promise.all([
    assert.rejects(waiting, (error: Error) => {
      assert.ok(error instanceof DisconnectedError, Deno.inspect(error));
      assert.match(error.message, /target.*the tunnel through supervisor-host1 has ended: /);
      return true;
    }),
    ensemble.stop(supervisor),
  ]);
});

Deno.test("a server that ends closes the tunnel as it closes a connection", async () => {
  const { ensemble, target } = await withHost();
  await using _ = ensemble;
  const client = await startThrough(ensemble);
  await give(client, 1);
  await ensemble.stop(target);
  await assert.rejects(give(client, 2), /cannot reach target: through supervisor-host1: no server/);
});

Deno.test("no tunnel leads to a path, or to the supervisor itself", async () => {
  const { ensemble } = await withHost();
  await using _ = ensemble;
  const client = await startThrough(ensemble);
  const tunnels = tunnelsClient(client.actors, SUPERVISOR_ID);
  for (const server of ["../target", "a/b", ".", "..", "", "/etc/passwd", "a\0b", "a".repeat(65)]) {
    await assert.rejects(tunnels.open({ server }), (error: Error) => {
      assert.ok(error instanceof ActorError);
      assert.match(error.message, /^not a server id|^not a request open/);
      return true;
    });
  }
  await assert.rejects(
    tunnels.open({ server: SUPERVISOR_ID }),
    /supervisor-host1 is the supervisor itself, and needs no tunnel/,
  );
});

Deno.test("no tunnel leads through another", async () => {
  const ensemble = new LocalEnsemble();
  await using _ = ensemble;
  await ensemble.startRegistry();
  await startSupervisor(ensemble);
  await startSupervisor(ensemble, {
    id: "supervisor-host2",
    listen: [ensemble.socket("supervisor-host2")],
  });
  await ensemble.start("target");
  const client = await startThrough(ensemble);
  await assert.rejects(
    openTunnel(client.actors, { supervisor: "supervisor-host2", server: "target" }),
    /^ActorError: through supervisor-host2: a tunnel does not lead to another: connect to supervisor-host2 without supervisor-host1$/,
  );
});

Deno.test("a server that is no supervisor refuses a tunnel", async () => {
  const { ensemble } = await withHost();
  await using _ = ensemble;
  await ensemble.start("plain");
  const client = await startThrough(ensemble, { supervisor: "plain" });
  await assert.rejects(
    client.connect("target"),
    /^DisconnectedError: cannot reach target: plain is not a host's supervisor: list them with gxensemble lookup --role supervisor$/,
  );
});

Deno.test("a tunnel belongs to the connection that opened it", async () => {
  const { ensemble } = await withHost();
  await using _ = ensemble;
  const [client, other] = [await startThrough(ensemble), await startThrough(ensemble)];
  const { tunnel } = await tunnelsClient(client.actors, SUPERVISOR_ID).open({ server: "target" });
  const stranger = tunnelsClient(other.actors, SUPERVISOR_ID);
  const unknown = /there is no such tunnel, or it has ended/;
  await assert.rejects(stranger.read({ tunnel }), unknown);
  await assert.rejects(stranger.write({ tunnel, bytes: new Uint8Array(1) }), unknown);
  await assert.rejects(stranger.end({ tunnel }), unknown);
  await stranger.close({ tunnel });
  // It is still open.
  await tunnelsClient(client.actors, SUPERVISOR_ID).write({ tunnel, bytes: new Uint8Array(1) });
});

Deno.test("a peer with the cookie and the id of a server is refused through a tunnel", async () => {
  const { ensemble } = await withHost();
  await using _ = ensemble;
  const client = await startThrough(ensemble);
  for (const id of ["web1", "registry", "target"]) {
    const stream = await openTunnel(client.actors, {
      supervisor: SUPERVISOR_ID,
      server: "target",
    });
    await assert.rejects(
      RoguePeer.over(stream, { cookie: ensemble.cookie, id }),
      /only commands and/,
    );
  }
});

Deno.test("a client through a tunnel never replaces one that is connected", async () => {
  const { ensemble, target } = await withHost();
  await using _ = ensemble;
  const direct = await ensemble.startConsole("console-1");
  await direct.connect("target");
  const before = target.session("console-1");
  const client = await startThrough(ensemble);
  const stream = await openTunnel(client.actors, { supervisor: SUPERVISOR_ID, server: "target" });
  const rogue = RoguePeer.over(stream, { cookie: ensemble.cookie, id: "console-1" });
  await assert.rejects(rogue, /console-1 is connected with target/);
  assert.equal(target.session("console-1"), before);
  assert.equal(before?.ended, false);
});

Deno.test("a tunnel takes the capability supervisor, and both servers audit what is done", async () => {
  using logs = await CapturedLogs.start();
  const ensemble = new AdministeredEnsemble();
  await using _ = ensemble;
  await ensemble.startRegistry();
  const supervisor = await startSupervisor(ensemble);
  const vault = await ensemble.startVault("target");
  const client = await startThrough(ensemble);
  await assert.rejects(
    client.connect("target"),
    /through supervisor-host1: console-\S+ is not authorized for tunnel in supervisor-host1: it takes the capability supervisor/,
  );
  await elevated(client, supervisor, "supervisor");
  assert.deepEqual(await granted(client, vault), []);
  await elevated(client, vault, "loader");
  assert.deepEqual(await granted(client, vault), ["loader"]);
  const who = `who=admin:${await administratorFingerprint()} client=${client.id}`;
  const instance = /who=instance:[0-9a-f]{16}/;
  assert.deepEqual(
    logs.matching(/ audit: /).map((line) => line.replace(instance, "who=instance")),
    [
      `WARN audit: tunnel refused who=instance client=${client.id} transport=tcp target=target`,
      `INFO audit: elevation allowed ${who} transport=tcp capabilities=supervisor`,
      `INFO audit: tunnel allowed ${who} transport=tcp target=target`,
      `INFO audit: elevation allowed ${who} transport=unix via=supervisor-host1 capabilities=loader`,
    ],
  );
  // It is taken away: what is open ends, too.
  await controlClient(supervisor.actors, SUPERVISOR_ID).retract({ server: client.id });
  await assert.rejects(granted(client, vault), /has lost the capability supervisor/);
});

Deno.test("a client through a tunnel has no capability by its id", async () => {
  const ensemble = new AdministeredEnsemble();
  await using _ = ensemble;
  await ensemble.startRegistry();
  const supervisor = await startSupervisor(ensemble);
  const vault = await ensemble.start("target", {
    capabilities: { "console-1": ["loader"] },
    prepare: ({ actors }) =>
      void actors.serve("vault", {
        may: ({ capability }: { capability: string }, context) => context.authorized(capability),
      }),
  });
  const direct = await ensemble.startRogue("console-1");
  assert.deepEqual(await granted(direct, vault), ["loader"]);
  await ensemble.stop(direct);
  const client = await startThrough(ensemble, { id: "console-1" });
  await elevated(client, supervisor, "supervisor");
  assert.deepEqual(await granted(client, vault), []);
});

Deno.test("over tls the console's certificate opens a tunnel, and gives nothing behind it", async () => {
  const authority = await MadeAuthority.create();
  const ensemble = new AdministeredEnsemble();
  await using _ = ensemble;
  await ensemble.startRegistry();
  const supervisor = await startSupervisor(ensemble, {
    listen: [{ ...anyPort(), kind: "tls" } as Address],
    tls: await authority.credentials(SUPERVISOR_ID),
  });
  const vault = await ensemble.startVault("target");
  const start = async (...capabilities: string[]) => {
    const uris = capabilities.map((each) => `cap:${each}`);
    const tls = await authority.credentials("console", { uris });
    return await startThrough(ensemble, { tls });
  };
  const without = await start("loader");
  await assert.rejects(
    without.connect("target"),
    /is not authorized for tunnel in supervisor-host1: it takes the capability supervisor/,
  );
  const client = await start("supervisor", "loader");
  assert.equal(client.session(SUPERVISOR_ID)?.address.kind, "tls");
  assert.deepEqual(await granted(client, vault), []);
  assert.equal(vault.session(client.id)?.certified, undefined);
  assert.deepEqual([...supervisor.session(client.id)!.capabilities].sort(), [
    "loader",
    "supervisor",
  ]);
});

Deno.test("a supervisor cannot pass another server, or another instance, off as the one wanted", async () => {
  const ensemble = new AdministeredEnsemble();
  await using _ = ensemble;
  await ensemble.startRegistry();
  await ensemble.start("target");
  await ensemble.start("other");
  await ensemble.startRogue("target", { listen: [ensemble.socket("impostor")] });
  const tries = [
    ["other", /through liar: this is server other, not target$/],
    ["impostor", /through liar: another instance is registered as target/],
  ] as const;
  for (const [socket, reason] of tries) {
    const liar = await startSupervisor(ensemble, {
      id: "liar",
      prepare: (server) =>
        serveTunnels(server, { socket: () => `${ensemble.directory}/${socket}` }),
    });
    const client = await startThrough(ensemble, { supervisor: "liar" });
    await elevated(client, liar, "supervisor");
    await assert.rejects(client.connect("target"), reason);
    await ensemble.stop(client);
    await ensemble.stop(liar);
  }
});

/** A socket in place of that of a server, which the test reads and writes. */
async function withSocket(options: Parameters<typeof startSupervisor>[1] = {}) {
  const { ensemble, supervisor } = await withHost(options);
  const listener = Deno.listen({ transport: "unix", path: `${ensemble.directory}/raw` });
  const rogue = await RoguePeer.join(portOf(supervisor), {
    cookie: ensemble.cookie,
    id: "console-1",
  });
  const tunnels = (request: Record<string, unknown>) => rogue.ask("tunnels", request);
  const [{ message }, socket] = await Promise.all([
    tunnels({ type: "open", server: "raw" }),
    listener.accept(),
  ]);
  const { tunnel } = message as { tunnel: number };
  return {
    supervisor,
    rogue,
    tunnels,
    tunnel,
    socket,
    async [Symbol.asyncDispose]() {
      rogue[Symbol.dispose]();
      socket.close();
      listener.close();
      await ensemble[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a supervisor takes no more from a server than its client has room for", async () => {
  await using raw = await withSocket();
  const { rogue, supervisor, socket, tunnel } = raw;
  let written = 0;
  const flood = (async () => {
    const part = new Uint8Array(MAX_TUNNEL_PART);
    while (true) written += await socket.write(part);
  })().catch(() => {});
  // It asks on and on, and reads no answer.
  let most = 0;
  const count = 600;
  for (let i = 0; i < count; i++) {
    const body = rogueBody({ type: "read", tunnel });
    await rogue.sendEnvelope({ dest: "tunnels", nonce: 1_000 + 2 * i, replyExpected: true }, body);
    await new Promise((resolve) => setTimeout(resolve));
    const [client] = supervisor.connections().filter(({ peer }) => peer === rogue.id);
    most = Math.max(most, client!.waiting);
  }
  assert.ok(most > 0, "the client read all");
  // The rest are the refusals of further requests.
  assert.ok(most <= HIGH_WATER_MARK + 6 * MAX_TUNNEL_PART, `${most} bytes waited`);
  assert.ok(written < count * MAX_TUNNEL_PART, `${written} bytes were taken`);
  rogue[Symbol.dispose]();
  await flood;
});

Deno.test("a supervisor takes no more from its client than the server has room for", async () => {
  await using raw = await withSocket();
  const { rogue, supervisor, tunnel } = raw;
  const bytes = new Uint8Array(MAX_TUNNEL_PART);
  for (let i = 0; i < 40; i++) {
    await rogue.sendEnvelope(
      { dest: "tunnels", nonce: 1_000 + 2 * i, replyExpected: true },
      rogueBody({ type: "write", tunnel, bytes }),
    );
  }
  // Those that it has no room for are refused while the others wait.
  const refused = await rogue.receiveEnvelope();
  for (let next = refused;; next = await rogue.receiveEnvelope()) {
    if (!next!.failed) continue;
    assert.match(Deno.inspect(next!.message), /too many bytes at once/);
    break;
  }
  assert.ok(supervisor.connections().length > 0);
});

Deno.test("a request to write that is too large or has no bytes is refused", async () => {
  await using raw = await withSocket();
  for (const bytes of [new Uint8Array(MAX_TUNNEL_PART + 1), new Uint8Array(), "text", undefined]) {
    const answer = await raw.tunnels({ type: "write", tunnel: raw.tunnel, bytes });
    assert.equal(answer.failed, true);
    assert.match(Deno.inspect(answer.message), /not a request write: bytes/);
  }
});

Deno.test("a supervisor has so many tunnels of one client, and no more", async () => {
  await using raw = await withSocket();
  const { tunnels } = raw;
  const open = () => tunnels({ type: "open", server: "target" });
  for (let i = 1; i < 512; i++) assert.equal((await open()).failed, false);
  assert.match(Deno.inspect((await open()).message), /512 tunnels are open already/);
  await tunnels({ type: "close", tunnel: raw.tunnel });
  assert.equal((await open()).failed, false);
});

Deno.test("a tunnel that is not used is closed", async () => {
  await using raw = await withSocket({ idleTimeout: 50 });
  assert.equal(await raw.socket.read(new Uint8Array(1)), null);
  const answer = await raw.tunnels({ type: "read", tunnel: raw.tunnel });
  assert.match(Deno.inspect(answer.message), /there is no such tunnel, or it has ended/);
});

Deno.test("the tunnels of a client end with its connection", async () => {
  await using raw = await withSocket();
  raw.rogue[Symbol.dispose]();
  assert.equal(await raw.socket.read(new Uint8Array(1)), null);
});

Deno.test("what one end has closed, the other still writes to", async () => {
  await using raw = await withSocket();
  const { tunnels, tunnel, socket } = raw;
  await tunnels({ type: "write", tunnel, bytes: new Uint8Array([1, 2]) });
  await tunnels({ type: "end", tunnel });
  const buffer = new Uint8Array(10);
  assert.equal(await socket.read(buffer), 2);
  assert.equal(await socket.read(buffer), null);
  await socket.write(new Uint8Array([3]));
  await socket.closeWrite();
  assert.deepEqual((await tunnels({ type: "read", tunnel })).message, new Uint8Array([3]));
  assert.deepEqual((await tunnels({ type: "read", tunnel })).message, new Uint8Array());
});
