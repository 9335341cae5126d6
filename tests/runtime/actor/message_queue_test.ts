import assert from "node:assert/strict";
import { type Case, on, onReply } from "../../../runtime/actor/cases.ts";
import { MessageQueue } from "../../../runtime/actor/mailbox.ts";
import { envelopeOf } from "./linked_systems.ts";

function push(queue: MessageQueue, type: string, replyTo?: number): void {
  queue.push(envelopeOf({ type }, undefined, replyTo), type);
}

function take(queue: MessageQueue, wanted: Case): boolean {
  return queue.take([wanted]) !== undefined;
}

/** A queue with so many messages that a receive in vain makes the index. */
function indexed(): MessageQueue {
  const queue = new MessageQueue();
  for (let i = 0; i < 32; i++) push(queue, "other");
  assert.equal(queue.keys, undefined);
  assert.ok(!take(queue, on("none", () => {})));
  assert.equal(queue.keys, 1);
  return queue;
}

Deno.test("a queue keeps nothing of types and answers that have come and gone", () => {
  const queue = indexed();
  for (let i = 0; i < 100; i++) {
    push(queue, `request ${i}`);
    push(queue, "answer", i);
    assert.ok(take(queue, on(`request ${i}`, () => {})));
    assert.ok(take(queue, onReply(i, () => {})));
  }
  for (let i = 0; i < 3; i++) push(queue, "answer", 7);
  assert.equal(queue.keys, 3);
  for (let i = 0; i < 3; i++) assert.ok(take(queue, on("answer", () => {})));
  assert.equal(queue.keys, 1);
});

Deno.test("a queue that is empty again has no index", () => {
  const queue = indexed();
  while (take(queue, on("other", () => {})));
  assert.equal(queue.length, 0);
  assert.equal(queue.keys, undefined);
  push(queue, "other");
  assert.equal(queue.keys, undefined);
  const cleared = indexed();
  cleared.clear();
  assert.equal(cleared.keys, undefined);
});

Deno.test("a receive that passes over a few messages makes no index", () => {
  const queue = new MessageQueue();
  for (let i = 0; i < 31; i++) push(queue, "other");
  assert.ok(!take(queue, on("none", () => {})));
  assert.equal(queue.keys, undefined);
});
