import assert from "node:assert/strict";
import { DisconnectedError } from "../../../runtime/errors.ts";
import type { AskOptions } from "../../../runtime/actor/messaging.ts";
import {
  type ChangesQuery,
  type EntryChange,
  groupsOf,
  type ListQuery,
  type RegistryChanges,
  type RegistryEntry,
  revisionOf,
  type ServerState,
} from "../../../runtime/server/registry_protocol.ts";
import {
  FOLLOW_DELAY,
  FOLLOWED_TIME,
  RegistryView,
  type ViewedRegistry,
  type Watched,
  type WatchedChange,
} from "../../../runtime/server/registry_view.ts";
import { type FakeClock, stopClock } from "../../fake_clock.ts";
import { CapturedLogs, eventually } from "./captured_logs.ts";

const WAIT = 60_000;

/** What a change of a group affects, apart from roles. */
function asInterest(group: string): string {
  return `group ${group}`;
}

function interestsIn({ roles = [], groups = [] }: ChangesQuery): string[] {
  return [...roles, ...groups.map(asInterest)];
}

/** A registry in memory that can be away, and can lose its changes. */
class FakeRegistry implements ViewedRegistry {
  readonly entries = new Map<string, RegistryEntry>();
  readonly lookups: string[] = [];
  readonly lists: ListQuery[] = [];
  readonly queries: ChangesQuery[] = [];
  epoch = "one";
  revision = 0;
  isAway = false;
  #log: { readonly change: EntryChange; readonly affected: readonly string[] }[] = [];
  #waiting: { query: ChangesQuery; settle: PromiseWithResolvers<RegistryChanges> } | undefined;

  get cursor(): string {
    return `${this.epoch}:${this.revision}`;
  }

  /** The query that waits. */
  get waiting(): ChangesQuery | undefined {
    return this.#waiting?.query;
  }

  put(
    id: string,
    state: ServerState = "up",
    roles: readonly string[] = ["worker"],
    groups: Readonly<Record<string, number>> = {},
  ): void {
    const old = this.entries.get(id);
    const entry = {
      id,
      state,
      roles,
      groups,
      revision: ++this.revision,
      addresses: [],
      instance: new Uint8Array(32),
    };
    this.entries.set(id, entry);
    const change = old?.state === state ? "changed" : state;
    this.#tell({ change, id, roles, revision: this.revision, entry }, [
      ...old?.roles ?? [],
      ...groupsOf(old).map(asInterest),
    ]);
  }

  remove(id: string, change: "left" | "gone" = "left"): void {
    const old = this.entries.get(id)!;
    this.entries.delete(id);
    const { roles } = old;
    this.#tell({ change, id, roles, revision: ++this.revision }, groupsOf(old).map(asInterest));
  }

  /** Forgets the changes, and its entries with them. */
  restart(): void {
    this.epoch = "two";
    this.revision = 0;
    this.entries.clear();
    this.#log = [];
  }

  goAway(): void {
    this.isAway = true;
    this.#waiting?.settle.reject(new DisconnectedError("the registry was lost"));
    this.#waiting = undefined;
  }

  comeBack(): void {
    this.isAway = false;
  }

  lookup({ id }: { id: string }) {
    this.lookups.push(id);
    return this.#answer(() => ({ entry: this.entries.get(id), cursor: this.cursor }));
  }

  list(query: ListQuery) {
    this.lists.push(query);
    return this.#answer(() => ({
      entries: [...this.entries.values()].filter(({ roles, groups = {} }) =>
        (query.role === undefined || roles.includes(query.role)) &&
        (query.group === undefined || query.group in groups)
      ),
      cursor: this.cursor,
    }));
  }

  async changes(query: ChangesQuery, { signal }: AskOptions = {}): Promise<RegistryChanges> {
    this.queries.push(query);
    const now = await this.#answer(() => this.#look(query));
    if (now) return now;
    const settle = Promise.withResolvers<RegistryChanges>();
    const waiting = this.#waiting = { query, settle };
    signal?.addEventListener("abort", () => {
      settle.reject(signal.reason);
      if (this.#waiting === waiting) this.#waiting = undefined;
    });
    return await settle.promise;
  }

  #look(query: ChangesQuery): RegistryChanges | undefined {
    if (!query.after.startsWith(`${this.epoch}:`)) {
      return { cursor: this.cursor, changes: [], compacted: true };
    }
    const { all, ids = [], wait } = query;
    const roles = interestsIn(query);
    const changes = this.#log.filter(({ change, affected }) =>
      change.revision > revisionOf(query.after) &&
      (all || ids.includes(change.id) || affected.some((role) => roles.includes(role)))
    ).map(({ change }) => change);
    return changes.length > 0 || wait === 0 ? { cursor: this.cursor, changes } : undefined;
  }

  #tell(change: EntryChange, lostRoles: readonly string[] = []): void {
    const affected = [...change.roles, ...lostRoles, ...groupsOf(change.entry).map(asInterest)];
    this.#log.push({ change, affected });
    const { query, settle } = this.#waiting ?? {};
    if (!query || !settle) return;
    const { all, ids } = query;
    const roles = interestsIn(query);
    const isWanted = all || ids?.includes(change.id) ||
      affected.some((role) => roles.includes(role));
    if (!isWanted) return;
    this.#waiting = undefined;
    settle.resolve({ cursor: this.cursor, changes: [change] });
  }

  async #answer<Result>(make: () => Result): Promise<Result> {
    await Promise.resolve();
    if (this.isAway) throw new DisconnectedError("the registry is away");
    return make();
  }
}

/** A view of a fake registry, on a clock of its own. */
class Viewed implements Disposable {
  readonly clock: FakeClock = stopClock("setTimeout", "clearTimeout", "performance");
  readonly registry = new FakeRegistry();
  readonly view = new RegistryView(this.registry, { wait: WAIT });

  /** Waits until the registry has a query for what is followed. */
  async followed(): Promise<ChangesQuery> {
    await this.clock.tickAsync(FOLLOW_DELAY);
    await eventually(() => this.registry.waiting !== undefined);
    return this.registry.waiting!;
  }

  /** Takes what a watcher is told, into a list. */
  watch(watched: Watched): WatchedChange[] {
    const told: WatchedChange[] = [];
    void (async () => {
      for await (const change of this.view.watch(watched)) told.push(change);
    })();
    return told;
  }

  [Symbol.dispose](): void {
    this.view.close();
    this.clock[Symbol.dispose]();
  }
}

const shown = (changes: readonly WatchedChange[]) =>
  changes.map(({ change, id }) => `${change} ${id}`);

Deno.test("refresh asks the registry, which tells of changes from then on", async () => {
  using viewed = new Viewed();
  const { registry, view } = viewed;
  registry.put("a");
  assert.equal(view.known("a"), undefined);
  assert.equal((await view.refresh("a"))?.state, "up");
  assert.equal(
    registry.queries.length,
    0,
    "a program that only looks something up is gone by then",
  );
  const query = await viewed.followed();
  assert.deepEqual({ ...query, wait: 0 }, { after: "one:1", ids: ["a"], roles: [], wait: 0 });
  registry.put("a", "unreachable");
  await eventually(() => view.known("a")?.state === "unreachable");
  await eventually(() => registry.waiting !== undefined);
  registry.remove("a", "gone");
  await eventually(() => view.known("a") === undefined);
  assert.deepEqual(registry.lookups, ["a"]);
});

Deno.test("a change between a lookup and the first query is not missed", async () => {
  using viewed = new Viewed();
  const { registry, view } = viewed;
  registry.put("a");
  await view.refresh("a");
  registry.put("a", "draining");
  await viewed.followed();
  assert.equal(view.known("a")?.state, "draining");
});

Deno.test("withRole asks once, and then answers from the view", async () => {
  using viewed = new Viewed();
  const { registry, view } = viewed;
  registry.put("b");
  registry.put("a");
  registry.put("c", "up", ["other"]);
  const ids = async () => (await view.withRole("worker")).map(({ id }) => id);
  assert.deepEqual(await ids(), ["a", "b"]);
  await viewed.followed();
  registry.put("d");
  registry.put("a", "up", ["other"]);
  await eventually(() => registry.waiting !== undefined);
  assert.deepEqual(await ids(), ["b", "d"]);
  assert.equal(registry.lists.length, 1);
});

Deno.test("withGroup follows a group at once, and does not wait for a registry that is away", async () => {
  using logs = await CapturedLogs.start();
  using viewed = new Viewed();
  const { registry, view } = viewed;
  registry.put("a", "up", [], { g: 1 });
  registry.put("b", "up", [], { h: 1 });
  assert.equal(view.knownWithGroup("g"), undefined);
  assert.deepEqual((await view.withGroup("g")).map(({ id }) => id), ["a"]);
  await viewed.clock.tickAsync(1);
  await eventually(() => registry.waiting !== undefined);
  assert.deepEqual(registry.waiting?.groups, ["g"]);
  const step = async (make: () => void) => {
    make();
    await eventually(() => registry.waiting !== undefined);
    return view.knownWithGroup("g")!.map(({ id, groups }) => `${id} ${groups?.g}`);
  };
  assert.deepEqual(await step(() => registry.put("b", "up", [], { h: 1, g: 2 })), ["a 1", "b 2"]);
  assert.deepEqual(await step(() => registry.put("a", "up", [], { g: 3 })), ["a 3", "b 2"]);
  assert.deepEqual(await step(() => registry.put("b", "up", [], { h: 1 })), ["a 3"]);
  assert.deepEqual(await step(() => registry.remove("a")), []);
  assert.deepEqual(await step(() => registry.put("b", "draining", [], { g: 1 })), ["b 1"]);
  registry.goAway();
  await eventually(() => view.awayFor !== undefined);
  assert.deepEqual((await view.withGroup("g")).map(({ id }) => id), ["b"]);
  await assert.rejects(view.withGroup("h"), DisconnectedError);
  assert.equal(registry.lists.length, 2);
  assert.deepEqual(logs.lines, [
    "WARN registry: the registry was lost; until the registry is back, servers are found where they were last",
  ]);
});

Deno.test("all changes are asked for when there are too many servers to name", async () => {
  using viewed = new Viewed();
  const { registry, view } = viewed;
  for (let n = 0; n < 256; n++) await view.refresh(`s${n}`);
  assert.equal((await viewed.followed()).ids?.length, 256);
  await view.refresh("s256");
  await viewed.clock.tickAsync(FOLLOW_DELAY);
  await eventually(() => registry.waiting?.all === true);
  registry.put("s256");
  await eventually(() => view.known("s256") !== undefined);
});

Deno.test("servers and roles that are not asked for any more are not followed any more", async () => {
  using viewed = new Viewed();
  const { registry, view } = viewed;
  registry.put("a");
  await view.refresh("a");
  await view.refresh("b");
  await view.withRole("worker");
  await viewed.followed();
  assert.equal(view.size, 3);
  await viewed.clock.tickAsync(FOLLOWED_TIME - 1);
  view.lastKnown("a");
  await viewed.clock.tickAsync(2);
  registry.put("a");
  await eventually(() => view.size === 1);
  assert.deepEqual((await viewed.followed()).ids, ["a"]);
});

Deno.test("while the registry is away, the last known entries are used, and the log says so once", async () => {
  using logs = await CapturedLogs.start();
  using viewed = new Viewed();
  const { registry, view } = viewed;
  registry.put("a");
  await view.withRole("worker");
  await view.refresh("a");
  await viewed.followed();
  registry.goAway();
  await eventually(() => view.awayFor !== undefined);
  assert.deepEqual((await view.withRole("worker")).map(({ id }) => id), ["a"]);
  assert.equal((await view.find("a"))?.id, "a");
  await assert.rejects(view.find("b"), DisconnectedError);
  await assert.rejects(view.withRole("other"), DisconnectedError);
  registry.put("b");
  registry.comeBack();
  await viewed.clock.tickAsync(3_000);
  await eventually(() => view.awayFor === undefined);
  assert.deepEqual((await view.withRole("worker")).map(({ id }) => id), ["a", "b"]);
  assert.deepEqual(logs.lines, [
    "WARN registry: the registry is away; until the registry is back, servers are found where they were last",
    "INFO registry: the registry is back",
  ]);
});

Deno.test("watch gives the servers that there are, and then each change", async () => {
  using viewed = new Viewed();
  const { registry } = viewed;
  registry.put("b");
  registry.put("a", "starting");
  registry.put("c", "up", ["other"]);
  const workers = viewed.watch({ role: "worker" });
  const one = viewed.watch({ id: "b" });
  const all = viewed.watch({});
  await viewed.followed();
  assert.deepEqual(shown(workers), ["present a", "present b"]);
  const step = async (make: () => void) => {
    make();
    await eventually(() => registry.waiting !== undefined);
  };
  await step(() => registry.put("a"));
  await step(() => registry.put("b", "up", ["worker", "more"]));
  await step(() => registry.put("b", "unreachable"));
  await step(() => registry.remove("b", "gone"));
  await step(() => registry.put("c", "up", ["worker"]));
  await step(() => registry.put("c", "up", []));
  await step(() => registry.remove("c"));
  assert.deepEqual(shown(workers).slice(2), [
    "up a",
    "changed b",
    "unreachable b",
    "gone b",
    "changed c",
    "changed c",
  ]);
  assert.deepEqual(shown(one), ["present b", "changed b", "unreachable b", "gone b"]);
  assert.equal(shown(all).at(-1), "left c");
});

Deno.test("watch waits while the registry is away, and then gives each change once", async () => {
  using viewed = new Viewed();
  const { registry } = viewed;
  registry.goAway();
  const told = viewed.watch({ role: "worker" });
  await viewed.clock.tickAsync(10_000);
  registry.put("a");
  registry.comeBack();
  await viewed.clock.tickAsync(3_000);
  await viewed.followed();
  assert.deepEqual(shown(told), ["present a"]);
  registry.goAway();
  registry.put("b");
  registry.put("b", "draining");
  registry.remove("a");
  registry.comeBack();
  await viewed.clock.tickAsync(3_000);
  await viewed.followed();
  assert.deepEqual(shown(told).slice(1), ["up b", "draining b", "left a"]);
});

Deno.test("watch gives the difference when the registry has lost its changes", async () => {
  using viewed = new Viewed();
  const { registry } = viewed;
  for (const id of ["a", "b", "c"]) registry.put(id);
  const told = viewed.watch({ role: "worker" });
  await viewed.followed();
  registry.goAway();
  registry.restart();
  registry.put("d");
  registry.put("b", "draining");
  registry.put("a");
  registry.comeBack();
  await viewed.clock.tickAsync(3_000);
  await viewed.followed();
  assert.deepEqual(shown(told).slice(3), ["gone c", "up d", "draining b"]);
  registry.put("a", "unreachable");
  await eventually(() => told.length === 7);
  assert.equal(shown(told).at(-1), "unreachable a");
});

Deno.test("a second watcher gets the servers that there are, and both get each change", async () => {
  using viewed = new Viewed();
  const { registry } = viewed;
  registry.put("a");
  const first = viewed.watch({ role: "worker" });
  await viewed.followed();
  registry.put("b");
  await eventually(() => first.length === 2 && registry.waiting !== undefined);
  const second = viewed.watch({ role: "worker" });
  await eventually(() => second.length === 2);
  registry.remove("a");
  await eventually(() => first.length === 3 && second.length === 3);
  assert.deepEqual(shown(second), ["present a", "present b", "left a"]);
  assert.equal(registry.lists.length, 1);
});

Deno.test("watch ends with its signal, with the loop, and with the view", async () => {
  using viewed = new Viewed();
  const { registry, view } = viewed;
  registry.put("a");
  const abort = new AbortController();
  const loop = async (options: { signal?: AbortSignal }, leaves: boolean) => {
    for await (const _ of view.watch({}, options)) if (leaves) break;
  };
  await loop({}, true);
  const aborted = loop({ signal: abort.signal }, false);
  const closed = loop({}, false);
  await viewed.followed();
  abort.abort();
  await aborted;
  await loop({ signal: abort.signal }, false);
  view.close();
  await closed;
  await loop({}, false);
});
