import assert from "node:assert/strict";
import type { HandlerContext } from "../../../runtime/actor/handler_context.ts";
import { REGISTRY_ID } from "../../../runtime/actor/references.ts";
import { controlClient, ping, shutDownServer } from "../../../runtime/ensemble/remote.ts";
import { registryClient } from "../../../runtime/server/registry_protocol.ts";
import type { ActorServer } from "../../../runtime/server/actor_server.ts";
import type { ActorServerOptions } from "../../../runtime/server/actor_server_options.ts";
import type { Address } from "../../../runtime/wire/address.ts";
import { RoguePeer } from "../../rogue_peer.ts";
import { MadeAuthority, MadeCredentials } from "../wire/made_authority.ts";
import { AdministeredEnsemble, elevated, granted } from "./administered_ensemble.ts";
import { CapturedLogs, eventually } from "./captured_logs.ts";
import { anyPort, LocalEnsemble, refTo } from "./local_ensemble.ts";

const authority = await MadeAuthority.create();

function tlsPort(): Address {
  return { ...anyPort(), kind: "tls" } as Address;
}

/** Where a server listens over tls. */
function portOf(server: ActorServer): Address {
  return server.entry.addresses.find(({ kind }) => kind === "tls")!;
}

/** An ensemble with a server `target` that is reached over tls, and its own certificate. */
async function withTarget(options: Partial<ActorServerOptions> = {}) {
  const ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const credentials = await authority.credentials("target");
  const target = await ensemble.start("target", {
    tls: credentials,
    listen: [tlsPort()],
    prepare: ({ actors }) =>
      void actors.serve("vault", {
        may: ({ capability }: { capability: string }, context: HandlerContext) =>
          context.authorized(capability),
      }),
    ...options,
  });
  return { ensemble, target, credentials };
}

Deno.test("servers speak tls without the cookie, and say so", async () => {
  const { ensemble, target } = await withTarget();
  await using _ = ensemble;
  const peer = await ensemble.startRogue("peer", {
    cookies: [new Uint8Array(32).fill(1)],
    tls: await authority.credentials("peer"),
  });
  await peer.connect(target.id, [portOf(target)]);
  await ping(peer.actors, target.id);
  assert.deepEqual(peer.connections().map(({ address }) => address.kind), ["tls"]);
  await eventually(() => target.session(peer.id), "the peer is in");
  assert.equal(target.session(peer.id)!.address.kind, "tls");
  assert.equal(target.session(peer.id)!.certified!.id, "peer");
});

Deno.test("a certificate of client stands for the ids of all clients", async () => {
  const { ensemble, target } = await withTarget();
  await using _ = ensemble;
  const tls = await authority.credentials("client");
  for (const id of ["client-1", "client-2"]) {
    const client = await ensemble.start(id, { tls });
    await client.connect(target.id, [portOf(target)]);
    await eventually(() => target.session(client.id), `${id} is in`);
    assert.equal(target.session(client.id)!.certified!.id, "client");
  }
});

const IMPOSTORS: [what: string, id: string, certificate: string, uris: string[], why: RegExp][] = [
  ["another server's certificate", "peer", "other", [], /claims the id peer, but .* for other$/],
  ["two names", "peer", "peer", ["srv:other"], /names 2 servers/],
  ["a console's id", "console-1", "peer", [], /claims the id console-1, but .* for peer$/],
  ["a console's certificate", "peer", "console", [], /claims the id peer, but .* for console$/],
  ["an id that only begins so", "consoles", "console", [], /is for console$/],
  ["a client's id and a console's certificate", "client-1", "console", [], /is for console$/],
  ["a client's certificate", "console-1", "client", [], /is for client$/],
  ["the registry's id", REGISTRY_ID, "peer", [], /claims the id registry, but .* for peer$/],
  ["the target's own id", "target", "target", [], /which is this server's own$/],
  ["a capability that is none", "peer", "peer", ["cap:"], /./],
];
for (const [what, id, certificate, uris, why] of IMPOSTORS) {
  Deno.test(`no client gets in over tls with ${what}`, async () => {
    using logs = await CapturedLogs.start();
    const { ensemble, target } = await withTarget();
    await using _ = ensemble;
    const impostor = await ensemble.startRogue(id, {
      registry: [],
      tls: await authority.credentials(certificate, { uris }),
    });
    const given = id === "target" ? "elsewhere" : target.id;
    await assert.rejects(impostor.connect(given, [portOf(target)]));
    if (id === "target") return;
    await eventually(() => logs.matching(/refused a connection from tls:/).length > 0, "the log");
    assert.match(logs.matching(/refused a connection from tls:/)[0]!, why);
    assert.deepEqual(LocalEnsemble.peers(target), [REGISTRY_ID]);
  });
}

Deno.test("no server is taken for another over tls, and none for a console", async () => {
  await using ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const client = await ensemble.startRogue("client", {
    tls: await authority.credentials("client"),
  });
  for (const [id, certificate] of [["target", "other"], ["console-1", "target"]] as const) {
    const impostor = await ensemble.start(id, {
      listen: [tlsPort()],
      tls: await authority.credentials(certificate),
    });
    await assert.rejects(
      client.connect(impostor.id),
      new RegExp(`claims the id ${id}, but its certificate is for ${certificate}$`),
    );
  }
});

Deno.test("a revoked certificate is refused for new connections; open ones continue", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, target, credentials } = await withTarget();
  await using _ = ensemble;
  const { chain, key, roots, serial } = await authority.issue("peer");
  const tls = new MadeCredentials({ chain, key, roots });
  const peer = await ensemble.startRogue("peer", { tls });
  await peer.connect(target.id);
  credentials.revoked.add(serial);
  await ping(peer.actors, target.id);
  await ensemble.stop(peer);
  const again = await ensemble.startRogue("peer", { tls });
  await assert.rejects(
    again.connect(target.id),
    new RegExp(`the certificate of peer was revoked \\(serial ${serial}\\)$`),
  );
  assert.ok(logs.matching(/refused .* was revoked/).length > 0);
  // With a new one it is back.
  tls.change(await authority.issue("peer"));
  await again.connect(target.id);
});

Deno.test("a certificate's capabilities hold over tls, and nowhere else", async () => {
  const { ensemble, target } = await withTarget({
    listen: [tlsPort(), anyPort()],
  });
  await using _ = ensemble;
  const plain = target.entry.addresses.find(({ kind }) => kind === "tcp")!;
  const tls = await authority.credentials("console", { uris: ["cap:shutdown"] });
  const console = await ensemble.startRogue("console-1", { tls });
  await console.connect(target.id, [portOf(target)]);
  assert.deepEqual(await granted(console, target), ["shutdown"]);
  await ensemble.stop(console);
  const uncertain = await ensemble.startRogue("console-1", { tls });
  await uncertain.connect(target.id, [plain]);
  assert.deepEqual(await granted(uncertain, target), []);
  const admin = await ensemble.startRogue("boss", {
    tls: await authority.credentials("boss", { uris: ["cap:admin"] }),
  });
  await admin.connect(target.id, [portOf(target)]);
  assert.deepEqual(await granted(admin, target), ["admin", "loader", "shutdown"]);
});

Deno.test("capabilities granted over tls belong to the certified id, and not to holders of the cookie", async () => {
  const { ensemble, target } = await withTarget({ listen: [tlsPort(), anyPort()] });
  await using _ = ensemble;
  const plain = target.entry.addresses.find(({ kind }) => kind === "tcp")!;
  const console = await ensemble.startRogue("boss");
  await console.connect(target.id, [plain]);
  await elevated(console, target, "admin");
  const tls = await authority.credentials("delegate");
  const delegate = await ensemble.start("delegate", { tls });
  await controlClient(console.actors, target.id).authorize({
    server: delegate.id,
    capabilities: ["shutdown"],
  });
  await delegate.connect(target.id, [portOf(target)]);
  assert.deepEqual(await granted(delegate, target), ["shutdown"]);
  await ensemble.stop(delegate);

  const restarted = await ensemble.start("delegate", { tls });
  await restarted.connect(target.id, [portOf(target)]);
  assert.deepEqual(await granted(restarted, target), ["shutdown"]);
  await ensemble.stop(restarted);

  const rogue = await ensemble.startRogue("delegate");
  await rogue.connect(target.id, [plain]);
  assert.deepEqual(await granted(rogue, target), []);
});

Deno.test("capabilities granted to one console do not apply to others with the same certificate", async () => {
  const { ensemble, target } = await withTarget({ listen: [tlsPort(), anyPort()] });
  await using _ = ensemble;
  const boss = await ensemble.startRogue("boss", {
    tls: await authority.credentials("boss", { uris: ["cap:admin"] }),
  });
  await boss.connect(target.id, [portOf(target)]);
  const tls = await authority.credentials("console");
  const one = await ensemble.start("console-1", { tls });
  await controlClient(boss.actors, target.id).authorize({
    server: one.id,
    capabilities: ["admin"],
  });
  await one.connect(target.id, [portOf(target)]);
  assert.deepEqual(await granted(one, target), ["admin", "loader", "shutdown"]);
  await ensemble.stop(one);
  const two = await ensemble.startRogue("console-1", { tls });
  await two.connect(target.id, [portOf(target)]);
  assert.deepEqual(await granted(two, target), []);
});

Deno.test("between servers with certificates tls is never given up for tcp", async () => {
  const { ensemble, target } = await withTarget({ listen: [anyPort(), tlsPort()] });
  await using _ = ensemble;
  const [plain, tls] = target.entry.addresses as [Address & { kind: "tcp" }, Address];
  const peer = await ensemble.startRogue("peer", { tls: await authority.credentials("peer") });
  // As announced: tcp first.
  await peer.connect(target.id);
  assert.deepEqual(peer.session(target.id)!.address, tls);
  await ensemble.stop(peer);

  const again = await ensemble.startRogue("peer", { tls: await authority.credentials("peer") });
  // No listener, one without a certificate, one with that of another server.
  const closed = { ...plain, kind: "tls", port: 1 } as Address;
  const unencrypted = { ...plain, kind: "tls" } as Address;
  const other = await ensemble.start("other", {
    tls: await authority.credentials("other"),
    listen: [tlsPort()],
    register: false,
  });
  for (const bad of [closed, unencrypted, portOf(other)]) {
    const entry = { ...target.entry, addresses: [plain, bad] };
    await registryClient(target.actors).register({ entry });
    await assert.rejects(
      again.connect(target.id, entry.addresses),
      /; tcp:\/\/127\.0\.0\.1:\d+: not tried, since it is also reachable over tls/,
    );
    assert.equal(again.session(target.id), undefined);
  }
  // Nor when tls is what was given, and tcp what the registry says.
  await registryClient(target.actors).register({ entry: { ...target.entry, addresses: [plain] } });
  await assert.rejects(
    again.connect(target.id, [closed]),
    /; tcp:\/\/127\.0\.0\.1:\d+: not tried, since it is also reachable over tls/,
  );

  // Who has no certificate has no tls to give up.
  const without = await ensemble.startRogue("without");
  await without.connect(target.id);
  assert.equal(without.session(target.id)!.address.kind, "tcp");
});

Deno.test("a holder of the cookie can neither keep a certified server out, nor push it out", async () => {
  const { ensemble, target } = await withTarget({ listen: [tlsPort(), anyPort()] });
  await using _ = ensemble;
  const plain = target.entry.addresses.find(({ kind }) => kind === "tcp")!;
  const rogue = await ensemble.startRogue("peer");
  await rogue.connect(target.id, [plain]);
  await eventually(() => target.session(rogue.id), "the other is in");
  assert.equal(target.session(rogue.id)!.certified, undefined);
  const peer = await ensemble.startRogue("peer", { tls: await authority.credentials("peer") });
  await peer.connect(target.id, [portOf(target)]);
  await eventually(() => target.session(peer.id)?.certified?.id === "peer", "it is in");
  await eventually(() => rogue.session(target.id) === undefined, "the other is out");
  await assert.rejects(
    rogue.connect(target.id, [plain]),
    /another instance of peer, [0-9a-f]{16}, is connected with target/,
  );
  await ping(peer.actors, target.id);
});

Deno.test("a certificate counts for more than what the registry says of an id", async () => {
  const { ensemble, target } = await withTarget();
  await using _ = ensemble;
  using rogue = await RoguePeer.join(ensemble.socket(REGISTRY_ID), {
    cookie: ensemble.cookie,
    id: "peer",
  });
  await rogue.register();
  const peer = await ensemble.startRogue("peer", { tls: await authority.credentials("peer") });
  await peer.connect(target.id, [portOf(target)]);
  await eventually(() => target.session(peer.id)?.certified?.id === "peer", "it is in");
});

Deno.test("what a stopping server has sent over tls arrives", async () => {
  const { ensemble, target } = await withTarget();
  await using _ = ensemble;
  let received = 0;
  target.actors.serve("sink", {
    take: ({ bytes }: { bytes: Uint8Array }) => (received += bytes.length),
  });
  const peer = await ensemble.startRogue("peer", { tls: await authority.credentials("peer") });
  await peer.connect(target.id, [portOf(target)]);
  for (let i = 0; i < 50; i++) {
    peer.actors.tell(refTo("target", "sink"), { type: "take", bytes: new Uint8Array(100_000) });
  }
  await ensemble.stop(peer);
  await eventually(() => received === 5_000_000, "all of it");
});

/** A server with a certificate in an ensemble without an administrator, and what reaches it over tls. */
async function withoutAdministrator() {
  const ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const target = await ensemble.start("target", {
    tls: await authority.credentials("target"),
    listen: [ensemble.socket("target"), tlsPort()],
  });
  const certified = async (id: string, ...uris: string[]) => {
    const peer = await ensemble.start(id, {
      tls: await authority.credentials(id, { uris }),
      listen: [],
      register: false,
    });
    await peer.connect(target.id, [portOf(target)]);
    return peer;
  };
  return { ensemble, target, certified };
}

Deno.test("over tls capabilities come from certificates, even without an administrator", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, target, certified } = await withoutAdministrator();
  await using _ = ensemble;
  const refused = { remoteName: "NotAuthorizedError" };
  const bar = await certified("bar", "cap:jobs:run");
  const control = controlClient(bar.actors, target.id);
  await assert.rejects(shutDownServer(bar.actors, target.id), refused);
  await assert.rejects(control.authorize({ server: bar.id, capabilities: ["admin"] }), refused);
  await assert.rejects(control.retract({ server: bar.id }), refused);
  await assert.rejects(control.connect({ server: REGISTRY_ID }), {
    message: "bar is not authorized for connect in target: it takes the capability admin, which " +
      "its certificate does not give",
  });
  await assert.rejects(elevated(bar, target, "admin"), {
    ...refused,
    message: "target refuses to elevate bar: it has no administrators' public key, and accepts " +
      "only certificates: use one with the capability (gxensemble ca cert --capabilities), or " +
      "set an administrator up",
  });
  await ping(bar.actors, target.id);
  assert.equal(
    logs.matching(
      /^WARN audit: shutdown refused who=certificate:bar client=bar transport=tls certificate=/,
    ).length,
    1,
  );

  const boss = await certified("boss", "cap:admin");
  await controlClient(boss.actors, target.id).connect({ server: REGISTRY_ID });
  // Who comes by the cookie may do everything.
  const console = await ensemble.startConsole();
  await shutDownServer(console.actors, target.id);
  await target.stopped;
});

Deno.test("authorize without an administrator works for a certified server", async () => {
  const { ensemble, target } = await withoutAdministrator();
  await using _ = ensemble;
  const tls = await authority.credentials("delegate");
  const delegate = await ensemble.start("delegate", { tls, listen: [] });
  await delegate.connect(target.id, [portOf(target)]);
  await assert.rejects(shutDownServer(delegate.actors, target.id), {
    remoteName: "NotAuthorizedError",
  });
  const console = await ensemble.startConsole();
  const control = controlClient(console.actors, target.id);
  await control.authorize({ server: delegate.id, capabilities: ["shutdown"] });
  await shutDownServer(delegate.actors, target.id);
  await target.stopped;
});

Deno.test("a registry without an administrator lets certified servers change their own entries", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry(undefined, {
    tls: await authority.credentials("registry"),
    listen: [ensemble.socket("registry"), tlsPort()],
  });
  const at = portOf(registry);
  const [one, two] = await Promise.all(["one", "two"].map(async (id) =>
    await ensemble.start(id, {
      tls: await authority.credentials(id),
      registry: [at],
    })
  ));
  const registered = registryClient(one!.actors);
  assert.ok((await registered.lookup({ id: two!.id })).entry);
  await assert.rejects(registered.remove(two!.entry), { remoteName: "NotAuthorizedError" });
  await assert.rejects(registered.register({ entry: two!.entry }), {
    remoteName: "NotAuthorizedError",
  });
  await assert.rejects(
    registered.register({ entry: { ...one!.entry, instance: two!.entry.instance } }),
    /the instance is another's/,
  );
  await registered.register({ entry: { ...one!.entry, roles: ["new"] } });
  assert.deepEqual((await registered.lookup({ id: one!.id })).entry!.roles, ["new"]);
});

Deno.test("retract revokes a certificate's capabilities on an open connection, and reports that they return", async () => {
  const { ensemble, target } = await withTarget({ listen: [tlsPort(), anyPort()] });
  await using _ = ensemble;
  const plain = target.entry.addresses.find(({ kind }) => kind === "tcp")!;
  const console = await ensemble.start("console");
  await console.connect(target.id, [plain]);
  await elevated(console, target, "admin");
  const tls = await authority.credentials("peer", { uris: ["cap:loader"] });
  const peer = await ensemble.startRogue("peer", { tls });
  await peer.connect(target.id, [portOf(target)]);
  assert.deepEqual(await granted(peer, target), ["loader"]);
  assert.deepEqual(
    await controlClient(console.actors, target.id).retract({ server: peer.id }),
    { retracted: ["loader"], returning: ["loader"] },
  );
  assert.deepEqual(await granted(peer, target), []);
  await ensemble.stop(peer);
  const again = await ensemble.startRogue("peer", { tls });
  await again.connect(target.id, [portOf(target)]);
  assert.deepEqual(await granted(again, target), ["loader"]);
});

Deno.test("no client gets in over tls with more capabilities than are taken", async () => {
  const { ensemble, target } = await withTarget();
  await using _ = ensemble;
  const capabilities = Array.from({ length: 33 }, (_, i) => `cap:c:${i}`);
  const peer = await ensemble.startRogue("peer", {
    tls: await authority.credentials("peer", { uris: capabilities }),
  });
  await assert.rejects(peer.connect(target.id, [portOf(target)]));
  assert.equal(target.session(peer.id), undefined);
});
