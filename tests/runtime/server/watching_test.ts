/**
 * Watching over real connections, which break, and over registries that restart.
 *
 * @module
 */
import assert from "node:assert/strict";
import { MemoryStore } from "../../../registry/local_store.ts";
import { SqliteStore } from "../../../registry/sqlite_store.ts";
import type { RegistryStore } from "../../../registry/store.ts";
import type { ActorServer } from "../../../runtime/server/actor_server.ts";
import {
  type EntryChange,
  OWN_STATES,
  registryClient,
} from "../../../runtime/server/registry_protocol.ts";
import type { WatchedChange } from "../../../runtime/server/registry_view.ts";
import { SeededRandom } from "../../seeded_random.ts";
import { eventually } from "./captured_logs.ts";
import { LocalEnsemble } from "./local_ensemble.ts";
import { Proxy } from "./proxy.ts";

/** Watches all servers with a role, into a list. */
function watch(server: ActorServer, role?: string): WatchedChange[] {
  const told: WatchedChange[] = [];
  void (async () => {
    for await (const change of server.view.watch({ role })) told.push(change);
  })();
  return told;
}

/** Makes changes of some servers at a registry, which only it knows. */
async function change(registry: ActorServer, count: number, random: SeededRandom): Promise<void> {
  const client = registryClient(registry.actors);
  for (let n = 0; n < count; n++) {
    const id = `s${random.below(30)}`;
    const instance = new Uint8Array(32).fill(Number(id.slice(1)) + 1);
    if (random.below(10) < 3) await client.remove({ id, instance });
    else {
      const roles = random.pick([["worker"], ["worker", "more"], ["other"]]);
      const entry = { id, instance, roles, addresses: [], state: random.pick(OWN_STATES), pid: n };
      await client.register({ entry });
    }
  }
}

/** All changes after a cursor, as the registry has them. */
async function changesAfter(registry: ActorServer, cursor: string): Promise<EntryChange[]> {
  const client = registryClient(registry.actors);
  const changes: EntryChange[] = [];
  for (let after = cursor;;) {
    const answer = await client.changes({ after, all: true, wait: 0 });
    assert.ok(!answer.compacted);
    changes.push(...answer.changes);
    if (answer.cursor === after || answer.changes.length === 0) return changes;
    after = answer.cursor;
  }
}

const key = ({ change, id, revision }: WatchedChange) => `${revision} ${change} ${id}`;

/** What a list of changes leads to. */
function result(changes: readonly WatchedChange[]): string[] {
  const left = new Map<string, string>();
  for (const { id, entry } of changes) {
    if (entry) left.set(id, `${id} ${entry.state} ${entry.revision}`);
    else left.delete(id);
  }
  return [...left.values()].sort();
}

async function listed(registry: ActorServer): Promise<string[]> {
  const { entries } = await registryClient(registry.actors).list({});
  return entries.map(({ id, state, revision }) => `${id} ${state} ${revision}`).sort();
}

Deno.test("a watcher whose connection breaks gets each of 1,000 changes once, in order", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  await using way = await Proxy.start({
    at: ensemble.socket("way"),
    target: ensemble.socket("registry"),
  });
  const random = new SeededRandom(1);
  await change(registry, 50, random);
  const watcher = await ensemble.start("watcher", {
    listen: [],
    register: false,
    registry: [way.address],
  });
  const told = watch(watcher);
  await eventually(() => told.length > 0, "the servers that there are");
  const { cursor } = await registryClient(registry.actors).list({ limit: 1 });
  const present = told.length;
  for (let round = 0; round < 20; round++) {
    await change(registry, 25, random);
    way.cut();
    await change(registry, 25, random);
    await eventually(() => watcher.view.awayFor === undefined, "it is connected again");
  }
  const expected = await changesAfter(registry, cursor);
  await eventually(() => told.length >= present + expected.length, "all changes", 30_000);
  assert.deepEqual(told.slice(present).map(key), expected.map(key));
  assert.deepEqual(result(told), await listed(registry));
});

for (
  const [kind, open] of [
    ["sqlite", (directory: string) => SqliteStore.open(`${directory}/registry.db`)],
    ["memory", () => new MemoryStore()],
  ] as const
) {
  Deno.test(`a watcher ends with the same servers as a list when a ${kind} registry restarts`, async () => {
    await using ensemble = new LocalEnsemble();
    const start = async () => {
      const store: RegistryStore = await open(ensemble.directory);
      return await ensemble.startRegistry(store);
    };
    let registry = await start();
    const random = new SeededRandom(2);
    const watcher = await ensemble.startConsole();
    await change(registry, 50, random);
    const told = watch(watcher);
    await eventually(() => told.length > 0, "the servers that there are");
    const present = told.length;
    const { cursor } = await registryClient(registry.actors).list({ limit: 1 });
    for (let round = 0; round < 5; round++) {
      await change(registry, 40, random);
      await ensemble.stop(registry);
      registry = await start();
      await change(registry, 40, random);
    }
    const expected = await listed(registry);
    // Of an entry that is as it was before the restart, the new revision is not told.
    const seen = (servers: string[]) =>
      kind === "memory" ? servers.map((server) => server.replace(/ \d+$/, "")) : servers;
    const isSame = () => `${seen(result(told))}` === `${seen(expected)}`;
    await eventually(isSame, "the same servers", 30_000);
    if (kind === "memory") return;
    // And no change was lost or told twice.
    assert.deepEqual(
      told.slice(present).map(key),
      (await changesAfter(registry, cursor)).map(key),
    );
  });
}

Deno.test("watch gives what happens to servers: they start, are ready, change and stop", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const watcher = await ensemble.start("watcher");
  await ensemble.start("a", { roles: ["worker"] });
  const told = watch(watcher, "worker");
  const step = async (make: () => Promise<unknown>, expected: string) => {
    await make();
    await eventually(() => told.length > 0, expected);
    assert.deepEqual(told.splice(0).map(({ change, id }) => `${change} ${id}`), [expected]);
  };
  await step(() => Promise.resolve(), "present a");
  const held = await (async () => {
    let server: ActorServer | undefined;
    await step(
      async () => server = await ensemble.start("b", { roles: ["worker"], holdReady: true }),
      "starting b",
    );
    return server!;
  })();
  await step(() => held.ready(), "up b");
  await step(
    () => held.extend({ listen: [], roles: ["more"], grace: 0 }),
    "changed b",
  );
  await step(() => ensemble.stop(held), "left b");
});
