import assert from "node:assert/strict";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import { registryClient } from "../../runtime/server/registry_protocol.ts";
import { EtcdCluster } from "../etcd_cluster.ts";
import { testWith } from "../requirements.ts";
import { eventually } from "../runtime/server/captured_logs.ts";
import { ChildRegistry } from "../runtime/server/child_registry.ts";
import { LocalEnsemble } from "../runtime/server/local_ensemble.ts";

/** The number of servers. */
const SERVERS = 50;

/** How long a lookup may take, in ms. */
const LOOKUP_TIMEOUT = 1_000;

/** How long each server waits after a lookup, in ms. */
const LOOKUP_PAUSE = 200;

/** Servers that look each other up at the registry until they are told to stop. */
class Lookups {
  /** The number of answers. */
  count = 0;
  /** What was not found, or not in time. */
  readonly failures: string[] = [];
  /** The longest time until an answer, in ms. */
  longest = 0;
  #isOver = false;
  readonly #all: Promise<void[]>;

  constructor(servers: readonly ActorServer[]) {
    this.#all = Promise.all(servers.map((server, at) => this.#lookUp(server, servers, at)));
  }

  async #lookUp(server: ActorServer, servers: readonly ActorServer[], at: number): Promise<void> {
    const registry = registryClient(server.actors);
    for (let next = at; !this.#isOver; next++) {
      const { id } = servers[next % servers.length]!;
      const start = performance.now();
      try {
        const { entry } = await registry.lookup({ id }, { timeout: LOOKUP_TIMEOUT });
        if (entry?.state !== "up") this.failures.push(`${id} is ${entry?.state}`);
      } catch (error) {
        this.failures.push((error as Error).message);
      }
      this.longest = Math.max(this.longest, performance.now() - start);
      this.count++;
      await pause(LOOKUP_PAUSE);
    }
  }

  /** Waits for so many more answers. */
  async more(count: number): Promise<void> {
    const wanted = this.count + count;
    await eventually(() => this.count >= wanted, `${count} more lookups`, 60_000);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#all;
  }
}

testWith(["etcd"], {
  name:
    "50 servers at two registries over three members of etcd: lookups are answered in time when one of each is killed",
  timeout: 240_000,
  async fn() {
    await using cluster = await EtcdCluster.start({ size: 3 });
    await using ensemble = new LocalEnsemble();
    const store = cluster.url("soak");
    await using first = await ChildRegistry.start(ensemble, { name: "registry1", store });
    await using second = await ChildRegistry.start(ensemble, { name: "registry2", store });
    const near = [first.address, second.address];
    const servers: ActorServer[] = [];
    for (let at = 0; at < SERVERS; at++) {
      const registry = at % 2 === 0 ? near : near.toReversed();
      servers.push(await ensemble.start(`server${at}`, { roles: ["worker"], registry }));
    }
    const lookups = new Lookups(servers);
    await lookups.more(10 * SERVERS);
    first.signal("SIGKILL");
    await lookups.more(20 * SERVERS);
    await (await cluster.leader()).kill();
    // Longer than a lease: no server may lose its entry.
    await lookups.more(100 * SERVERS);
    await lookups.end();
    assert.deepEqual(lookups.failures, []);
    const { entries } = await registryClient(servers[0]!.actors).list({ role: "worker" });
    assert.equal(entries.length, SERVERS);
  },
});

function pause(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time));
}
