import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import fc from "npm:fast-check@^4.10.2";
import type { Actor } from "../../../runtime/actor/actor.ts";
import { on } from "../../../runtime/actor/cases.ts";
import { Deadline, Deadlines, type Tick } from "../../../runtime/actor/time.ts";
import { within } from "../../../runtime/timeout.ts";
import { stopClock } from "../../fake_clock.ts";
import { FakeTime, settle, startSystem } from "./linked_systems.ts";
import { eventually } from "../server/captured_logs.ts";

function start() {
  const due: Deadline[] = [];
  return { due, deadlines: new Deadlines<Deadline>((item) => due.push(item)) };
}

Deno.test("a deadline expires once, and not early", async () => {
  using time = new FakeTime();
  const { due, deadlines } = start();
  const item = new Deadline();
  deadlines.add(item, 100);
  assert.equal(item.duration, 100);
  await time.pass(99);
  assert.deepEqual(due, []);
  await time.pass(1);
  assert.deepEqual(due, [item]);
  await time.pass(1000);
  assert.equal(due.length, 1);
  assert.equal(time.timers, 0);
});

Deno.test("a removed deadline does not expire, and can be removed twice and added again", async () => {
  using time = new FakeTime();
  const { due, deadlines } = start();
  const [item, other] = [new Deadline(), new Deadline()];
  deadlines.add(item, 100);
  deadlines.add(other, 100);
  deadlines.remove(item);
  deadlines.remove(item);
  await time.pass(50);
  deadlines.add(item, 100);
  await time.pass(50);
  assert.deepEqual(due, [other]);
  await time.pass(50);
  assert.deepEqual(due, [other, item]);
});

Deno.test("deadlines of one duration share one timer", () => {
  using time = new FakeTime();
  const { deadlines } = start();
  for (let i = 0; i < 1000; i++) deadlines.add(new Deadline(), 5000);
  assert.equal(time.timers, 1);
});

Deno.test("an expiring deadline can add and remove others", async () => {
  using time = new FakeTime();
  const [a, b, c, d] = [new Deadline(), new Deadline(), new Deadline(), new Deadline()];
  const due: Deadline[] = [];
  const deadlines = new Deadlines<Deadline>((item) => {
    due.push(item);
    if (item !== a) return;
    deadlines.remove(b);
    deadlines.add(c, 100);
    deadlines.add(d, 50);
  });
  deadlines.add(a, 100);
  deadlines.add(b, 100);
  await time.pass(100);
  assert.deepEqual(due, [a]);
  await time.pass(50);
  assert.deepEqual(due, [a, d]);
  await time.pass(50);
  assert.deepEqual(due, [a, d, c]);
  assert.equal(time.timers, 0);
});

Deno.test("only pending deadlines keep the process alive", () => {
  using time = new FakeTime();
  const { deadlines } = start();
  const item = new Deadline();
  deadlines.add(item, 5000);
  assert.equal(time.referenced, 1);
  deadlines.remove(item);
  assert.equal(time.referenced, 0);
  deadlines.add(item, 5000);
  assert.equal(time.referenced, 1);
});

Deno.test("different durations leave no timers behind", async () => {
  using time = new FakeTime();
  const { due, deadlines } = start();
  for (let i = 0; i < 10_000; i++) {
    const item = new Deadline();
    deadlines.add(item, 3_600_000 + i / 7);
    deadlines.remove(item);
  }
  assert.ok(time.timers < 100, `${time.timers} timers`);
  const item = new Deadline();
  deadlines.add(item, 3_600_000 + 5 / 7);
  await time.pass(3_600_001);
  assert.deepEqual(due, [item]);
});

Deno.test("a deadline can be months away", async () => {
  using time = new FakeTime();
  const { due, deadlines } = start();
  const months = 100 * 24 * 3_600_000;
  deadlines.add(new Deadline(), months);
  assert.ok(time.longest < 2 ** 31, "a longer delay fires at once");
  await time.pass(months - 1);
  assert.equal(due.length, 0);
  await time.pass(1);
  assert.equal(due.length, 1);
});

Deno.test("a callback that throws does not keep other deadlines from expiring", async () => {
  using time = new FakeTime();
  const due: Deadline[] = [];
  const [failing, other, later] = [new Deadline(), new Deadline(), new Deadline()];
  const deadlines = new Deadlines<Deadline>((item) => {
    due.push(item);
    if (item === failing) throw new Error("failing");
  });
  deadlines.add(failing, 100);
  deadlines.add(other, 100);
  await time.pass(50);
  deadlines.add(later, 100);
  await assert.rejects(time.pass(50), /^Error: failing$/);
  await time.pass(1);
  assert.deepEqual(due, [failing, other]);
  await time.pass(49);
  assert.deepEqual(due, [failing, other, later]);
  assert.equal(time.timers, 0);
});

Deno.test("no deadline expires before input that arrived while the process was blocked has been read", async () => {
  const { due, deadlines } = start();
  const path = await Deno.makeTempFile();
  const script = 'read _ && echo answer && rm "$0"';
  const child = new Deno.Command("sh", {
    args: ["-c", script, path],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const answered = new Deadline();
  const unanswered = new Deadline();
  const reading = child.output().then(() => deadlines.remove(answered));
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("go\n"));
  await writer.close();
  const isDue = Promise.withResolvers<void>();
  const watched = new Deadlines<Deadline>(() => isDue.resolve());
  deadlines.add(answered, 1);
  watched.add(unanswered, 1);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (existsSync(path)) Atomics.wait(pause, 0, 0, 1);
  Atomics.wait(pause, 0, 0, 200);
  await isDue.promise;
  await reading;
  assert.deepEqual(due, []);
});

Deno.test("any deadlines expire on time, in any order of adding and removing", async () => {
  const step = fc.oneof(
    fc.record({ add: fc.constantFrom(0, 5, 5, 10, 37) }),
    fc.record({ remove: fc.nat() }),
    fc.record({ pass: fc.nat(12) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      using time = new FakeTime();
      const at = new Map<Deadline, number>();
      const deadlines = new Deadlines<Deadline>((item) => {
        // The runtime's timers take at least 1 ms.
        assert.ok(time.now >= at.get(item)! && time.now <= at.get(item)! + 1);
        at.delete(item);
      });
      for (const step of steps) {
        if ("add" in step) {
          const item = new Deadline();
          at.set(item, time.now + step.add);
          deadlines.add(item, step.add);
        } else if ("remove" in step) {
          const item = [...at.keys()][step.remove % Math.max(1, at.size)];
          if (item) deadlines.remove(item);
          at.delete(item!);
        } else {
          await time.pass(step.pass);
        }
      }
      await time.pass(100);
      assert.equal(at.size, 0);
      assert.equal(time.timers, 0);
    }),
    { numRuns: 100 },
  );
});

/** An actor that records its messages. */
function startListener(prepare: (self: Actor) => void = () => {}) {
  const messages: unknown[] = [];
  const actor = startSystem().spawn("listener", async (self) => {
    prepare(self);
    await self.loop([{ matches: () => true, react: (message) => void messages.push(message) }]);
  });
  return { actor, messages };
}

Deno.test("a ticker counts from 1, and names itself", async () => {
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

Deno.test("after sends one message, once", async () => {
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

Deno.test("a stopped ticker is silent, and can be stopped again", async () => {
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

Deno.test("a ticker can be stopped by its own tick", async () => {
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

Deno.test("tickers end with their actor, and an ended actor gets none", async () => {
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

Deno.test("a blocked process delays a tick, and the missed ones do not follow at once", async () => {
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

Deno.test("a late tick does not delay those after it", async () => {
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

Deno.test("an actor keeps no ticker that has ended", async () => {
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

Deno.test("a ticker's period can be months", async () => {
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

Deno.test("a ticker runs on the runtime's own timers too", async () => {
  const { actor, messages } = startListener((self) => void self.ticker(1));
  await eventually(() => messages.length >= 3);
  actor.exit();
  await actor.ended;
});

const NEVER = new Promise<never>(() => {});

Deno.test("within returns whether a promise settles in time, resolved or rejected", async () => {
  using clock = stopClock();
  assert.equal(await within(1000, Promise.resolve()), true);
  assert.equal(await within(1000, Promise.reject(new Error("settled too"))), true);
  assert.equal(clock.countTimers(), 0);
  let late: boolean | undefined;
  void within(1000, NEVER).then((settled) => late = settled);
  await clock.tickAsync(999);
  assert.equal(late, undefined);
  await clock.tickAsync(1);
  assert.equal(late, false);
});

Deno.test("within accepts a time that is over, one of months, and no limit", async () => {
  using clock = stopClock();
  let settled: boolean | undefined;
  for (const timeout of [-5, 0]) assert.equal(await within(timeout, NEVER), false);
  const months = 60 * 86_400_000;
  void within(months, NEVER).then((value) => settled = value);
  await clock.tickAsync(months - 1);
  assert.equal(settled, undefined);
  await clock.tickAsync(1);
  assert.equal(settled, false);
  settled = undefined;
  const gate = Promise.withResolvers<void>();
  const endless = within(Infinity, gate.promise).then((value) => settled = value);
  await clock.tickAsync(100 * 86_400_000);
  assert.equal(settled, undefined);
  gate.resolve();
  assert.equal(await endless, true);
  assert.equal(clock.countTimers(), 0);
});
