import assert from "node:assert/strict";
import { type Expired, Leases } from "../../registry/leases.ts";
import { LocalStore, MemoryStore } from "../../registry/local_store.ts";
import { UNREACHABLE_LEASES } from "../../registry/store.ts";
import { CapturedLogs, eventually } from "../runtime/server/captured_logs.ts";
import { FollowedStore, ownEntry } from "./followed_store.ts";
import { LeaseClock } from "./lease_clock.ts";

const LEASE = 15_000;

/** How late an end is noticed at most. */
const NOTICED = 500;

/** Leases whose ends are written down, with the time in s. */
function watchedLeases(): { leases: Leases; clock: LeaseClock; ends: string[] } {
  const clock = new LeaseClock();
  const leases = new Leases(LEASE, clock);
  const ends: string[] = [];
  leases.start(({ lapsed, gone }: Expired) => {
    for (const id of lapsed) {
      ends.push(`${id} lapsed`);
      leases.lapse(id);
    }
    for (const id of gone) {
      ends.push(`${id} gone`);
      leases.drop(id);
    }
  });
  return { leases, clock, ends };
}

Deno.test("a lease runs out when it was not renewed for its time, and the entry is gone a minute later", () => {
  const { leases, clock, ends } = watchedLeases();
  leases.renew("a");
  assert.equal(leases.left("a"), LEASE);
  clock.pass(LEASE - 1);
  assert.equal(leases.left("a"), 1);
  assert.deepEqual(ends, []);
  clock.pass(NOTICED);
  assert.deepEqual(ends, ["a lapsed"]);
  assert.equal(leases.left("a"), undefined);
  assert.equal(leases.has("a"), false);
  clock.pass(UNREACHABLE_LEASES * LEASE - NOTICED);
  assert.deepEqual(ends, ["a lapsed"]);
  clock.pass(NOTICED);
  assert.deepEqual(ends, ["a lapsed", "a gone"]);
  clock.pass(10 * LEASE);
  assert.equal(ends.length, 2);
});

Deno.test("a lease that is renewed in time never runs out", () => {
  const { leases, clock, ends } = watchedLeases();
  leases.renew("a");
  leases.renew("b");
  for (let n = 0; n < 100; n++) {
    clock.pass(LEASE / 3);
    leases.renew("a");
  }
  assert.deepEqual(ends, ["b lapsed", "b gone"]);
  assert.equal(leases.left("a"), LEASE);
});

Deno.test("a dropped lease never runs out", () => {
  const { leases, clock, ends } = watchedLeases();
  for (const id of ["a", "b"]) leases.renew(id);
  leases.lapse("b");
  for (const id of ["a", "b"]) leases.drop(id);
  clock.pass(100 * LEASE);
  assert.deepEqual(ends, []);
});

Deno.test("the time in which the registry was held up counts for no lease", () => {
  const { leases, clock, ends } = watchedLeases();
  leases.renew("a");
  leases.renew("b");
  leases.lapse("b");
  clock.pass(LEASE / 2);
  const left = leases.left("a")!;
  for (const time of [LEASE, 3_600_000, 24 * 3_600_000]) {
    clock.passHeldUp(time);
    // The interval of the timer counts.
    assert.ok(leases.left("a")! >= left - 3 * NOTICED, `${leases.left("a")}`);
  }
  assert.deepEqual(ends, []);
  clock.pass(LEASE);
  assert.deepEqual(ends, ["a lapsed"]);
});

Deno.test("the time that is left is told right while the registry is held up", () => {
  const { leases, clock } = watchedLeases();
  leases.renew("a");
  clock.pass(1_000);
  const before = leases.left("a")!;
  clock.passHeldUp(60_000);
  assert.ok(before - leases.left("a")! <= NOTICED);
});

Deno.test("a timer that is a little late each time does not prolong leases", () => {
  const { leases, clock, ends } = watchedLeases();
  leases.renew("a");
  for (let time = 0; time < LEASE; time += 600) clock.passHeldUp(600);
  assert.deepEqual(ends, ["a lapsed"]);
});

Deno.test("looking for ends takes no longer with 100,000 leases than with one", () => {
  const clock = new LeaseClock();
  let looks = 0;
  const leases = new Leases(LEASE, {
    now: () => {
      looks++;
      return clock.now();
    },
    repeat: (interval, react) => clock.repeat(interval, react),
  });
  const ended: string[] = [];
  leases.start(({ lapsed }) => {
    ended.push(...lapsed);
    for (const id of lapsed) leases.lapse(id);
  });
  clock.pass(NOTICED);
  looks = 0;
  clock.pass(NOTICED);
  const alone = looks;
  for (let n = 0; n < 100_000; n++) leases.renew(`s${n}`);
  looks = 0;
  clock.pass(NOTICED);
  assert.equal(looks, alone);
  clock.pass(LEASE);
  assert.equal(ended.length, 100_000);
});

/** A store in memory on a clock of the test. */
async function clockedStore(): Promise<{ followed: FollowedStore; clock: LeaseClock }> {
  const clock = new LeaseClock();
  const followed = await FollowedStore.start(new MemoryStore({ lease: LEASE, clock }));
  return { followed, clock };
}

Deno.test("each state ends in its turn: starting, up, draining, unreachable, gone", async () => {
  const { followed, clock } = await clockedStore();
  await using _ = followed;
  for (const state of ["starting", "up", "draining"] as const) {
    await followed.put(ownEntry("a", { state }));
    clock.pass(LEASE / 3);
    assert.equal(followed.get("a")!.state, state);
  }
  clock.pass(LEASE);
  await followed.until(() => followed.get("a")!.state === "unreachable");
  clock.pass(UNREACHABLE_LEASES * LEASE + NOTICED);
  await followed.until(() => followed.get("a") === undefined);
  assert.deepEqual(followed.told, ["starting a", "up a", "draining a", "unreachable a", "gone a"]);
});

Deno.test("every state becomes unreachable, and what it was before again", async () => {
  const { followed, clock } = await clockedStore();
  await using _ = followed;
  for (const state of ["starting", "up", "draining"] as const) {
    await followed.put(ownEntry(state, { state }));
  }
  clock.pass(LEASE + NOTICED);
  await followed.until(() => followed.changes.length === 6);
  for (const state of ["starting", "up", "draining"] as const) {
    assert.equal(followed.get(state)!.state, "unreachable");
    await followed.put(ownEntry(state, { state }));
    assert.equal(followed.get(state)!.state, state);
  }
  clock.pass(LEASE / 2);
  assert.equal(followed.changes.length, 9);
});

Deno.test("a lease that has run out while nothing can be written ends as soon as it can", async () => {
  using logs = await CapturedLogs.start();
  const clock = new LeaseClock();
  let isFull = false;
  const journal = {
    epoch: "e",
    read: () => ({ entries: [], revision: 0 }),
    write() {
      if (isFull) throw new Error("the disk is full");
    },
    close() {},
  };
  await using followed = await FollowedStore.start(
    new LocalStore(journal, { lease: LEASE, clock }),
  );
  await followed.put(ownEntry("a"));
  isFull = true;
  clock.pass(LEASE + NOTICED);
  const lines = () => logs.matching(/cannot record leases that have run out: the disk is full/);
  await eventually(() => lines().length === 1, "a line");
  assert.equal(followed.get("a")!.state, "up");
  isFull = false;
  clock.pass(LEASE + NOTICED);
  await followed.until(() => followed.get("a")!.state === "unreachable");
});
