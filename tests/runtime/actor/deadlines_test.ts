import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import fc from "npm:fast-check@^4.10.2";
import { Deadline, Deadlines } from "../../../runtime/actor/deadlines.ts";
import { FakeTime } from "./linked_systems.ts";

function start() {
  const due: Deadline[] = [];
  return { due, deadlines: new Deadlines<Deadline>((item) => due.push(item)) };
}

Deno.test("a deadline falls due once, not before its time", async () => {
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

Deno.test("one that was removed does not, and may be removed twice and added again", async () => {
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

Deno.test("many of one duration share one timer", () => {
  using time = new FakeTime();
  const { deadlines } = start();
  for (let i = 0; i < 1000; i++) deadlines.add(new Deadline(), 5000);
  assert.equal(time.timers, 1);
});

Deno.test("what falls due may add and remove deadlines", async () => {
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

Deno.test("only standing deadlines keep the process alive", () => {
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

Deno.test("durations that are all different leave no timers behind", async () => {
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

Deno.test("a deadline may be months away", async () => {
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

Deno.test("a callback that throws does not keep other deadlines from falling due", async () => {
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

Deno.test("nothing falls due before what came while the process was blocked has been read", async () => {
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

Deno.test("any deadlines fall due when they should, in any order they come and go", async () => {
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
        // The timers of the runtime take 1 ms at least.
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
