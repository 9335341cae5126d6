import assert from "node:assert/strict";
import { testEnsemble } from "../../../testing/test_ensemble.ts";
import { EnsembleError } from "../../../runtime/errors.ts";
import { VERSION } from "../../../runtime/version.ts";
import type { ServerChange } from "../../../mod.ts";
import { eventually } from "../server/captured_logs.ts";

Deno.test("startServer resolves when the server is up", async () => {
  await using ensemble = await testEnsemble();
  const before = Date.now();
  await ensemble.startServer("web1", { roles: ["web"] });
  const client = await ensemble.startServer();
  const [found] = await client.lookup({ role: "web" });
  assert.equal(found?.state, "up");
  assert.equal(found.version, VERSION);
  assert.ok(found.startedAt!.getTime() >= before - 1 && found.startedAt!.getTime() <= Date.now());
});

Deno.test("a server that is held back is not found by its role until it is ready", async () => {
  await using ensemble = await testEnsemble();
  const server = await ensemble.startServer("web1", { roles: ["web"], holdReady: true });
  const client = await ensemble.startServer();
  const states = ["starting", "up"] as const;
  assert.deepEqual(await client.lookup({ role: "web" }), []);
  assert.equal((await client.lookup({ role: "web", states }))[0]?.state, "starting");
  assert.equal((await client.lookup({ id: "web1" }))?.state, "starting");
  assert.equal((await client.servers())[0]?.state, "starting");
  server.holdReady();
  await server.ready();
  await server.ready();
  assert.equal((await client.lookup({ id: "web1" }))?.state, "up");
  assert.throws(() => server.holdReady(), (error) => {
    assert.ok(error instanceof EnsembleError);
    assert.match(error.message, /^cannot hold web1 back: it is up already/);
    return true;
  });
});

Deno.test("ready resolves when the registry has it, also if that is away meanwhile", async () => {
  await using ensemble = await testEnsemble();
  const server = await ensemble.startServer("web1", { holdReady: true });
  await ensemble.registry.stop();
  const ready = server.ready();
  const { serveRegistry } = await import("../../../registry/registry_actor.ts");
  const { MemoryStore } = await import("../../../registry/local_store.ts");
  const registry = await ensemble.startServer("registry", {
    prepare: async (server) => void await serveRegistry(server, new MemoryStore()),
  });
  await ready;
  assert.equal((await registry.lookup({ id: "web1" }))?.state, "up");
  await server.stop();
});

Deno.test("ready resolves when the server stops", async () => {
  await using ensemble = await testEnsemble();
  const server = await ensemble.startServer("web1", { holdReady: true });
  await ensemble.registry.stop();
  const ready = server.ready();
  await server.stop();
  await ready;
});

Deno.test("watch gives a program the servers with a role, and what happens to them", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a", { roles: ["worker"] });
  const client = await ensemble.startServer();
  const told: ServerChange[] = [];
  const watched = (async () => {
    for await (const change of client.watch({ role: "worker" })) told.push(change);
  })();
  await eventually(() => told.length === 1, "a");
  await ensemble.startServer("b", { roles: ["other"] });
  await a.stop();
  await eventually(() => told.length === 2, "it has left");
  const [present, left] = told as [ServerChange, ServerChange];
  const { change, id, roles, addresses, state, server } = present;
  assert.deepEqual({ change, id, roles, state }, {
    change: "present",
    id: "a",
    roles: ["worker"],
    state: "up",
  });
  assert.equal(server?.pid, Deno.pid);
  assert.deepEqual(addresses, server.addresses);
  assert.deepEqual({ ...left, revision: 0 }, {
    change: "left",
    id: "a",
    roles: ["worker"],
    addresses: [],
    state: undefined,
    revision: 0,
    server: undefined,
  });
  assert.ok(left.revision > present.revision);
  await client.stop();
  await watched;
});

Deno.test("watch refuses what is no server id", async () => {
  await using ensemble = await testEnsemble();
  await assert.rejects(ensemble.registry.watch({ id: "not an id" }).next(), {
    code: "INVALID_INPUT",
  });
});
