import assert from "node:assert/strict";
import type { Actor } from "../../../runtime/actor/actor.ts";
import { on } from "../../../runtime/actor/cases.ts";
import type { Tick } from "../../../runtime/actor/ticker.ts";
import { eventually, FakeTime, settle, startSystem } from "./linked_systems.ts";

/** An actor that notes what it gets. */
function startListener(prepare: (self: Actor) => void = () => {}) {
  const messages: unknown[] = [];
  const actor = startSystem().spawn("listener", async (self) => {
    prepare(self);
    await self.loop([{ matches: () => true, react: (message) => void messages.push(message) }]);
  });
  return { actor, messages };
}

Deno.test("a ticker counts from 1, and says which one it is", async () => {
  using time = new FakeTime();
  let ids: number[] = [];
  const { actor, messages } = startListener((self) => {
    ids = [self.ticker(10), self.tickerAfter(25, 10)].map(({ id }) => id);
  });
  await time.pass(46);
  assert.deepEqual(
    messages,
    [
      { type: "tick", ticker: ids[0], count: 1 },
      { type: "tick", ticker: ids[0], count: 2 },
      { type: "tick", ticker: ids[1], count: 1 },
      { type: "tick", ticker: ids[0], count: 3 },
      { type: "tick", ticker: ids[1], count: 2 },
      { type: "tick", ticker: ids[0], count: 4 },
      { type: "tick", ticker: ids[1], count: 3 },
    ].slice(0, messages.length),
  );
  assert.equal(messages.length, 7);
  actor.exit();
  await actor.ended;
});

Deno.test("after: one message, once", async () => {
  using time = new FakeTime();
  const message = { type: "late" };
  const { actor, messages } = startListener((self) => void self.after(10, message));
  await time.pass(9);
  assert.deepEqual(messages, []);
  await time.pass(100);
  assert.deepEqual(messages, [message]);
  assert.equal(time.timers, 0);
  actor.exit();
  await actor.ended;
});

Deno.test("a ticker that was stopped is silent, and may be stopped again", async () => {
  using time = new FakeTime();
  const { actor, messages } = startListener();
  await settle();
  const ticker = actor.ticker(10);
  const once = actor.after(15, "late");
  await time.pass(10);
  assert.equal(messages.length, 1);
  ticker.stop();
  ticker.stop();
  once.stop();
  await time.pass(100);
  assert.equal(messages.length, 1);
  assert.equal(time.timers, 0);
  actor.exit();
  await actor.ended;
});

Deno.test("a ticker may be stopped by the tick it sends", async () => {
  using time = new FakeTime();
  const counts: number[] = [];
  const actor = startSystem().spawn("listener", async (self) => {
    const ticker = self.ticker(10);
    await self.loop([on("tick", ({ count }: Tick) => {
      counts.push(count);
      if (count === 3) ticker.stop();
    })]);
  });
  await time.pass(100);
  assert.deepEqual(counts, [1, 2, 3]);
  assert.equal(time.timers, 0);
  actor.exit();
  await actor.ended;
});

Deno.test("tickers end with their actor, and one that is already gone has none", async () => {
  using time = new FakeTime();
  const { actor } = startListener((self) => {
    self.ticker(10);
    self.after(1000, "late");
  });
  await time.pass(20);
  assert.equal(time.timers, 2);
  actor.exit();
  await actor.ended;
  await settle();
  assert.equal(time.timers, 0);
  actor.ticker(10);
  actor.after(10, "late");
  assert.equal(time.timers, 0);
});

Deno.test("a busy time delays a tick and does not bring the missed ones at once", async () => {
  using time = new FakeTime();
  const { actor, messages } = startListener((self) => void self.ticker(10));
  await time.pass(15);
  assert.equal(messages.length, 1);
  time.now += 1000;
  await time.pass(1);
  assert.ok(messages.length <= 3, `${messages.length} ticks`);
  await time.pass(100);
  assert.ok(messages.length >= 11 && messages.length <= 14, `${messages.length} ticks`);
  actor.exit();
  await actor.ended;
});

Deno.test("a tick that comes late does not delay those after it", async () => {
  using time = new FakeTime();
  const { actor, messages } = startListener((self) => void self.ticker(100));
  await settle();
  time.now += 130;
  await time.pass(0);
  assert.equal(messages.length, 1);
  await time.pass(69);
  assert.equal(messages.length, 1);
  await time.pass(1);
  assert.equal(messages.length, 2);
  actor.exit();
  await actor.ended;
});

Deno.test("an actor keeps no ticker that is over", async () => {
  using time = new FakeTime();
  const { actor, messages } = startListener();
  await settle();
  for (let i = 0; i < 5; i++) actor.after(10, i);
  actor.ticker(10).stop();
  await time.pass(10);
  assert.equal(messages.length, 5);
  let cleared = 0;
  const { clearTimeout } = globalThis;
  globalThis.clearTimeout = (timer) => {
    cleared++;
    clearTimeout(timer as number);
  };
  actor.exit();
  await actor.ended;
  await settle();
  assert.equal(cleared, 0);
});

Deno.test("a ticker may be months away", async () => {
  using time = new FakeTime();
  const months = 100 * 24 * 3_600_000;
  const { actor, messages } = startListener((self) => void self.after(months, "at last"));
  await time.pass(months - 1);
  assert.ok(time.longest < 2 ** 31, "a longer delay fires at once");
  assert.deepEqual(messages, []);
  await time.pass(2);
  assert.deepEqual(messages, ["at last"]);
  actor.exit();
  await actor.ended;
});

Deno.test("with the runtime's own timers it ticks too", async () => {
  const { actor, messages } = startListener((self) => void self.ticker(1));
  await eventually(() => messages.length >= 3);
  actor.exit();
  await actor.ended;
});
