import assert from "node:assert/strict";
import { BlockingQueries } from "../../registry/blocking_queries.ts";
import { MemoryStore } from "../../registry/local_store.ts";
import { SqliteStore } from "../../registry/sqlite_store.ts";
import { KEPT_CHANGES } from "../../registry/store.ts";
import { ActorRef } from "../../runtime/actor/references.ts";
import {
  type ChangesQuery,
  MAX_CHANGES,
  type RegistryChanges,
  registryClient,
} from "../../runtime/server/registry_protocol.ts";
import { eventually } from "../runtime/server/captured_logs.ts";
import { LocalEnsemble } from "../runtime/server/local_ensemble.ts";
import { FollowedStore, ownEntry } from "./followed_store.ts";

/** Longer than any test. */
const LONG = 60_000;

/** Queries over a store in memory. */
class Queried implements AsyncDisposable {
  readonly followed: FollowedStore;
  readonly queries: BlockingQueries;
  readonly start: string;

  private constructor(followed: FollowedStore, shared: boolean) {
    this.followed = followed;
    const { epoch } = followed.store;
    this.queries = new BlockingQueries(followed.directory, { epoch, shared });
    this.start = this.queries.cursor();
  }

  static async start({ shared = false } = {}): Promise<Queried> {
    return new Queried(await FollowedStore.start(new MemoryStore()), shared);
  }

  /** Asks as an actor of a server. */
  ask(query: Partial<ChangesQuery>, actor: string | number = "watcher", server = "w") {
    const asker = new ActorRef(server, actor);
    return this.queries.ask(asker, { after: this.start, wait: LONG, all: true, ...query });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.queries.close();
    await this.followed.store.close();
  }
}

function told({ changes }: RegistryChanges): string[] {
  return changes.map(({ change, id }) => `${change} ${id}`);
}

Deno.test("a query is answered at once with the changes after its cursor", async () => {
  await using queried = await Queried.start();
  const { followed } = queried;
  await followed.put(ownEntry("a", { state: "starting" }));
  const cursor = queried.queries.cursor();
  await followed.put(ownEntry("a"));
  await followed.remove("a");
  const all = await queried.ask({});
  assert.deepEqual(told(all), ["starting a", "up a", "left a"]);
  assert.equal(all.cursor, queried.queries.cursor());
  assert.equal(all.compacted, undefined);
  assert.deepEqual(told(await queried.ask({ after: cursor })), ["up a", "left a"]);
  assert.deepEqual(Object.keys(all.changes[0]!).sort(), [
    "change",
    "entry",
    "id",
    "revision",
    "roles",
  ]);
});

Deno.test("a query without a change to tell waits for one", async () => {
  await using queried = await Queried.start();
  const asked = queried.ask({});
  assert.equal(queried.queries.size, 1);
  const revision = await queried.followed.put(ownEntry("a"));
  const answer = await asked;
  assert.deepEqual(told(answer), ["up a"]);
  assert.equal(answer.changes[0]!.revision, revision);
  assert.equal(queried.queries.size, 0);
});

Deno.test("changes that come at once are one answer", async () => {
  await using queried = await Queried.start();
  const asked = queried.ask({});
  const ids = Array.from({ length: 20 }, (_, n) => `s${n}`);
  await Promise.all(ids.map((id) => queried.followed.put(ownEntry(id))));
  assert.deepEqual(told(await asked), ids.map((id) => `up ${id}`));
});

Deno.test("a query gets the changes of its ids and roles, also of a role that is lost", async () => {
  await using queried = await Queried.start();
  const { followed } = queried;
  const wanted = { all: false, ids: ["a"], roles: ["r", "s"] };
  const changes = [
    () => followed.put(ownEntry("a")),
    () => followed.put(ownEntry("b", { roles: ["x"] })),
    () => followed.put(ownEntry("b", { roles: ["x", "r"] })),
    () => followed.put(ownEntry("b", { roles: ["x"] })),
    () => followed.remove("b"),
    () => followed.put(ownEntry("c", { roles: ["r", "s"] })),
    () => followed.remove("c"),
    () => followed.remove("a"),
  ];
  const expected = ["up a", "changed b", "changed b", "up c", "left c", "left a"];
  // First each as it comes, with new queries; then all at once, from the log.
  const live: string[] = [];
  let after = queried.start;
  const watching = (async () => {
    while (live.length < expected.length) {
      const answer = await queried.ask({ ...wanted, after });
      live.push(...told(answer));
      after = answer.cursor;
    }
  })();
  for (const change of changes) await change();
  await watching;
  assert.deepEqual(live, expected);
  assert.deepEqual(told(await queried.ask(wanted)), expected);
  const [, gained, lost] = (await queried.ask(wanted)).changes;
  assert.deepEqual(gained!.roles, ["x", "r"]);
  assert.deepEqual(lost!.roles, ["x"]);
});

Deno.test("a query for nothing, or for what does not change, is answered empty when its time is over", async () => {
  await using queried = await Queried.start();
  const asked = queried.ask({ all: false, ids: ["other"], wait: 20 });
  await queried.followed.put(ownEntry("a"));
  const answer = await asked;
  assert.deepEqual(answer.changes, []);
  // What it does not want is behind it.
  assert.equal(answer.cursor, queried.queries.cursor());
  assert.deepEqual((await queried.ask({ all: false, wait: 1 })).changes, []);
  assert.deepEqual((await queried.ask({ after: answer.cursor, wait: 0 })).changes, []);
});

Deno.test("an answer holds a limited number of changes, and its cursor goes on after them", async () => {
  await using queried = await Queried.start();
  const count = 2 * MAX_CHANGES + 10;
  const ids = Array.from({ length: count }, (_, n) => `s${n}`);
  const waiting = queried.ask({});
  await Promise.all(ids.map((id) => queried.followed.put(ownEntry(id))));
  let answer = await waiting;
  const found = answer.changes.map(({ id }) => id);
  assert.equal(found.length, MAX_CHANGES);
  while (answer.changes.length > 0) {
    answer = await queried.ask({ after: answer.cursor, wait: 0 });
    assert.ok(answer.changes.length <= MAX_CHANGES);
    found.push(...answer.changes.map(({ id }) => id));
  }
  assert.deepEqual(found, ids);
});

Deno.test("a cursor that is too old, of another epoch, or none, is compacted", async () => {
  await using queried = await Queried.start();
  const { followed, start } = queried;
  for (let n = 0; n < 2 * KEPT_CHANGES; n += 500) {
    const entries = Array.from({ length: 500 }, (_, at) => ownEntry(`s${n + at}`));
    await Promise.all(entries.map((entry) => followed.put(entry)));
  }
  const { epoch } = followed.store;
  for (
    const after of [start, `other:${followed.directory.revision}`, "", ":", `${epoch}:x`, epoch]
  ) {
    assert.deepEqual(
      await queried.ask({ after }),
      { changes: [], compacted: true, cursor: queried.queries.cursor() },
      after,
    );
  }
  const kept = `${epoch}:${followed.directory.revision - KEPT_CHANGES}`;
  assert.equal((await queried.ask({ after: kept })).changes.length, MAX_CHANGES);
});

Deno.test("a query that waits while more changes come than are kept has missed none", async () => {
  await using queried = await Queried.start();
  const { followed } = queried;
  const asked = queried.ask({ all: false, ids: ["wanted"] });
  for (let n = 0; n < 2 * KEPT_CHANGES; n += 1_000) {
    const entries = Array.from({ length: 1_000 }, (_, at) => ownEntry(`s${n + at}`));
    await Promise.all(entries.map((entry) => followed.put(entry)));
  }
  await followed.put(ownEntry("wanted"));
  const answer = await asked;
  assert.equal(answer.compacted, undefined);
  assert.deepEqual(told(answer), ["up wanted"]);
});

Deno.test("a cursor of a registry that is further waits until this one is", async () => {
  await using queried = await Queried.start({ shared: true });
  const { followed } = queried;
  await followed.put(ownEntry("a"));
  const ahead = queried.queries.cursor(followed.directory.revision + 2);
  const empty = await queried.ask({ after: ahead, wait: 1 });
  assert.deepEqual(empty, { changes: [], cursor: ahead });
  const asked = queried.ask({ after: ahead });
  for (const id of ["b", "c", "d"]) await followed.put(ownEntry(id));
  assert.deepEqual(told(await asked), ["up d"]);
});

Deno.test("when all entries are new, a waiting query is compacted", async () => {
  await using queried = await Queried.start();
  const asked = queried.ask({});
  queried.followed.directory.snapshot({ entries: [], revision: 1_000 });
  assert.deepEqual(await asked, {
    changes: [],
    compacted: true,
    cursor: queried.queries.cursor(1_000),
  });
});

Deno.test("a newer query of the same actor ends its earlier one, and no other", async () => {
  await using queried = await Queried.start();
  const first = queried.ask({ wait: LONG }, "one");
  const other = queried.ask({ wait: LONG }, "two");
  const second = queried.ask({ wait: LONG }, "one");
  assert.deepEqual(await first, { changes: [], cursor: queried.start });
  assert.equal(queried.queries.size, 2);
  await queried.followed.put(ownEntry("a"));
  assert.deepEqual([told(await other), told(await second)], [["up a"], ["up a"]]);
});

Deno.test("the waiting queries of a server are limited, and those of others are not affected", async () => {
  await using queried = await Queried.start();
  const asked = Array.from({ length: 64 }, (_, n) => queried.ask({}, n));
  await assert.rejects(queried.ask({}, 64), {
    code: "LIMIT_REACHED",
    message: "w has 64 waiting queries for changes: wait until one is answered",
  });
  const renewed = queried.ask({}, 63);
  asked.push(renewed, queried.ask({}, 0, "other"));
  await queried.followed.put(ownEntry("a"));
  const answers = await Promise.all(asked);
  assert.equal(answers.filter((answer) => told(answer).length === 1).length, 65);
  assert.deepEqual((await queried.ask({}, 64)).changes.length, 1);
});

Deno.test("answers to many queries leave turns to others, and miss nothing that comes in between", async () => {
  await using queried = await Queried.start();
  const ids = Array.from({ length: 1_000 }, (_, n) => `w${n}`);
  let answered = 0;
  const asked = ids.map(async (id) => {
    const answer = await queried.ask({}, "watcher", id);
    answered++;
    return { id, answer };
  });
  await queried.followed.put(ownEntry("a"));
  await Promise.race(asked);
  assert.ok(answered < ids.length, `${answered}`);
  await queried.followed.put(ownEntry("b"));
  for (const { id, answer } of await Promise.all(asked)) {
    const later = await queried.ask({ after: answer.cursor, wait: 0 }, "watcher", id);
    assert.deepEqual([...told(answer), ...told(later)], ["up a", "up b"]);
  }
});

Deno.test("a stale answer says so", async () => {
  await using queried = await Queried.start();
  queried.followed.directory.stale(performance.now() - 3_000);
  const { staleFor } = await queried.ask({ wait: 0 });
  assert.ok(staleFor! >= 3_000);
});

Deno.test("queries end with the connection of the server that asks, and do not hold up the registry", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const sizes: number[] = [];
  const { disconnected } = BlockingQueries.prototype;
  BlockingQueries.prototype.disconnected = function (this: BlockingQueries, server) {
    const before = this.size;
    disconnected.call(this, server);
    sizes.push(before, this.size);
  };
  try {
    const console = await ensemble.startConsole();
    const { list, changes } = registryClient(console.actors);
    const { cursor } = await list({});
    const asked = changes({ after: cursor, all: true, wait: LONG }, { timeout: LONG });
    asked.catch(() => {});
    await registryClient(console.actors).lookup({ id: "a" });
    await ensemble.stop(console);
    await eventually(() => sizes.length > 0, "the connection has ended");
    assert.deepEqual(sizes.slice(0, 2), [1, 0]);
    // And one whose asker is still there.
    const other = await ensemble.startConsole("other");
    const waiting = registryClient(other.actors).changes(
      { after: cursor, all: true, wait: LONG },
      { timeout: LONG },
    );
    const failed = assert.rejects(waiting);
    await registryClient(other.actors).lookup({ id: "a" });
    await ensemble.stop(registry);
    await failed;
  } finally {
    BlockingQueries.prototype.disconnected = disconnected;
  }
});

Deno.test("a cursor goes on after a restart of the registry on its file", async () => {
  await using ensemble = new LocalEnsemble();
  const path = `${ensemble.directory}/registry.db`;
  const first = await ensemble.startRegistry(await SqliteStore.open(path));
  const { cursor } = await registryClient(first.actors).list({});
  const { register } = registryClient(first.actors);
  await register({ entry: ownEntry("a", { state: "starting", roles: ["r"] }) });
  await register({ entry: ownEntry("b") });
  await ensemble.stop(first);
  const second = await ensemble.startRegistry(await SqliteStore.open(path));
  const client = registryClient(second.actors);
  const found = await client.changes({ after: cursor, all: true, wait: 0 });
  assert.deepEqual(told(found), ["starting a", "up b"]);
  await client.register({ entry: ownEntry("a", { roles: ["r"] }) });
  const later = await client.changes({ after: found.cursor, roles: ["r"], wait: 0 });
  assert.deepEqual(told(later), ["up a"]);
});

Deno.test("a cursor is compacted when the registry's file was replaced by an older copy", async () => {
  await using ensemble = new LocalEnsemble();
  const path = `${ensemble.directory}/registry.db`;
  const start = async () => await ensemble.startRegistry(await SqliteStore.open(path));
  const first = await start();
  await registryClient(first.actors).register({ entry: ownEntry("a") });
  await ensemble.stop(first);
  const backup = await Deno.readFile(path);
  const second = await start();
  await registryClient(second.actors).register({ entry: ownEntry("b") });
  const { cursor } = await registryClient(second.actors).list({});
  await ensemble.stop(second);
  await Deno.writeFile(path, backup);
  const third = await start();
  const { changes, list } = registryClient(third.actors);
  const answer = await changes({ after: cursor, all: true, wait: LONG });
  assert.deepEqual(answer, { changes: [], compacted: true, cursor: (await list({})).cursor });
});
