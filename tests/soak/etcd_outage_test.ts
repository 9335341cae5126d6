import assert from "node:assert/strict";
import { EtcdStore } from "../../registry/etcd_store.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { EtcdCluster } from "../etcd_cluster.ts";
import { FollowedStore, ownEntry } from "../registry/followed_store.ts";
import { testWith } from "../requirements.ts";

const MINUTE = 60_000;

/** How long it may take until all is well again, in ms. */
const RECOVERY = 20_000;

/** Servers that stay registered at a store, as real ones do: each renews, or registers again. */
class Servers implements Disposable {
  readonly ids = Array.from({ length: 20 }, (_, at) => `s${at}`);
  readonly #timers: ReturnType<typeof setInterval>[];

  constructor(store: FollowedStore) {
    const { lease } = store.store;
    this.#timers = this.ids.map((id) =>
      setInterval(() => this.#renew(store, id).catch(ignoreRefusal), lease / 3)
    );
  }

  async #renew(store: FollowedStore, id: string): Promise<void> {
    const { instance } = ownEntry(id);
    if (!await store.store.renew(id, instance)) await store.put(ownEntry(id));
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
  }
}

/** While the cluster does not answer, changes are refused. */
function ignoreRefusal(error: unknown): void {
  if (error instanceof EnsembleError || /has changed/.test((error as Error).message)) return;
  throw error;
}

async function sleep(time: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, time));
}

async function eventually(condition: () => boolean, what: string): Promise<void> {
  const late = performance.now() + RECOVERY;
  while (!condition()) {
    assert.ok(performance.now() < late, what);
    await sleep(50);
  }
}

/** Runs servers at two registries, does something to the cluster, and checks that all is as before. */
async function survive(outage: (cluster: EtcdCluster) => Promise<void>): Promise<void> {
  await using cluster = await EtcdCluster.start({ size: 3 });
  const start = () =>
    FollowedStore.start(new EtcdStore({ members: cluster.addresses, prefix: "soak" }));
  await using first = await start();
  await using second = await start();
  using servers = new Servers(first);
  const areUp = (store: FollowedStore) =>
    servers.ids.every((id) => store.get(id)?.state === "up") &&
    store.directory.staleFor === undefined;
  await eventually(() => areUp(first) && areUp(second), "all register");
  await outage(cluster);
  for (const store of [first, second]) {
    assert.ok(servers.ids.every((id) => store.get(id)), "the last known entries");
  }
  await eventually(() => areUp(first) && areUp(second), "all are up again");
  const revision = await second.put(ownEntry("new"));
  await first.directory.reached(revision);
  await second.directory.reached(first.directory.revision);
  assert.deepEqual(first.entries, second.entries);
  assert.deepEqual(first.changes.map(describe), second.changes.map(describe));
}

function describe({ change, id, revision }: FollowedStore["changes"][number]): string {
  return `${revision} ${change} ${id}`;
}

testWith(["etcd"], {
  name: "registries survive that the whole of etcd hangs for a minute",
  timeout: 5 * MINUTE,
  fn: () =>
    survive(async (cluster) => {
      cluster.signalAll("SIGSTOP");
      await sleep(MINUTE);
      cluster.signalAll("SIGCONT");
    }),
});

testWith(["etcd"], {
  name: "registries survive that the whole of etcd is dead for a minute",
  timeout: 5 * MINUTE,
  fn: () =>
    survive(async (cluster) => {
      await cluster.killAll();
      await sleep(MINUTE);
      cluster.startAll();
    }),
});

testWith(["etcd"], {
  name: "registries survive an etcd whose members stop for a moment, one after the other",
  timeout: 5 * MINUTE,
  fn: () =>
    survive(async (cluster) => {
      for (let pulse = 0; pulse < 30; pulse++) {
        const member = cluster.members[pulse % 3]!;
        member.signal("SIGSTOP");
        await sleep(1_500);
        member.signal("SIGCONT");
        await sleep(500);
      }
    }),
});
