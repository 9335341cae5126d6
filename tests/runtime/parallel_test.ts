import assert from "node:assert/strict";
import { inParallel } from "../../runtime/parallel.ts";

Deno.test("inParallel does the next work when an earlier one is done, and keeps the order of results", async () => {
  const begun: number[] = [];
  const ends = [0, 1, 2, 3].map(() => Promise.withResolvers<void>());
  const all = inParallel([0, 1, 2, 3], {
    atOnce: 2,
    async work(item) {
      begun.push(item);
      await ends[item]!.promise;
      return `${item}`;
    },
  });
  assert.deepEqual(begun, [0, 1]);
  ends[1]!.resolve();
  while (begun.length < 3) await Promise.resolve();
  assert.deepEqual(begun, [0, 1, 2]);
  for (const end of ends) end.resolve();
  assert.deepEqual(await all, ["0", "1", "2", "3"]);
});

Deno.test("inParallel throws the first error when work fails, and does the rest", async () => {
  const done: number[] = [];
  const failing = inParallel([0, 1, 2], {
    atOnce: 2,
    async work(item) {
      await Promise.resolve();
      if (item === 0) throw new Error("zero");
      done.push(item);
    },
  });
  await assert.rejects(failing, /zero/);
  while (done.length < 2) await Promise.resolve();
  assert.deepEqual(done, [1, 2]);
});
