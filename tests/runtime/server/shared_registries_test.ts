/**
 * Two registries over one etcd, one of which is stopped or killed.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { ActorServer } from "../../../runtime/server/actor_server.ts";
import { formatEndpoint, type InternetAddress } from "../../../runtime/wire/address.ts";
import { registryClient } from "../../../runtime/server/registry_protocol.ts";
import { EtcdCluster } from "../../etcd_cluster.ts";
import { testWith } from "../../requirements.ts";
import { eventually } from "./captured_logs.ts";
import { ChildRegistry } from "./child_registry.ts";
import { LocalEnsemble } from "./local_ensemble.ts";
import { Proxy } from "./proxy.ts";

for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
  testWith(["etcd"], {
    name: `servers, lookups and watchers go on with another registry after ${signal}`,
    async fn() {
      await using cluster = await EtcdCluster.start();
      await using ensemble = new LocalEnsemble();
      const store = cluster.url("shared");
      await using first = await ChildRegistry.start(ensemble, { name: "registry1", store });
      await using second = await ChildRegistry.start(ensemble, { name: "registry2", store });
      const registry = [first.address, second.address];
      const start = (id: string, which: ChildRegistry[] = []) =>
        ensemble.start(id, {
          roles: ["worker"],
          registry: which.length > 0 ? which.map(({ address }) => address) : registry,
        });
      // Each at its own registry.
      const watcher = await ensemble.start("watcher", { register: false, listen: [], registry });
      const told: string[] = [];
      void (async () => {
        for await (const { change, id } of watcher.view.watch({ role: "worker" })) {
          told.push(`${change} ${id}`);
        }
      })();
      const a = await start("a");
      await start("b", [second]);
      await eventually(() => told.length === 2, "both are seen at the first registry");
      // It may have begun to watch after the first had registered: then that is `present`.
      assert.deepEqual(told.map((line) => line.replace(/^(up|present) /, "")).toSorted(), [
        "a",
        "b",
      ]);
      first.signal(signal);
      // A lookup waits for a second at most, and does not fail.
      const { entry } = await registryClient(a.actors).lookup({ id: "b" }, { timeout: 5_000 });
      assert.equal(entry?.state, "up");
      const c = await start("c");
      await ensemble.stop(c);
      const console = await ensemble.start("console", { register: false, listen: [], registry });
      const found = await registryClient(console.actors).list({ role: "worker" });
      assert.deepEqual(found.entries.map(({ id }) => id), ["a", "b"]);
      await eventually(() => told.length >= 4, "the watcher has moved", 20_000);
      assert.deepEqual(told.slice(2), ["up c", "left c"]);
      await eventually(() => isUsed(a, second), "a renews at the other one", 20_000);
    },
  });
}

testWith(["etcd"], {
  name: "a server leaves a registry that is cut off from its store",
  async fn() {
    await using cluster = await EtcdCluster.start();
    await using ensemble = new LocalEnsemble();
    const at = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
    await using way = await Proxy.start({ at, target: cluster.addresses[0]! });
    const store = `etcd://${formatEndpoint(way.address as InternetAddress)}/shared`;
    const start = (name: string, store: string) =>
      ChildRegistry.start(ensemble, { name, store, lease: 6_000 });
    await using cutOff = await start("registry1", store);
    await using other = await start("registry2", cluster.url("shared"));
    const registry = [cutOff.address, other.address];
    const a = await ensemble.start("a", { registry });
    const client = registryClient(a.actors);
    assert.ok(isUsed(a, cutOff));
    way.hang();
    await eventually(
      async () => (await client.lookup({ id: "a" })).staleFor !== undefined,
      "stale",
    );
    // What is known last.
    assert.equal((await client.lookup({ id: "a" })).entry?.state, "up");
    await eventually(() => isUsed(a, other), "a renews at the other one", 20_000);
    assert.deepEqual((await client.lookup({ id: "a" })).entry?.state, "up");
    const b = await ensemble.start("b", { registry });
    assert.ok(isUsed(b, other));
  },
});

function isUsed(server: ActorServer, registry: ChildRegistry): boolean {
  const address = server.session("registry")?.address;
  return address?.kind === "unix" && registry.address.kind === "unix" &&
    address.path === registry.address.path;
}
