/**
 * Servers that know several addresses of the registry. Here all lead to one registry, as several
 * over one store have the same entries.
 *
 * @module
 */
import assert from "node:assert/strict";
import { formatAddressUrl } from "../../../runtime/wire/address.ts";
import { listenAt } from "../../../runtime/wire/transport.ts";
import { registryClient } from "../../../runtime/server/registry_protocol.ts";
import { CapturedLogs, eventually } from "./captured_logs.ts";
import { anyPort, LocalEnsemble } from "./local_ensemble.ts";
import { Proxy } from "./proxy.ts";

/** A registry with two ways to it: the near one is preferred. */
async function twoWays(ensemble: LocalEnsemble) {
  const registry = await ensemble.startRegistry(undefined, {
    listen: [ensemble.socket("registry"), anyPort()],
  });
  const port = registry.entry.addresses.find(({ kind }) => kind === "tcp")!;
  const near = await Proxy.start({
    at: ensemble.socket("near"),
    target: ensemble.socket("registry"),
  });
  const far = await Proxy.start({ at: anyPort(), target: port });
  return { registry, near, far, addresses: [far.address, near.address] };
}

Deno.test("the registry at a socket is preferred, and another one is used when that is gone", async () => {
  await using ensemble = new LocalEnsemble();
  const { near, far, addresses, registry } = await twoWays(ensemble);
  await using _far = far;
  const a = await ensemble.start("a", { registry: addresses });
  assert.deepEqual(a.session("registry")?.address, near.address);
  await near[Symbol.asyncDispose]();
  await eventually(
    () => a.session("registry")?.address.kind === "tcp",
    "it is connected over the other way",
  );
  const { entry } = await registryClient(registry.actors).lookup({ id: "a" });
  assert.equal(entry?.state, "up");
  const b = await ensemble.start("b", { registry: addresses });
  assert.equal(b.session("registry")?.address.kind, "tcp");
});

Deno.test("a registry that accepts and says nothing does not keep servers and commands from another", async () => {
  await using ensemble = new LocalEnsemble();
  const { near, far, addresses } = await twoWays(ensemble);
  await using _near = near;
  await using _far = far;
  const silent = await listenAt(ensemble.socket("silent"));
  const streams: { close(): void }[] = [];
  void (async () => {
    for (let next; (next = await silent.accept());) streams.push(next.stream);
  })();
  try {
    const registry = [silent.address, near.address];
    const a = await ensemble.start("a", { registry });
    assert.equal(formatAddressUrl(a.session("registry")!.address), formatAddressUrl(near.address));
    const console = await ensemble.start("console", { listen: [], register: false, registry });
    await console.connect("a");
    // It is tried last from now on.
    const tried = streams.length;
    near.cut();
    await eventually(() => a.session("registry") === undefined, "it is cut off");
    await a.connect("registry");
    assert.equal(streams.length, tried);
    void addresses;
  } finally {
    streams.forEach((stream) => stream.close());
    await silent.close();
  }
});

Deno.test("a slow registry is waited for when no other one is left", async () => {
  await using ensemble = new LocalEnsemble();
  const { near, far, addresses } = await twoWays(ensemble);
  await using _near = near;
  await far[Symbol.asyncDispose]();
  near.hang();
  const console = await ensemble.start("console", {
    listen: [],
    register: false,
    registry: addresses,
  });
  const connecting = console.connect("registry");
  await eventually(() => near.connections === 2, "it is dialled again, for there is no other");
  near.resume();
  await connecting;
});

Deno.test("a request to a registry that hangs is answered by another", async () => {
  await using ensemble = new LocalEnsemble();
  const { near, far, addresses } = await twoWays(ensemble);
  await using _near = near;
  await using _far = far;
  const a = await ensemble.start("a", { registry: addresses });
  await ensemble.start("b");
  near.hang();
  const { entry } = await registryClient(a.actors).lookup({ id: "b" });
  assert.equal(entry?.id, "b");
  assert.equal(a.session("registry")?.address.kind, "tcp");
});

Deno.test("a watcher and a registration move to another registry, and lose nothing", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  const { near, far, addresses, registry } = await twoWays(ensemble);
  await using _near = near;
  await using _far = far;
  const watcher = await ensemble.start("watcher", { registry: addresses });
  const told: string[] = [];
  void (async () => {
    for await (const { change, id } of watcher.view.watch({ role: "worker" })) {
      told.push(`${change} ${id}`);
    }
  })();
  const start = (id: string) => ensemble.start(id, { roles: ["worker"] });
  await start("a");
  await eventually(() => told.length === 1, "the first");
  near.hang();
  await start("b");
  await eventually(() => watcher.session("registry")?.address.kind === "tcp", "it has moved");
  await start("c");
  near.resume();
  await near[Symbol.asyncDispose]();
  await start("d");
  await eventually(() => told.length >= 4, "all");
  assert.deepEqual(told, ["up a", "up b", "up c", "up d"]);
  const { entry } = await registryClient(registry.actors).lookup({ id: "watcher" });
  assert.equal(entry?.state, "up");
  assert.equal(logs.matching(/the registry was lost/).length, 1);
});
