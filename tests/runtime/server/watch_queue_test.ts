import assert from "node:assert/strict";
import { MAX_WAITING_CHANGES, WatchQueue } from "../../../runtime/server/watch_queue.ts";

interface Change {
  readonly id: string;
  readonly n: number;
}

async function take(queue: WatchQueue<Change>, count: number): Promise<Change[]> {
  const taken: Change[] = [];
  while (taken.length < count) taken.push((await queue.next()).value!);
  return taken;
}

Deno.test("next gives changes in their order, also those that come later", async () => {
  const queue = new WatchQueue<Change>();
  queue.push({ id: "a", n: 1 });
  queue.push({ id: "a", n: 2 });
  assert.deepEqual((await take(queue, 2)).map(({ n }) => n), [1, 2]);
  const later = take(queue, 1);
  queue.push({ id: "b", n: 3 });
  assert.deepEqual(await later, [{ id: "b", n: 3 }]);
});

Deno.test("push keeps the newest change of each server when many wait", async () => {
  const queue = new WatchQueue<Change>();
  const ids = ["a", "b", "c"];
  for (let n = 0; n < 100 * MAX_WAITING_CHANGES; n++) queue.push({ id: ids[n % 3]!, n });
  assert.ok(queue.size <= MAX_WAITING_CHANGES, `${queue.size}`);
  const last = 100 * MAX_WAITING_CHANGES - 1;
  const taken = await take(queue, queue.size);
  assert.deepEqual(taken.slice(-3).map(({ n }) => n), [last - 2, last - 1, last]);
  assert.deepEqual(taken.map(({ n }) => n), taken.map(({ n }) => n).toSorted((a, b) => a - b));
});

Deno.test("push keeps a change of each of many servers", async () => {
  const queue = new WatchQueue<Change>();
  const count = 5 * MAX_WAITING_CHANGES;
  for (let n = 0; n < count; n++) queue.push({ id: `s${n}`, n });
  assert.equal(queue.size, count);
  for (let n = 0; n < 3 * count; n++) queue.push({ id: `s${n % count}`, n: count + n });
  assert.ok(queue.size <= 2 * count);
  const seen = new Map<string, number>();
  for (const { id, n } of await take(queue, queue.size)) seen.set(id, n);
  assert.deepEqual([...seen.values()].toSorted((a, b) => a - b)[0], 3 * count);
});

Deno.test("close ends the loop that takes changes, and drops those that wait", async () => {
  const queue = new WatchQueue<Change>();
  const next = queue.next();
  queue.close();
  assert.deepEqual(await next, { done: true, value: undefined });
  queue.push({ id: "a", n: 1 });
  assert.deepEqual(await queue.next(), { done: true, value: undefined });
  await queue.ended;
});
