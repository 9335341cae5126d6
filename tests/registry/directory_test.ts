import assert from "node:assert/strict";
import { Directory } from "../../registry/directory.ts";
import { SortedIds } from "../../registry/sorted_ids.ts";
import { removed, replaced } from "../../registry/stored_change.ts";
import { PAGE_SIZE, type RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import { withSeed } from "../seeded_random.ts";
import { ownEntry } from "./followed_store.ts";

function entry(id: string, options: Partial<RegistryEntry> = {}): RegistryEntry {
  return { ...ownEntry(id), revision: 1, ...options };
}

function directoryOf(entries: RegistryEntry[]): Directory {
  const directory = new Directory();
  directory.snapshot({ entries, revision: entries.length });
  return directory;
}

function idsOf(entries: readonly RegistryEntry[]): string[] {
  return entries.map(({ id }) => id);
}

Deno.test("SortedIds is a sorted set, whatever is added and removed", () =>
  withSeed((random) => {
    const ids = new SortedIds();
    const model = new Set<string>();
    for (let n = 0; n < 20_000; n++) {
      const id = `s${random.below(4_000)}`;
      // First more are added, then more removed.
      if (random.below(100) < (n < 10_000 ? 80 : 20)) {
        ids.add(id);
        model.add(id);
      } else {
        ids.delete(id);
        model.delete(id);
      }
      if (n % 2_000 !== 0) continue;
      const sorted = [...model].sort();
      assert.deepEqual([...ids.after()], sorted);
      assert.equal(ids.size, sorted.length);
      const after = `s${random.below(4_000)}`;
      assert.deepEqual([...ids.after(after)], sorted.filter((each) => each > after));
    }
    for (const id of model) ids.delete(id);
    assert.deepEqual([...ids.after()], []);
    assert.deepEqual([...ids.after("a")], []);
    assert.equal(ids.size, 0);
  }));

Deno.test("pages are sorted by id, by code unit", () => {
  const ids = ["b", "_", "a10", "a2", "B", "a.1", "a-1"];
  const directory = directoryOf(ids.map((id) => entry(id, { roles: ["r"] })));
  const sorted = ["B", "_", "a-1", "a.1", "a10", "a2", "b"];
  assert.deepEqual(idsOf(directory.page({}).entries), sorted);
  assert.deepEqual(idsOf(directory.page({ role: "r" }).entries), sorted);
});

Deno.test("a role is looked up exactly", () => {
  const directory = directoryOf([
    entry("one", { roles: ["httpd", "admin"] }),
    entry("two", { roles: ["admin"] }),
    entry("three", { roles: ["httpd2", "HTTPD", "1"] }),
  ]);
  const ids = (role: string) => idsOf(directory.page({ role }).entries);
  assert.deepEqual(ids("httpd"), ["one"]);
  assert.deepEqual(ids("admin"), ["one", "two"]);
  assert.deepEqual(ids("1"), ["three"]);
  assert.deepEqual(ids("%"), []);
});

Deno.test("a page has a limited number of entries, after a given id", () => {
  const directory = directoryOf(
    ["a", "b", "c", "d", "e"].map((id) => entry(id, { roles: [id < "d" ? "early" : "late"] })),
  );
  const page = (after: string | undefined, limit: number, role?: string) => {
    const { entries, next } = directory.page({ after, limit, role });
    return [...idsOf(entries), ...next === undefined ? [] : [`after ${next}`]];
  };
  assert.deepEqual(page(undefined, 2), ["a", "b", "after b"]);
  assert.deepEqual(page("b", 2), ["c", "d", "after d"]);
  assert.deepEqual(page("d", 2), ["e"]);
  assert.deepEqual(page("c", 2), ["d", "e"], "the last page is full");
  assert.deepEqual(page("e", 2), []);
  assert.deepEqual(page("bb", 2), ["c", "d", "after d"], "an id that is not there");
  assert.deepEqual(page(undefined, 2, "early"), ["a", "b", "after b"]);
  assert.deepEqual(page("b", 2, "early"), ["c"]);
  assert.deepEqual(page("a", 9, "late"), ["d", "e"]);
  assert.deepEqual(page(undefined, 0), ["a", "after a"], "a page goes on");
});

Deno.test("with a role only those that are up are listed, without one all", () => {
  const states = ["starting", "up", "draining", "unreachable"] as const;
  const directory = directoryOf(states.map((state) => entry(state, { state, roles: ["r"] })));
  assert.deepEqual(idsOf(directory.page({}).entries), [...states].sort());
  assert.deepEqual(idsOf(directory.page({ role: "r" }).entries), ["up"]);
  for (const role of [undefined, "r"]) {
    const wanted = directory.page({ role, states: ["starting", "unreachable"] });
    assert.deepEqual(idsOf(wanted.entries), ["starting", "unreachable"]);
  }
});

Deno.test("a role that is lost, or whose server is removed, no longer leads to it", () => {
  const directory = directoryOf([]);
  const first = entry("a", { roles: ["r", "s"], revision: 1 });
  directory.change(replaced(undefined, first));
  const second = entry("a", { roles: ["s", "t"], revision: 2 });
  directory.change(replaced(first, second));
  const ids = (role: string) => idsOf(directory.page({ role }).entries);
  assert.deepEqual([ids("r"), ids("s"), ids("t")], [[], ["a"], ["a"]]);
  directory.change(removed(second, { as: "left", revision: 3 }));
  assert.deepEqual([ids("r"), ids("s"), ids("t")], [[], [], []]);
  assert.equal(directory.size, 0);
  assert.equal(directory.revision, 3);
});

Deno.test("among 100,000 entries a lookup looks at one, and a page at as many as it has", () => {
  const count = 100_000;
  const roles = (n: number) => n % 1_000 === 0 ? ["rare", "common"] : ["common"];
  const directory = directoryOf(
    Array.from({ length: count }, (_, n) => entry(`s${n}`, { roles: roles(n) })),
  );
  /** The entries that something looks at. */
  const visits = (look: () => unknown): number => {
    const before = directory.visits;
    look();
    return directory.visits - before;
  };
  assert.equal(visits(() => assert.ok(directory.get("s99999"))), 1);
  assert.equal(visits(() => assert.equal(directory.get("nosuch"), undefined)), 1);
  const rare = () => assert.equal(directory.page({ role: "rare" }).entries.length, 100);
  assert.equal(visits(rare), 100);
  assert.equal(visits(() => directory.page({ role: "none" })), 0);
  const ids: string[] = [];
  let after: string | undefined;
  do {
    const looked = visits(() => {
      const page = directory.page({ role: "common", after });
      ids.push(...idsOf(page.entries));
      after = page.next;
    });
    assert.ok(looked <= PAGE_SIZE, `${looked}`);
  } while (after !== undefined);
  assert.equal(ids.length, count);
  assert.equal(new Set(ids).size, count);
});

Deno.test("a page that finds few wanted ones among many ends early, and goes on", () => {
  const directory = directoryOf(
    Array.from(
      { length: 20_000 },
      (_, n) => entry(`s${n}`, { state: n % 5_000 === 0 ? "draining" : "up" }),
    ),
  );
  const found: string[] = [];
  let after: string | undefined;
  let pages = 0;
  do {
    const before = directory.visits;
    const page = directory.page({ states: ["draining"], after });
    assert.ok(directory.visits - before <= 16 * PAGE_SIZE);
    found.push(...idsOf(page.entries));
    after = page.next;
    pages++;
  } while (after !== undefined);
  assert.deepEqual(found, ["s0", "s10000", "s15000", "s5000"]);
  assert.equal(pages, 5);
});

Deno.test("how long the store was not heard is told until it is heard again", () => {
  const directory = directoryOf([]);
  assert.equal(directory.staleFor, undefined);
  directory.stale(performance.now() - 5_000);
  assert.ok(directory.staleFor! >= 5_000);
  directory.stale(undefined);
  assert.equal(directory.staleFor, undefined);
});

Deno.test("reached resolves when a revision is there, by a change or a snapshot", async () => {
  const directory = directoryOf([]);
  await directory.reached(0);
  const reached: number[] = [];
  const waiting = [1, 2, 3].map((revision) =>
    directory.reached(revision).then(() => reached.push(revision))
  );
  directory.change(replaced(undefined, entry("a", { revision: 2 })));
  await Promise.all(waiting.slice(0, 2));
  assert.deepEqual(reached, [1, 2]);
  directory.snapshot({ entries: [], revision: 9 });
  await waiting[2];
});
