import assert from "node:assert/strict";
import { SqliteStore } from "../../../registry/sqlite_store.ts";
import { MemoryStore } from "../../../registry/local_store.ts";
import { listServers, ping } from "../../../runtime/ensemble/remote.ts";
import type { ActorServer } from "../../../runtime/server/actor_server.ts";
import { sameInstance } from "../../../runtime/server/credentials.ts";
import { registryClient } from "../../../runtime/server/registry_protocol.ts";
import { CapturedLogs, eventually } from "./captured_logs.ts";
import { anyPort, LocalEnsemble, refTo } from "./local_ensemble.ts";

async function registered(registry: ActorServer): Promise<string[]> {
  return (await listServers(registry.actors)).map(({ id }) => id);
}

Deno.test("a server is in the registry as it announced itself", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const a = await ensemble.start("a", {
    roles: ["web", "db"],
    listen: [ensemble.socket("a"), anyPort()],
  });
  await ensemble.start("b", { roles: ["web"] });
  const client = registryClient(registry.actors);
  const { revision, leaseLeft, ...entry } = (await client.lookup({ id: a.id })).entry!;
  assert.deepEqual(entry, a.entry);
  assert.ok(revision > 0 && leaseLeft! > 14_000);
  assert.deepEqual((await listServers(registry.actors, { role: "web" })).map(({ id }) => id), [
    "a",
    "b",
  ]);
  assert.deepEqual((await listServers(registry.actors, { role: "db" })).map(({ id }) => id), ["a"]);
  assert.deepEqual(await listServers(registry.actors, { role: "none" }), []);
  assert.equal((await client.lookup({ id: "c" })).entry, undefined);
});

Deno.test("only an instance's own entry is removed by it", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const a = await ensemble.start("a");
  const client = registryClient(registry.actors);
  assert.equal(await client.remove({ id: a.id, instance: new Uint8Array(32) }), false);
  assert.deepEqual(await registered(registry), ["a"]);
  assert.equal(await client.remove({ id: a.id, instance: a.entry.instance }), true);
  assert.equal(await client.remove({ id: a.id, instance: a.entry.instance }), false);
});

Deno.test("the registry refuses anything but entries, from every sender", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const console = await ensemble.startConsole();
  const { entry } = await ensemble.start("a");
  const { register, lookup, remove } = registryClient(console.actors);
  const wrong: Record<string, unknown> = {
    nothing: undefined,
    "a string": "a",
    "no instance": { ...entry, instance: undefined },
    "a short instance": { ...entry, instance: new Uint8Array(31) },
    "an id that is a path": { ...entry, id: "../a" },
    "an id that is a number": { ...entry, id: 7 },
    "addresses that are text": { ...entry, addresses: "tcp://a:1" },
    "an address that is none": { ...entry, addresses: [{ kind: "tcp", host: "a b", port: 1 }] },
    "an address of nothing": { ...entry, addresses: [null] },
    "roles that are text": { ...entry, roles: "web" },
  };
  for (const [what, entry] of Object.entries(wrong)) {
    await assert.rejects(register({ entry: entry as never }), { name: "ActorError" }, what);
  }
  await assert.rejects(lookup({ id: "a/b" as never }), /not a server id: "a\/b"/);
  await assert.rejects(lookup({ id: undefined as never }), { name: "ActorError" });
  await assert.rejects(remove({ id: {} as never, instance: entry.instance }), {
    name: "ActorError",
  });
  assert.deepEqual(await registered(registry), ["a"]);
});

Deno.test("a second start that is refused leaves the first server and its entry as they were", async () => {
  await using ensemble = new LocalEnsemble();
  const store = await SqliteStore.open(`${ensemble.directory}/registry.db`);
  const registry = await ensemble.startRegistry(store);
  const a = await ensemble.start("a", { roles: ["first"] });
  for (const listen of [[ensemble.socket("a")], [anyPort()], []]) {
    await assert.rejects(
      ensemble.start("a", { listen, roles: ["second"] }),
      /already running here|a is already running: pid \d+ on host \S+ at \S+; this one is pid /,
    );
  }
  const [found] = await listServers(registry.actors);
  assert.deepEqual(found!.instance, a.entry.instance);
  assert.deepEqual(found!.roles, ["first"]);
  assert.deepEqual(LocalEnsemble.peers(registry), ["a"]);
  const console = await ensemble.startConsole();
  await ping(console.actors, a.id);
  await ensemble.stop(a);
  assert.deepEqual(await registered(registry), []);
  await ensemble.stop(registry);
});

Deno.test("a server that stops does not take out the entry of its successor", async () => {
  await using ensemble = new LocalEnsemble();
  const store = new MemoryStore();
  const registry = await ensemble.startRegistry(store);
  const a = await ensemble.start("a");
  const successor = { ...a.entry, instance: new Uint8Array(32) };
  const { lookup } = registryClient(registry.actors);
  await store.put(successor, (await lookup({ id: a.id })).entry!.revision);
  await ensemble.stop(a);
  assert.deepEqual((await lookup({ id: a.id })).entry!.instance, successor.instance);
});

Deno.test("a server puts back its entry when that was removed or overwritten", async () => {
  await using ensemble = new LocalEnsemble();
  const store = new MemoryStore({ lease: 300 });
  const registry = await ensemble.startRegistry(store);
  const a = await ensemble.start("a");
  const client = registryClient(registry.actors);
  const entry = async () => (await client.lookup({ id: "a" })).entry;
  const isBack = async () => {
    const found = await entry();
    return found !== undefined && sameInstance(found.instance, a.entry.instance) &&
      found.roles.length === 0;
  };
  await client.forget({ id: "a", force: true });
  assert.equal(await entry(), undefined);
  await eventually(isBack, "it is there again");
  await store.put({ ...a.entry, roles: ["wrong"] }, (await entry())!.revision);
  assert.deepEqual((await entry())?.roles, ["wrong"]);
  await eventually(isBack, "it is as the server has it");
});

Deno.test("servers come back by themselves to a registry that has forgotten them", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  const first = await ensemble.startRegistry();
  const [a] = await Promise.all([ensemble.start("a"), ensemble.start("b"), ensemble.start("c")]);
  await ensemble.stop(first);
  const second = await ensemble.startRegistry();
  await eventually(
    async () => (await registered(second)).length === 3,
    "all servers are registered again",
  );
  assert.equal(
    logs.matching(/WARN registration: the registry was lost; registering again/).length,
    3,
  );
  await eventually(
    () => logs.matching(/INFO registration: registered again/).length === 3,
    "lines",
  );
  // And they notice the next loss as well.
  await ensemble.stop(second);
  const third = await ensemble.startRegistry();
  await eventually(async () => (await registered(third)).length === 3, "and again");
  await a.stop();
  assert.deepEqual(await registered(third), ["b", "c"]);
});

Deno.test("a server ignores reports by others that the registry was lost", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  b.actors.tell(refTo("a", "registration"), { type: "down", monitor: 2 });
  const idle = () => a.actors.find("registration")!.mailboxLength === 0;
  await b.actors.ask(refTo("a", "server"), { type: "ping" });
  await eventually(idle, "it has taken it");
  assert.deepEqual(logs.matching(/registry was lost|registered again/), []);
});

Deno.test("a server that stops while the registry is away leaves nothing in the next one", async () => {
  await using ensemble = new LocalEnsemble();
  const first = await ensemble.startRegistry();
  const servers = await Promise.all(
    Array.from({ length: 10 }, (_, number) => ensemble.start(`s${number}`)),
  );
  await ensemble.stop(first);
  const second = await ensemble.startRegistry();
  // Each at another moment of its coming back.
  await Promise.all(servers.map(async (server, number) => {
    await new Promise((resolve) => setTimeout(resolve, 245 + number));
    await server.stop();
  }));
  assert.deepEqual(await registered(second), []);
});

Deno.test("what a registry knew it still knows after a restart on its file", async () => {
  await using ensemble = new LocalEnsemble();
  const file = `${ensemble.directory}/registry.db`;
  const first = await ensemble.startRegistry(await SqliteStore.open(file));
  const a = await ensemble.start("a");
  await ensemble.stop(first);
  const second = await ensemble.startRegistry(await SqliteStore.open(file));
  assert.deepEqual(
    (await registryClient(second.actors).lookup({ id: a.id })).entry?.instance,
    a.entry.instance,
  );
  await ensemble.stop(a);
  assert.deepEqual(await registered(second), []);
  await ensemble.stop(second);
});
