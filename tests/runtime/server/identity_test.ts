import assert from "node:assert/strict";
import { MemoryStore } from "../../../registry/memory_store.ts";
import { serveRegistry } from "../../../registry/registry_actor.ts";
import { parseServerId, REGISTRY_ID } from "../../../runtime/actor/server_id.ts";
import { controlClient, ping, registryClient } from "../../../runtime/ensemble/remote.ts";
import { AdministeredEnsemble, elevated, granted } from "./administered_ensemble.ts";
import { CapturedLogs, eventually } from "./captured_logs.ts";
import { ChildServer } from "./child_server.ts";
import { LocalEnsemble, refTo } from "./local_ensemble.ts";
import { Proxy } from "./proxy.ts";

const ANOTHER = /another instance is registered as genuine/;

Deno.test("nobody takes the id of a running server, whether that has connected or not", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const [target, genuine, rogue] = await Promise.all([
    ensemble.startVault("target"),
    ensemble.start("genuine"),
    ensemble.startRogue("genuine"),
  ]);
  assert.equal(target.session(genuine.id), undefined);
  await assert.rejects(rogue.connect(target.id, [ensemble.socket("target")]), ANOTHER);
  assert.ok(logs.matching(/WARN server: refused a connection .* registered as genuine/).length > 0);
  assert.equal(target.session(genuine.id), undefined);

  await genuine.connect(target.id);
  await assert.rejects(rogue.connect(target.id, [ensemble.socket("target")]), ANOTHER);
  await ping(genuine.actors, target.id);
});

Deno.test("nor does the registry believe another, while the one that it knows is connected", async () => {
  await using ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const genuine = await ensemble.start("genuine");
  const rogue = await ensemble.startRogue("genuine");
  const { message } = await rogue.connect(REGISTRY_ID).then(() => assert.fail(), (error) => error);
  assert.match(message, ANOTHER);
  await ping(genuine.actors, REGISTRY_ID);
});

Deno.test("nor when the registry has lost the connection to it, as long as it answers", async () => {
  await using ensemble = new AdministeredEnsemble();
  const registry = await ensemble.startRegistry();
  const way = await Proxy.start({
    at: ensemble.socket("way"),
    target: ensemble.socket("registry"),
  });
  const genuine = await ensemble.start("genuine", { registry: [way.address] });
  way[Symbol.dispose]();
  await eventually(() => registry.session(genuine.id) === undefined, "it is disconnected");
  const rogue = await ensemble.startRogue("genuine");
  await assert.rejects(rogue.connect(REGISTRY_ID), ANOTHER);
  const entry = await registryClient(registry.actors).lookup({ id: genuine.id });
  assert.deepEqual(entry!.instance, genuine.entry.instance);
});

Deno.test("nor when the registry was started again", async () => {
  await using ensemble = new AdministeredEnsemble();
  class LastingStore extends MemoryStore {
    override close = () => Promise.resolve();
  }
  const store = new LastingStore();
  const first = await ensemble.startRegistry(store);
  const genuine = await ensemble.start("genuine");
  await ensemble.stop(first);
  const second = await ensemble.startRegistry(store);
  const rogue = await ensemble.startRogue("genuine");
  await assert.rejects(rogue.connect(REGISTRY_ID), ANOTHER);
  await eventually(() => second.session(genuine.id), "the genuine one is back");
});

Deno.test("a server that crashed comes back under its id, to those who knew the old one too", async () => {
  await using ensemble = new AdministeredEnsemble();
  const registry = await ensemble.startRegistry();
  const target = await ensemble.startVault("target");
  const console = await ensemble.startRogue("console");
  await elevated(console, target, "admin");
  const id = parseServerId("genuine");
  {
    await using crashing = await ChildServer.start(ensemble, id);
    await ping(target.actors, id);
    await controlClient(console.actors, target.id).authorize({
      server: id,
      capabilities: ["shutdown"],
    });
    crashing.signal("SIGKILL");
    await crashing.status;
  }
  // Its entry is still there: before it registers anew it is nobody.
  const early = await ensemble.startRogue("genuine");
  await assert.rejects(early.connect(target.id, [ensemble.socket("target")]), ANOTHER);
  await ensemble.stop(early);
  const genuine = await ensemble.start("genuine");
  assert.deepEqual(
    (await registryClient(registry.actors).lookup({ id }))!.instance,
    genuine.entry.instance,
  );
  await ping(genuine.actors, target.id);
  await ping(target.actors, id);
  assert.deepEqual(await granted(genuine, target), []);
});

Deno.test("who answers in the place of a server that crashed is not taken for it", async () => {
  await using ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const target = await ensemble.start("target");
  const id = parseServerId("genuine");
  {
    await using crashing = await ChildServer.start(ensemble, id);
    crashing.signal("SIGKILL");
    await crashing.status;
  }
  await ensemble.startRogue("genuine", { listen: [ensemble.socket("genuine")] });
  await assert.rejects(target.connect(id), ANOTHER);
  await assert.rejects(ping(target.actors, id), ANOTHER);
});

Deno.test("the registry is at its addresses, and does not come by itself", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new AdministeredEnsemble();
  const target = await ensemble.start("target", { register: false });
  const rogue = await ensemble.startRogue(REGISTRY_ID, {
    prepare: (server) => void serveRegistry(server, new MemoryStore()),
  });
  await assert.rejects(rogue.connect(target.id, [ensemble.socket("target")]));
  assert.deepEqual(LocalEnsemble.peers(target), []);
  assert.match(
    logs.complaints[0]!,
    /target connects to the registry, and not the other way round$/,
  );
  const registry = await ensemble.startRegistry();
  await target.connect(REGISTRY_ID);
  // On that connection it is one like any other.
  await ping(registry.actors, target.id);
});

Deno.test("when the registry cannot be asked nobody new is believed", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new AdministeredEnsemble();
  const registry = await ensemble.startRegistry();
  const [target, known] = await Promise.all([ensemble.start("target"), ensemble.start("known")]);
  await known.connect(target.id);
  const other = await ensemble.startRogue("other");
  await ensemble.stop(registry);
  await assert.rejects(other.connect(target.id, [ensemble.socket("target")]));
  assert.deepEqual(LocalEnsemble.peers(target), ["known"]);
  const [reason] = logs.matching(/refused a connection/);
  assert.match(reason!, /cannot ask the registry which instance is other: cannot reach registry: /);
  await ping(known.actors, target.id);
});

Deno.test("an id that nobody registered is whoever comes first", async () => {
  await using ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const target = await ensemble.start("target");
  const [first, second] = await Promise.all([
    ensemble.startRogue("console"),
    ensemble.startRogue("console"),
  ]);
  await first.connect(target.id);
  await assert.rejects(
    second.connect(target.id),
    /another instance of console, [0-9a-f]{16}, is connected/,
  );
});

Deno.test("many servers of an administrator that meet at once all find each other", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const ids = Array.from({ length: 12 }, (_, i) => `s${i}`);
  const servers = await Promise.all(ids.map((id) => ensemble.start(id)));
  await Promise.all(
    servers.flatMap((server) =>
      servers.filter((other) => other !== server).map(({ id }) => ping(server.actors, id))
    ),
  );
  for (const server of servers) {
    const others = servers.filter((other) => other !== server).map(({ id }) => id);
    assert.deepEqual(LocalEnsemble.peers(server), ["registry", ...others].sort());
  }
  assert.deepEqual(logs.complaints, []);
});

Deno.test("a server changes its own entry, and only as itself; others' takes admin", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new AdministeredEnsemble();
  const registry = await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  const { add, remove, lookup } = registryClient(a.actors);
  await add({ entry: { ...a.entry, roles: ["web"] } });
  assert.deepEqual((await lookup({ id: a.id }))!.roles, ["web"]);
  await assert.rejects(
    add({ entry: { ...a.entry, instance: b.entry.instance } }),
    /not a registry entry of a: the instance is another's/,
  );
  const refused = { reason: "AuthorizationError" };
  await assert.rejects(add({ entry: { ...b.entry, addresses: a.entry.addresses } }), refused);
  await assert.rejects(remove({ id: b.id, instance: b.entry.instance }), refused);
  await assert.rejects(
    remove({ id: refTo("nosuch", "").server, instance: a.entry.instance }),
    refused,
  );
  assert.deepEqual({ ...await lookup({ id: b.id }) }, { ...b.entry });
  assert.deepEqual(logs.matching(/audit/), [
    "WARN audit: add to the registry refused who=a transport=unix server=b",
    "WARN audit: remove from the registry refused who=a transport=unix server=b",
    "WARN audit: remove from the registry refused who=a transport=unix server=nosuch",
  ]);
  assert.equal(await remove({ id: a.id, instance: a.entry.instance }), true);

  await elevated(a, registry, "admin");
  await add({ entry: { ...b.entry, roles: ["db"] } });
  assert.equal(await remove({ id: b.id, instance: b.entry.instance }), true);
});
