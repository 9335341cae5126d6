import assert from "node:assert/strict";
import { serveRegistry } from "../../../registry/registry_actor.ts";
import { MemoryStore } from "../../../registry/local_store.ts";
import { currentServer } from "../../../runtime/ensemble/process_servers.ts";
import { runServer } from "../../../runtime/ensemble/run_server.ts";
import { startServer } from "../../../runtime/ensemble/start_server.ts";
import type { StartServerOptions } from "../../../runtime/ensemble/start_options.ts";

/** Options of servers that share an ensemble in its own directory, which is removed at the end. */
class Here implements Disposable {
  readonly #root = Deno.makeTempDirSync({ prefix: "gx-" });
  readonly options: StartServerOptions = {
    directory: `${this.#root}/files`,
    socketDirectory: `${this.#root}/sockets`,
    cookie: "a cookie for tests",
    log: false,
  };

  /** Starts the registry. */
  startRegistry() {
    return startServer("registry", {
      ...this.options,
      prepare: async (server) => void await serveRegistry(server, new MemoryStore()),
    });
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#root, { recursive: true });
  }
}

Deno.test("startServer starts several servers in one process, and each knows itself", async () => {
  using here = new Here();
  await using _registry = await here.startRegistry();
  await using a = await startServer("a", { ...here.options, roles: ["web"] });
  await using b = await startServer("b", { ...here.options, roles: ["web", "db"] });
  await using client = await startServer(here.options);
  const who = { who: () => currentServer().id };
  a.serve("who", who);
  b.serve("who", who);
  const ask = (id: string) => client.client<typeof who>(`who@${id}`).who();
  assert.deepEqual(await Promise.all([ask("a"), ask("b"), ask("a")]), ["a", "b", "a"]);
  const spawned = b.spawn("spawned", async (self) => {
    await self.receive([], { timeout: 1 });
    await b.ask("who", { type: "ping" });
    assert.equal(currentServer(), b);
  });
  assert.equal(await spawned.ended, undefined);
  assert.throws(
    currentServer,
    /the servers registry, a, b, client-\S+, and this code runs in none/,
  );

  assert.deepEqual((await client.servers()).map(({ id, roles }) => [id, roles]), [
    ["a", ["web"]],
    ["b", ["web", "db"]],
  ]);
  assert.deepEqual((await client.lookup({ role: "db" })).map(({ id }) => id), ["b"]);
  assert.equal((await client.lookup({ id: "a" }))?.pid, Deno.pid);
  assert.equal(await client.lookup({ id: "client-1" }), undefined);
  await assert.rejects(client.lookup({ id: "not an id" }), { name: "InvalidInputError" });
  assert.deepEqual(a.roles, ["web"]);
  await client.ping("who@a");
  await client.ping("server@b");
  await assert.rejects(client.ping("nosuch@b"), /unknown actor: nosuch@b/);
});

Deno.test("startServer refuses a second server with the same id, except in another ensemble", async () => {
  using here = new Here();
  using there = new Here();
  await using first = await here.startRegistry();
  await assert.rejects(
    startServer("registry", here.options),
    /cannot start server registry: this process already runs it, and an id has one server/,
  );
  await using second = await there.startRegistry();
  assert.notDeepEqual(first.entry.instance, second.entry.instance);
  await second.stop();
  await (await there.startRegistry()).stop();
});

Deno.test("currentServer returns the only server of the process when called outside of it", async () => {
  using here = new Here();
  await using registry = await here.startRegistry();
  assert.equal(currentServer(), registry);
});

Deno.test("runServer enters its server for main and everything that main starts", async () => {
  using here = new Here();
  await using _registry = await here.startRegistry();
  const run = (id: string) =>
    runServer(id, async (server) => {
      await server.ping("server@registry");
      const later = new Promise((resolve) => setTimeout(() => resolve(currentServer().id)));
      return [currentServer().id, await later];
    }, here.options);
  assert.deepEqual(await Promise.all([run("a"), run("b")]), [["a", "a"], ["b", "b"]]);
});

Deno.test("modules loaded into servers of one process see the server that they are loaded into", async () => {
  using here = new Here();
  await using registry = await here.startRegistry();
  await using other = await startServer("other", here.options);
  const expression = "(await import('@gxensemble/ensemble')).currentServer().id";
  for (const server of [registry, other]) {
    assert.equal(
      await registry.ask(`loader@${server.id}`, { type: "evaluate", expression }),
      JSON.stringify(server.id),
    );
  }
});

Deno.test("startServer takes capabilities for ids and the administrators' key as text", async () => {
  using here = new Here();
  await using _registry = await here.startRegistry();
  const pair = await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ]) as CryptoKeyPair;
  const der = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  const adminKey = `-----BEGIN PUBLIC KEY-----\n${der.toBase64()}\n-----END PUBLIC KEY-----\n`;
  await using guarded = await startServer("guarded", {
    ...here.options,
    adminKey,
    capabilities: { deployer: ["loader"] },
  });
  await using deployer = await startServer("deployer", here.options);
  await using stranger = await startServer("stranger", here.options);
  const request = { type: "evaluate", expression: "1 + 1" };
  assert.equal(await deployer.ask("loader@guarded", request), "2");
  await assert.rejects(stranger.ask("loader@guarded", request), /not authorized for evaluate/);
  const authorizations = await stranger.remote("guarded").authorizations();
  assert.deepEqual(authorizations.map(({ since: _, ...rest }) => rest), [
    { server: "deployer", instance: undefined, capabilities: ["loader"], by: "options" },
  ]);
  guarded.capabilities.retract("deployer", guarded.session("deployer"));
  assert.deepEqual(await stranger.remote("guarded").authorizations(), []);
  await assert.rejects(deployer.ask("loader@guarded", request), /not authorized for evaluate/);
  await assert.rejects(startServer("x", { ...here.options, adminKey: "none" }), /adminKey is not/);
  await assert.rejects(startServer("x", { ...here.options, cookie: "short" }), /at least 16 bytes/);
});
