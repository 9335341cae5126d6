import assert from "node:assert/strict";
import { MemoryStore } from "../../../registry/local_store.ts";
import { DEFAULT_LEASE } from "../../../registry/store.ts";
import { serveRegistry } from "../../../registry/registry_actor.ts";
import { REGISTRY_ID } from "../../../runtime/actor/references.ts";
import { controlClient, ping } from "../../../runtime/ensemble/remote.ts";
import { InstanceKey, shortInstance } from "../../../runtime/server/credentials.ts";
import {
  type OwnEntry,
  registryClient,
  type RegistryEntry,
} from "../../../runtime/server/registry_protocol.ts";
import { HEARTBEAT_TIMEOUT } from "../../../runtime/wire/limits.ts";
import { listenAt } from "../../../runtime/wire/transport.ts";
import { moveClock } from "../../fake_clock.ts";
import { LeaseClock } from "../../registry/lease_clock.ts";
import { RoguePeer } from "../../rogue_peer.ts";
import { AdministeredEnsemble, elevated, granted } from "./administered_ensemble.ts";
import { CapturedLogs, eventually } from "./captured_logs.ts";
import { ChildServer } from "./child_server.ts";
import { anyPort, LocalEnsemble } from "./local_ensemble.ts";
import { Proxy } from "./proxy.ts";

const ANOTHER =
  /another instance is registered as genuine|genuine is already running: pid \d+ on host/;

/** Connects as a member that claims an id; gives why that was refused. */
async function refusal(ensemble: LocalEnsemble, at: string, id: string): Promise<string> {
  const claim = RoguePeer.join(ensemble.socket(at), { cookie: ensemble.cookie, id });
  const { message } = await claim.then(() => assert.fail("it is in"), (error: Error) => error);
  return message;
}

for (const Ensemble of [LocalEnsemble, AdministeredEnsemble]) {
  const which = Ensemble === LocalEnsemble ? "" : ", with an administrator";
  Deno.test(`the id of a server that is stopped for a while stays its own${which}`, async () => {
    await using ensemble = new Ensemble();
    await ensemble.startRegistry();
    const a = await ensemble.start("a");
    await using victim = await ChildServer.start(ensemble, "victim");
    const id = "victim";
    const { lookup } = registryClient(a.actors);
    const { instance } = (await lookup({ id })).entry!;
    await a.connect(id);
    victim.signal("SIGSTOP");
    // The registry runs for longer than the heartbeat time-out: what counts is the connection.
    using _ = moveClock(HEARTBEAT_TIMEOUT);
    // Longer than any probe: all three of them wait for one.
    const reasons = await Promise.all([
      refusal(ensemble, "registry", "victim"),
      refusal(ensemble, "a", "victim"),
      ensemble.start("victim", { listen: [anyPort()] }).then(
        () => "it runs",
        ({ message }) => message,
      ),
    ]);
    for (const reason of reasons) {
      assert.match(
        reason,
        new RegExp(
          `victim is already running: pid \\d+ on host \\S+ at unix:|` +
            `another instance (?:is registered as|of) victim.*${shortInstance(instance)}`,
        ),
      );
    }
    assert.deepEqual((await lookup({ id })).entry!.instance, instance);
    assert.deepEqual(a.session(id)!.instance, new Uint8Array(instance));
    const authorize = controlClient(a.actors, a.id).authorize;
    const authorized = await authorize({ server: id, capabilities: ["shutdown"] });
    assert.deepEqual(authorized.instance, instance);
    const pings = ping(a.actors, id);
    victim.signal("SIGCONT");
    await pings;
  });
}

Deno.test("the id of a silent server that is not connected passes on when its lease has run out", async () => {
  await using ensemble = new AdministeredEnsemble();
  const clock = new LeaseClock();
  const store = new MemoryStore({ clock });
  const first = await ensemble.startRegistry(store);
  await using victim = await ChildServer.start(ensemble, "victim");
  victim.signal("SIGSTOP");
  await ensemble.stop(first);
  const second = await ensemble.startRegistry(store);
  clock.pass(DEFAULT_LEASE - 2_000);
  assert.match(
    await refusal(ensemble, "registry", "victim"),
    /^victim is already running: pid \d+ on host \S+ at unix:\S+; its lease ends in 2 s$/,
  );
  clock.pass(3_000);
  const { lookup } = registryClient(second.actors);
  const state = async () => (await lookup({ id: "victim" })).entry!.state;
  await eventually(async () => await state() === "unreachable", "it is unreachable");
  using rogue = await RoguePeer.join(ensemble.socket("registry"), {
    cookie: ensemble.cookie,
    id: "victim",
  });
  await rogue.register();
  assert.equal(await state(), "up");
});

Deno.test("the id of a server whose connection broke is its own for as long as its address answers", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const victim = { cookie: ensemble.cookie, id: "victim", instance: await InstanceKey.generate() };
  // It accepts and says nothing.
  const listener = await listenAt(anyPort());
  const connection = await RoguePeer.join(ensemble.socket("registry"), victim);
  await connection.register([listener.address]);
  {
    // A clock that jumps ends no lease.
    using _ = moveClock(HEARTBEAT_TIMEOUT);
    await connection.ask("registry", { type: "lookup", id: "victim" });
    connection[Symbol.dispose]();
    await eventually(() => registry.session(victim.id as string) === undefined, "it broke");
    assert.match(await refusal(ensemble, "registry", "victim"), /; its lease ends in 1\d s$/);
    listener.close();
  }
  // Now it refuses.
  using _other = await RoguePeer.join(ensemble.socket("registry"), {
    ...victim,
    instance: await InstanceKey.generate(),
  });
});

Deno.test("the id of a server that has left passes on at once, even while its connection is open", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const self = async () => ({
    cookie: ensemble.cookie,
    id: "a",
    instance: await InstanceKey.generate(),
  });
  using old = await RoguePeer.join(ensemble.socket("registry"), await self());
  await old.register([ensemble.socket("nothing")]);
  const { publicKey: instance } = old.instance;
  const remove = () => old.ask("registry", { type: "remove", id: "a", instance });
  await remove();
  await old.register();
  await assert.rejects(
    RoguePeer.join(ensemble.socket("registry"), await self()),
    /a is already running/,
  );
  assert.equal((await remove()).message, true);
  using successor = await RoguePeer.join(ensemble.socket("registry"), await self());
  await successor.register();
  await old.closed();
  assert.deepEqual(registry.session(successor.id)?.instance, successor.instance.publicKey);
  assert.deepEqual(
    (await registryClient(registry.actors).lookup({ id: successor.id })).entry!.instance,
    successor.instance.publicKey,
  );
});

Deno.test("a replacement is one warning that names both instances, their processes and addresses", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  const id = "crashing";
  const { lookup } = registryClient(a.actors);
  {
    await using crashing = await ChildServer.start(ensemble, id);
    crashing.signal("SIGKILL");
    await crashing.status;
  }
  const old = (await lookup({ id })).entry!;
  const { entry } = await ensemble.start(id);
  const describe = ({ instance, pid }: OwnEntry | RegistryEntry) =>
    `instance ${shortInstance(instance)} of crashing as pid ${pid} on host ${Deno.hostname()} at ` +
    `unix:${ensemble.directory}/crashing`;
  assert.deepEqual(logs.complaints.filter((line) => !/was lost|cannot register/.test(line)), [
    `WARN registry: ${describe(entry)} replaces ${describe(old)}`,
  ]);
});

Deno.test("a server goes by the registry when the instance that is connected with it is not the registered one", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  const self = async () => ({
    cookie: ensemble.cookie,
    id: "b",
    instance: await InstanceKey.generate(),
  });
  // Of two instances the registry knows the second: the first was cut off from it for long, say.
  using first = await RoguePeer.join(ensemble.socket("a"), await self());
  const second = await self();
  await assert.rejects(
    RoguePeer.join(ensemble.socket("a"), second),
    /another instance of b, .* is connected with a/,
  );
  using atRegistry = await RoguePeer.join(ensemble.socket("registry"), second);
  await atRegistry.register();
  const authorize = () =>
    controlClient(a.actors, a.id).authorize({ server: first.id, capabilities: ["jobs:run"] });
  await assert.rejects(authorize(), (error: Error) => {
    assert.match(error.message, /is connected with a, and the registry knows .*: make sure which/);
    assert.ok(error.message.includes(shortInstance(first.instance.publicKey)));
    assert.ok(error.message.includes(shortInstance(second.instance.publicKey)));
    return true;
  });
  using accepted = await RoguePeer.join(ensemble.socket("a"), second);
  await accepted.ask("server", { type: "ping" });
  await first.closed();
  assert.deepEqual(a.session(first.id)?.instance, second.instance.publicKey);
  assert.equal(
    logs.matching(/WARN server: b: instance [0-9a-f]{16} at unix:\S+ replaces /).length,
    1,
  );
  assert.deepEqual((await authorize()).instance, second.instance.publicKey);
});

Deno.test("no server takes the id of a running server, connected or not", async () => {
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
  await way[Symbol.asyncDispose]();
  await eventually(() => registry.session(genuine.id) === undefined, "it is disconnected");
  // For as long as it answers: this registry may have been away itself.
  using _ = moveClock(2 * HEARTBEAT_TIMEOUT);
  const rogue = await ensemble.startRogue("genuine");
  await assert.rejects(rogue.connect(REGISTRY_ID), ANOTHER);
  const { entry } = await registryClient(registry.actors).lookup({ id: genuine.id });
  assert.deepEqual(entry!.instance, genuine.entry.instance);
});

Deno.test("nor when the registry was started again", async () => {
  await using ensemble = new AdministeredEnsemble();
  const store = new MemoryStore();
  const first = await ensemble.startRegistry(store);
  const genuine = await ensemble.start("genuine");
  await ensemble.stop(first);
  const second = await ensemble.startRegistry(store);
  const rogue = await ensemble.startRogue("genuine");
  await assert.rejects(rogue.connect(REGISTRY_ID), ANOTHER);
  await eventually(() => second.session(genuine.id), "the genuine one is back");
});

Deno.test("a crashed server comes back under its id, also for servers that knew the old instance", async () => {
  await using ensemble = new AdministeredEnsemble();
  const registry = await ensemble.startRegistry();
  const target = await ensemble.startVault("target");
  const console = await ensemble.startRogue("console");
  await elevated(console, target, "admin");
  const id = "genuine";
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
  // Its entry is still there. Before it registers again, its id is not its own.
  const early = await ensemble.startRogue("genuine");
  await assert.rejects(early.connect(target.id, [ensemble.socket("target")]), ANOTHER);
  await ensemble.stop(early);
  const genuine = await ensemble.start("genuine");
  assert.deepEqual(
    (await registryClient(registry.actors).lookup({ id })).entry!.instance,
    genuine.entry.instance,
  );
  await ping(genuine.actors, target.id);
  await ping(target.actors, id);
  assert.deepEqual(await granted(genuine, target), []);
});

Deno.test("a server that answers at a crashed server's address is not taken for it", async () => {
  await using ensemble = new AdministeredEnsemble();
  const store = new MemoryStore();
  const registry = await ensemble.startRegistry(store);
  const target = await ensemble.start("target");
  const id = "genuine";
  const { lookup } = registryClient(registry.actors);
  const state = async () => (await lookup({ id })).entry!.state;
  {
    await using crashing = await ChildServer.start(ensemble, id);
    crashing.signal("SIGKILL");
    await crashing.status;
    await eventually(async () => await state() === "unreachable", "the registry has noticed");
  }
  await ensemble.startRogue("genuine", { listen: [ensemble.socket("genuine")] });
  assert.equal(await state(), "unreachable");
  await assert.rejects(
    target.connect(id),
    /^DisconnectedError: cannot reach genuine: it is unreachable: /,
  );
  // As long as the registry has not noticed, the instance counts.
  const { entry } = await lookup({ id });
  await store.put({ ...entry!, state: "up" }, entry!.revision);
  const seen = async () => (await registryClient(target.actors).lookup({ id })).entry!.state;
  await eventually(async () => await seen() === "up", "it is known");
  // The file system may give the new socket the inode of the old one, or not.
  const refused = new RegExp(`${ANOTHER.source}|the socket there on this`);
  await assert.rejects(target.connect(id), refused);
  await assert.rejects(ping(target.actors, id), refused);
});

Deno.test("the registry is at its addresses, and does not come by itself", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new AdministeredEnsemble();
  const target = await ensemble.start("target", { register: false });
  const rogue = await ensemble.startRogue(REGISTRY_ID, {
    prepare: async (server) => void await serveRegistry(server, new MemoryStore()),
  });
  await assert.rejects(rogue.connect(target.id, [ensemble.socket("target")]));
  assert.deepEqual(LocalEnsemble.peers(target), []);
  assert.match(
    logs.complaints[0]!,
    /the registry does not connect to servers; target connects to it$/,
  );
  const registry = await ensemble.startRegistry();
  await target.connect(REGISTRY_ID);
  // On that connection it is one like any other.
  await ping(registry.actors, target.id);
});

Deno.test("new peers are refused when the registry cannot be asked", async () => {
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
  assert.match(
    reason!,
    /cannot ask the registry for the instance of other: cannot reach registry: /,
  );
  await ping(known.actors, target.id);
});

Deno.test("an unregistered id belongs to the first server that claims it", async () => {
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

Deno.test("a server changes only its own entry; changing others requires admin", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new AdministeredEnsemble();
  const registry = await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  const { register, remove, lookup } = registryClient(a.actors);
  await register({ entry: { ...a.entry, roles: ["web"] } });
  assert.deepEqual((await lookup({ id: a.id })).entry!.roles, ["web"]);
  await assert.rejects(
    register({ entry: { ...a.entry, instance: b.entry.instance } }),
    /not a registry entry of a: the instance is another's/,
  );
  const refused = { remoteName: "NotAuthorizedError" };
  await assert.rejects(register({ entry: { ...b.entry, addresses: a.entry.addresses } }), refused);
  await assert.rejects(remove({ id: b.id, instance: b.entry.instance }), refused);
  await assert.rejects(
    remove({ id: "nosuch", instance: a.entry.instance }),
    refused,
  );
  assert.deepEqual((await lookup({ id: b.id })).entry!.addresses, b.entry.addresses);
  const who = `who=instance:${shortInstance(a.entry.instance)} client=a`;
  assert.deepEqual(logs.matching(/audit/), [
    `WARN audit: add to the registry refused ${who} transport=unix server=b`,
    `WARN audit: remove from the registry refused ${who} transport=unix server=b`,
    `WARN audit: remove from the registry refused ${who} transport=unix server=nosuch`,
  ]);
  assert.equal(await remove({ id: a.id, instance: a.entry.instance }), true);

  await elevated(a, registry, "admin");
  await register({ entry: { ...b.entry, roles: ["db"] } });
  assert.equal(await remove({ id: b.id, instance: b.entry.instance }), true);
});
