/**
 * What every store of the registry does, as tests.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { RegistryStore } from "../../registry/store.ts";
import type { OwnEntry, RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import { withSeed } from "../seeded_random.ts";
import { FollowedStore, ownEntry } from "./followed_store.ts";

const OLD = new Uint8Array(32).fill(1);
const NEW = new Uint8Array(32).fill(2);

/** Makes stores of one kind for a test. */
export interface StoreMaker extends AsyncDisposable {
  /**
   * Opens a store. All stores that one maker opens have the same entries, also one after the other,
   * unless {@linkcode StoreKind.forgets}.
   */
  open(options: { lease: number }): Promise<RegistryStore>;
}

/** A kind of store. */
export interface StoreKind {
  /** Its name. */
  readonly name: string;
  /** The shortest lease that its tests can wait for, in ms. */
  readonly lease: number;
  /** Whether it forgets its entries when it is closed. */
  readonly forgets?: boolean;
  /** Registers a test. Default: `Deno.test`. */
  readonly test?: (name: string, test: () => Promise<void>) => void;
  /** Prepares for a test. */
  make(): Promise<StoreMaker>;
}

/** A lease that does not run out in a test, in ms. */
const LONG = 60_000;

/** What is in an entry besides what the store adds. */
function ownPart({ revision: _, ...entry }: RegistryEntry): Omit<RegistryEntry, "revision"> {
  return entry;
}

/** Tests a kind of store. */
export function testConformance(kind: StoreKind): void {
  const register = kind.test ?? ((name, test) => Deno.test(name, test));

  /** Registers a test with a started store, and with what opens further ones. */
  const test = (
    name: string,
    run: (followed: FollowedStore, maker: StoreMaker) => Promise<void>,
    { lease = LONG }: { lease?: number } = {},
  ) =>
    register(`${kind.name} store: ${name}`, async () => {
      await using maker = await kind.make();
      await using followed = await FollowedStore.start(await maker.open({ lease }));
      await run(followed, maker);
    });

  /** Registers a test whose store is opened again. */
  const testReopened = (
    name: string,
    run: (open: () => Promise<FollowedStore>) => Promise<void>,
    { lease = LONG }: { lease?: number } = {},
  ) => {
    if (kind.forgets) return;
    register(`${kind.name} store: ${name}`, async () => {
      await using maker = await kind.make();
      await run(async () => await FollowedStore.start(await maker.open({ lease })));
    });
  };

  test("an empty one has an epoch, and no entries", (followed) => {
    assert.match(followed.store.epoch, /^[^:\s]{1,128}$/);
    assert.equal(followed.store.lease, LONG);
    assert.deepEqual(followed.entries, []);
    assert.deepEqual(followed.changes, []);
    return Promise.resolve();
  });

  test("an entry is reported as it was put, with the revision", async (followed) => {
    const entry = ownEntry("a", {
      roles: ["httpd", "a b", "(c)", '"d"', "", "ü"],
      groups: JSON.parse('{ "orders": 3, "a b": 1, "ü\\"": 2, "toString": 4, "__proto__": 5 }'),
    });
    const revision = await followed.put(entry);
    assert.deepEqual(followed.get("a"), { ...entry, revision });
    assert.deepEqual(followed.changes, [{
      change: "up",
      id: "a",
      revision,
      roles: entry.roles,
      lostRoles: [],
      lostGroups: [],
      entry: { ...entry, revision },
    }]);
    assert.equal(followed.directory.revision, revision);
  });

  test("an entry without what is optional is reported without it", async (followed) => {
    const entry: OwnEntry = { id: "a", instance: OLD, addresses: [], roles: [], state: "up" };
    await followed.put(entry);
    assert.deepEqual(ownPart(followed.get("a")!), entry);
  });

  test("a change says what it is", async (followed) => {
    await followed.put(ownEntry("a", { state: "starting" }));
    await followed.put(ownEntry("a", { state: "up", roles: ["r", "s"] }));
    await followed.put(ownEntry("a", { state: "up", roles: ["s", "t"] }));
    await followed.put(ownEntry("a", { state: "draining", roles: ["t"] }));
    await followed.put(ownEntry("a", { state: "up", instance: NEW }));
    await followed.remove("a");
    assert.deepEqual(followed.told, [
      "starting a",
      "up a",
      "changed a",
      "draining a",
      "up a",
      "left a",
    ]);
    const { changes } = followed;
    assert.deepEqual(changes.map(({ roles }) => roles), [
      [],
      ["r", "s"],
      ["s", "t"],
      ["t"],
      [],
      [],
    ]);
    assert.deepEqual(changes.map(({ lostRoles }) => lostRoles), [[], [], ["r"], ["s"], ["t"], []]);
    const revisions = changes.map(({ revision }) => revision);
    assert.deepEqual(revisions, [...new Set(revisions)].sort((a, b) => a - b));
    assert.equal(changes.at(-1)!.entry, undefined);
  });

  test("a change says which groups have lost their last member", async (followed) => {
    await followed.put(ownEntry("a", { groups: { g: 1, h: 2 } }));
    await followed.put(ownEntry("a", { groups: { g: 2 } }));
    await followed.put(ownEntry("a", { groups: { g: 2, i: 1 } }));
    await followed.put(ownEntry("a"));
    await followed.put(ownEntry("a", { groups: { g: 1, i: 1 }, instance: NEW }));
    await followed.put(ownEntry("a", { groups: { g: 1 }, instance: OLD }));
    await followed.remove("a");
    assert.deepEqual(followed.told, [
      "up a",
      "changed a",
      "changed a",
      "changed a",
      "up a",
      "up a",
      "left a",
    ]);
    assert.deepEqual(followed.changes.map(({ lostGroups }) => lostGroups), [
      [],
      ["h"],
      [],
      ["g", "i"],
      [],
      ["i"],
      ["g"],
    ]);
  });

  test("another instance that takes an id over is one change", async (followed) => {
    await followed.put(ownEntry("a", { instance: OLD, roles: ["r"] }));
    await followed.put(ownEntry("a", { instance: NEW, roles: ["r"] }));
    assert.deepEqual(followed.told, ["up a", "up a"]);
    assert.deepEqual(followed.get("a")!.instance, NEW);
  });

  test("a removal has the roles that were there", async (followed) => {
    await followed.put(ownEntry("a", { roles: ["r"] }));
    await followed.put(ownEntry("b", { roles: ["r"] }));
    await followed.remove("a");
    const expected = followed.get("b")!.revision;
    assert.equal(await followed.store.delete("b", { expected, as: "gone" }), true);
    await followed.until(() => followed.changes.length === 4);
    const removals = followed.changes.slice(2).map(({ change, id, roles }) => [change, id, roles]);
    assert.deepEqual(removals, [["left", "a", ["r"]], ["gone", "b", ["r"]]]);
    assert.deepEqual(followed.entries, []);
  });

  test("a change is made only where the revision is the expected one", async (followed) => {
    const { store } = followed;
    const entry = ownEntry("a");
    assert.equal(await store.put(entry, 1), undefined, "there is none");
    assert.equal(await store.delete("a", { expected: 1, as: "left" }), false);
    assert.equal(await store.lapse("a", 1), false);
    const first = await followed.put(entry);
    assert.equal(await store.put(entry, 0), undefined, "there is one");
    const second = await followed.put({ ...entry, roles: ["r"] });
    assert.equal(await store.put(entry, first), undefined);
    assert.equal(await store.delete("a", { expected: first, as: "left" }), false);
    assert.equal(await store.lapse("a", first), false);
    assert.equal(followed.get("a")!.revision, second);
    assert.deepEqual(followed.told, ["up a", "changed a"]);
  });

  test("of changes at once with the same expectation, one is made", async (followed) => {
    const entries = Array.from({ length: 8 }, (_, n) => ownEntry("a", { roles: [`${n}`] }));
    const made = await Promise.all(entries.map((entry) => followed.store.put(entry, 0)));
    const [revision, ...others] = made.filter((each) => each !== undefined);
    assert.deepEqual(others, []);
    await followed.directory.reached(revision!);
    const { roles } = followed.get("a")!;
    assert.deepEqual(roles, [`${made.indexOf(revision)}`]);
  });

  test("a lease is renewed for the instance that has it", async (followed) => {
    const { store } = followed;
    await followed.put(ownEntry("a"));
    assert.equal(await store.renew("a", OLD), true);
    assert.equal(await store.renew("a", NEW), false);
    assert.equal(await store.renew("b", OLD), false);
    const left = store.leaseLeft("a");
    assert.ok(left === undefined || left > LONG / 2 && left <= LONG, `${left}`);
    assert.equal(store.leaseLeft("b"), undefined);
    await followed.remove("a");
    assert.equal(await store.renew("a", OLD), false);
    assert.deepEqual(followed.told, ["up a", "left a"], "a renewal is no change");
  });

  test("an entry that is made unreachable has no lease until it is put again", async (followed) => {
    const { store } = followed;
    const revision = await followed.put(ownEntry("a", { roles: ["r"] }));
    assert.equal(await store.lapse("a", revision), true);
    await followed.until(() => followed.get("a")!.state === "unreachable");
    const lapsed = followed.get("a")!;
    assert.ok(lapsed.revision > revision);
    assert.deepEqual(ownPart(lapsed), { ...ownEntry("a", { roles: ["r"] }), state: "unreachable" });
    assert.equal(await store.renew("a", OLD), false);
    assert.equal(store.leaseLeft("a"), undefined);
    assert.equal(await store.put(ownEntry("a"), revision), undefined, "that was before");
    await followed.put(ownEntry("a", { roles: ["r"] }));
    assert.equal(await store.renew("a", OLD), true);
    assert.deepEqual(followed.told, ["up a", "unreachable a", "up a"]);
  });

  test("an entry whose lease runs out is unreachable, and gone later", async (followed) => {
    await followed.put(ownEntry("a", { state: "starting", roles: ["r"] }));
    await followed.until(() => followed.get("a")?.state === "unreachable");
    assert.equal(await followed.store.renew("a", OLD), false);
    await followed.until(() => followed.get("a") === undefined);
    assert.deepEqual(followed.told, ["starting a", "unreachable a", "gone a"]);
    assert.deepEqual(followed.changes.at(-1)!.roles, ["r"]);
  }, { lease: kind.lease });

  test("an entry that is renewed outlives one that is not", async (followed) => {
    await followed.put(ownEntry("a"));
    await followed.put(ownEntry("b"));
    const renewing = setInterval(() => followed.store.renew("a", OLD), kind.lease / 6);
    await followed.until(() => followed.get("b") === undefined);
    clearInterval(renewing);
    assert.equal(followed.get("a")!.state, "up");
    assert.deepEqual(followed.told, ["up a", "up b", "unreachable b", "gone b"]);
  }, { lease: kind.lease });

  test("an unreachable entry that is put again stays", async (followed) => {
    await followed.put(ownEntry("a"));
    await followed.until(() => followed.get("a")?.state === "unreachable");
    await followed.put(ownEntry("a"));
    assert.equal(followed.get("a")!.state, "up");
    assert.equal(await followed.store.renew("a", OLD), true);
  }, { lease: kind.lease });

  test("entries are as a model of random changes has them", (followed) =>
    withSeed(async (random) => {
      const model = new Map<string, OwnEntry>();
      for (let n = 0; n < 200; n++) {
        const id = `s${random.below(8)}`;
        if (model.has(id) && random.below(3) === 0) {
          await followed.remove(id);
          model.delete(id);
        } else {
          const entry = ownEntry(id, {
            state: random.pick(["starting", "up", "draining"]),
            roles: ["a", "b", "c"].filter(() => random.below(2) === 0),
            ...random.below(4) > 0 &&
              { groups: { [random.pick(["g", "h"])]: 1 + random.below(3) } },
            instance: random.pick([OLD, NEW]),
          });
          await followed.put(entry);
          model.set(id, entry);
        }
      }
      const wanted = [...model.values()].sort((a, b) => a.id < b.id ? -1 : 1);
      assert.deepEqual(followed.entries.map(ownPart), wanted);
      for (const role of ["a", "b", "c"]) {
        const states = ["starting", "up", "draining"] as const;
        const ids = followed.directory.page({ role, states }).entries.map(({ id }) => id);
        assert.deepEqual(
          ids,
          wanted.filter(({ roles }) => roles.includes(role)).map(({ id }) => id),
        );
      }
      for (const group of ["g", "h"]) {
        const states = ["starting", "up", "draining"] as const;
        const ids = followed.directory.page({ group, states }).entries.map(({ id }) => id);
        assert.deepEqual(
          ids,
          wanted.filter(({ groups }) => groups?.[group]).map(({ id }) => id),
        );
      }
    }));

  test("the registry that uses it is among the registries", async (followed) => {
    const registry = ownEntry("registry", { roles: [] });
    await followed.store.announce(registry);
    const registries = await followed.store.registries();
    assert.deepEqual(registries.map(({ id, instance }) => ({ id, instance })), [
      { id: "registry", instance: registry.instance },
    ]);
    assert.deepEqual(followed.entries, []);
  });

  testReopened("what was there is there when it is opened again", async (open) => {
    const first = await open();
    const { epoch } = first.store;
    await first.put(ownEntry("a", { roles: ["r", "ü"], groups: { g: 1, "h i": 2 } }));
    await first.put(ownEntry("b", { state: "starting" }));
    await first.put(ownEntry("c"));
    await first.remove("c");
    const { entries } = first;
    const { revision } = first.directory;
    await first.store.close();
    await using second = await open();
    assert.equal(second.store.epoch, epoch);
    assert.deepEqual(second.entries, entries);
    assert.deepEqual(second.directory.page({ group: "h i" }).entries, [entries[0]]);
    assert.ok(second.directory.revision >= revision);
    assert.ok(await second.put(ownEntry("d")) > revision);
  });

  testReopened("a lease runs for its full time when it is opened again", async (open) => {
    const first = await open();
    await first.put(ownEntry("a"));
    const { revision } = first.get("a")!;
    await first.store.close();
    await using second = await open();
    assert.equal(second.get("a")!.revision, revision);
    assert.equal(await second.store.renew("a", OLD), true);
    await second.until(() => second.get("a") === undefined);
    assert.deepEqual(second.told, ["unreachable a", "gone a"]);
  }, { lease: kind.lease });

  testReopened("an unreachable entry is unreachable when it is opened again", async (open) => {
    const first = await open();
    await first.put(ownEntry("a"));
    await first.store.lapse("a", first.get("a")!.revision);
    await first.until(() => first.get("a")!.state === "unreachable");
    await first.store.close();
    await using second = await open();
    assert.equal(second.get("a")!.state, "unreachable");
    assert.equal(await second.store.renew("a", OLD), false);
    await second.until(() => second.get("a") === undefined);
    assert.deepEqual(second.told, ["gone a"]);
  }, { lease: kind.lease });

  /** A request for a lock. */
  const claim = (key: string, renews = false) => ({
    name: "roll-out:web",
    key,
    console: `console-${key}`,
    by: `${key}@host`,
    renews,
  });
  /** Takes a lock as soon as it is free. A registry that has just started gives none. */
  const takeSoon = async (store: RegistryStore, key: string) => {
    while (!(await store.lock(claim(key))).taken) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  test("a lock has one holder, who renews it and frees it", async ({ store }) => {
    assert.deepEqual(await store.lock(claim("a", true)), { taken: true });
    const since = (await store.lockHolder("roll-out:web"))!.since;
    const refused = await store.lock(claim("b"));
    assert.equal(refused.taken, false);
    assert.deepEqual(refused.holder, { console: "console-a", by: "a@host", since });
    assert.ok(refused.wait! > 0 && refused.wait! <= store.lease);
    assert.deepEqual(await store.lock(claim("a", true)), { taken: true });
    assert.equal((await store.lockHolder("roll-out:web"))!.since, since);
    assert.equal(await store.unlock(claim("b")), false);
    assert.equal(await store.unlock(claim("a")), true);
    assert.equal(await store.unlock(claim("a")), false);
    assert.equal(await store.lockHolder("roll-out:web"), undefined);
    assert.deepEqual(await store.lock(claim("b", true)), { taken: true });
    assert.equal((await store.lockHolder("roll-out:web"))!.by, "b@host");
  });

  test("locks of other names are others", async ({ store }) => {
    await store.lock(claim("a", true));
    const other = { ...claim("b", true), name: "roll-out:jobs/ü" };
    assert.deepEqual(await store.lock(other), { taken: true });
    assert.equal((await store.lockHolder("roll-out:web"))!.by, "a@host");
  });

  test("a lock that is not renewed is free after its lease", async ({ store }) => {
    await takeSoon(store, "a");
    await takeSoon(store, "b");
  }, { lease: kind.lease });

  testReopened("a lock is still its holder's when the store is opened again", async (open) => {
    {
      await using followed = await open();
      await followed.put(ownEntry("a"));
      await takeSoon(followed.store, "a");
    }
    await using followed = await open();
    const { taken, wait } = await followed.store.lock(claim("b"));
    assert.deepEqual([taken, wait! > 0], [false, true]);
    assert.deepEqual(await followed.store.lock(claim("a", true)), { taken: true });
    assert.equal((await followed.store.lockHolder("roll-out:web"))!.by, "a@host");
  });
}
