import assert from "node:assert/strict";
import { Envelope } from "../../../runtime/actor/messaging.ts";
import { PendingAsks } from "../../../runtime/actor/asks.ts";
import { ActorRef } from "../../../runtime/actor/references.ts";
import { ActorError, DisconnectedError, TimeoutError } from "../../../runtime/errors.ts";
import { FakeTime, settle } from "./linked_systems.ts";

const FAR = new ActorRef("far", "actor");
const OTHER = new ActorRef("other", "actor");

/** A peer's answer to a nonce. */
function answerTo(nonce: number, message: unknown, failed = false, source = FAR): Envelope {
  return new Envelope(message, "asker", source, 1, nonce, undefined, false, failed);
}

/** Settles the ask of an answer that comes from its source. */
function answerAsk(asks: PendingAsks, given: Envelope): void {
  asks.settle(given, given.source.server);
}

Deno.test("settle resolves an ask with any value a peer answers, and keeps nothing of it", async () => {
  using time = new FakeTime();
  const asks = new PendingAsks();
  for (const value of [undefined, null, 0, "", { then: 5 }, [1]]) {
    const answer = asks.wait(2, { dest: FAR, type: undefined, timeout: 100 });
    answerAsk(asks, answerTo(2, value));
    assert.deepEqual(await answer, value);
    assert.equal(asks.size, 0);
    assert.equal(time.referenced, 0);
  }
});

Deno.test("settle rejects an ask with any failure a peer answers, and keeps nothing of it", async () => {
  using time = new FakeTime();
  const asks = new PendingAsks();
  const failures: [unknown, string, string][] = [
    [{ name: "RangeError", message: "broken" }, "broken", "RangeError"],
    [{ name: 5, message: "broken" }, "broken", "Error"],
    [{ name: "RangeError", message: 5 }, '{ name: "RangeError", message: 5 }', "RangeError"],
    [null, "null", "Error"],
    [undefined, "undefined", "Error"],
    [0, "0", "Error"],
    ["text", '"text"', "Error"],
    [["a"], '[ "a" ]', "Error"],
    [new Map([["a", 1]]), 'Map(1) { "a" => 1 }', "Error"],
  ];
  for (const [failure, message, name] of failures) {
    const answer = asks.wait(2, { dest: FAR, type: undefined, timeout: 100 });
    answerAsk(asks, answerTo(2, failure, true));
    await assert.rejects(answer, (error) => {
      assert.ok(error instanceof ActorError);
      assert.deepEqual([error.message, error.remoteName], [message, name]);
      return true;
    });
    assert.equal(asks.size, 0);
    assert.equal(time.referenced, 0);
  }
});

Deno.test("settle shortens a malformed failure", async () => {
  const asks = new PendingAsks();
  const answer = asks.wait(2, { dest: FAR, type: undefined, timeout: Infinity });
  const row = Array.from({ length: 1000 }, (_, id) => ({ id, text: "x".repeat(1000) }));
  answerAsk(asks, answerTo(2, Object.fromEntries(row.map((each) => [each.id, row])), true));
  await assert.rejects(answer, ({ message }: Error) => message.length < 250);
});

Deno.test("settle ignores an answer to no ask, from another server, or after the first one", async () => {
  const asks = new PendingAsks();
  const answer = asks.wait(2, { dest: FAR, type: undefined, timeout: Infinity });
  answerAsk(asks, answerTo(4, "to none"));
  answerAsk(asks, answerTo(2, "from another", false, OTHER));
  answerAsk(asks, answerTo(2, "from another", true, OTHER));
  assert.equal(asks.size, 1);
  answerAsk(asks, answerTo(2, "first"));
  answerAsk(asks, answerTo(2, "second", true));
  assert.equal(await answer, "first");
});

Deno.test("settle does not read an answer that no ask waits for", () => {
  const asks = new PendingAsks();
  asks.wait(2, { dest: FAR, type: undefined, timeout: Infinity });
  const unread = (replyTo: number) => ({
    replyTo,
    failed: false,
    source: FAR,
    get message(): unknown {
      throw new Error("it was read");
    },
  });
  asks.settle(unread(4), FAR.server);
  asks.settle(unread(2), OTHER.server);
  assert.throws(() => asks.settle(unread(2), FAR.server), /it was read/);
});

Deno.test("wait rejects at its timeout, and keeps nothing of the ask", async () => {
  using time = new FakeTime();
  const asks = new PendingAsks();
  const answer = asks.wait(2, { dest: FAR, type: undefined, timeout: 100 });
  answer.catch(() => {});
  await time.pass(99);
  assert.equal(asks.size, 1);
  await time.pass(1);
  await assert.rejects(answer, (error) => {
    assert.ok(error instanceof TimeoutError);
    assert.equal(error.message, "no answer from actor@far within 100 ms");
    return true;
  });
  assert.equal(asks.size, 0);
  assert.equal(time.timers, 0);
});

Deno.test("wait without a timeout uses no timer", async () => {
  using time = new FakeTime();
  const asks = new PendingAsks();
  const answer = asks.wait(2, { dest: FAR, type: undefined, timeout: Infinity });
  assert.equal(time.timers, 0);
  answerAsk(asks, answerTo(2, 1));
  assert.equal(await answer, 1);
});

Deno.test("reject ends one ask, and does nothing for an ask that has ended", async () => {
  using time = new FakeTime();
  const asks = new PendingAsks();
  const [first, second] = [
    asks.wait(2, { dest: FAR, type: undefined, timeout: 100 }),
    asks.wait(4, { dest: FAR, type: undefined, timeout: 100 }),
  ];
  asks.reject(2, "enough");
  asks.reject(2, "again");
  await assert.rejects(first, (reason) => reason === "enough");
  assert.equal(asks.size, 1);
  answerAsk(asks, answerTo(4, "answer"));
  assert.equal(await second, "answer");
  assert.equal(time.referenced, 0);
});

Deno.test("rejectAll ends the asks of one server, or all", async () => {
  using time = new FakeTime();
  const asks = new PendingAsks();
  const answers = [
    asks.wait(2, { dest: FAR, type: undefined, timeout: 100 }),
    asks.wait(4, { dest: OTHER, type: undefined, timeout: 100 }),
    asks.wait(6, { dest: FAR, type: undefined, timeout: 100 }),
  ];
  const settled = Promise.allSettled(answers);
  const reasons = [new DisconnectedError("lost"), new DisconnectedError("stopping")];
  asks.rejectAll(reasons[0]!, FAR.server);
  assert.equal(asks.size, 1);
  asks.rejectAll(reasons[1]!);
  assert.equal(asks.size, 0);
  const [a, b, c] = await settled as PromiseRejectedResult[];
  assert.deepEqual([a!.reason, b!.reason, c!.reason], [reasons[0], reasons[1], reasons[0]]);
  await settle();
  assert.equal(time.referenced, 0);
});

Deno.test("settle bounds the text of a peer's failure, and escapes its control characters", async () => {
  const asks = new PendingAsks();
  const hostile = `a\n\x1b[2J\u202e${"x".repeat(1e6)}`;
  const answer = asks.wait(2, { dest: FAR, type: undefined, timeout: Infinity });
  answerAsk(asks, answerTo(2, { name: hostile, message: hostile, stack: hostile }, true));
  const error = await answer.catch((error) => error);
  assert.ok(error instanceof ActorError);
  const { name, message, stack } = error.cause as Error;
  const lengths = [[error.remoteName, 300], [name, 300], [error.message, 100_100], [
    message,
    100_100,
  ]];
  for (const [text, length] of [...lengths, [stack, 4_100]] as [string, number][]) {
    assert.ok(text.startsWith("a\n\\u001b[2J\\u202ex") && text.length <= length, `${text.length}`);
  }
  for (const odd of [{ stack: 5 }, { stack: {} }, null, "text"]) {
    const answer = asks.wait(4, { dest: FAR, type: undefined, timeout: Infinity });
    answerAsk(asks, answerTo(4, odd, true));
    await assert.rejects(answer, (error: Error) => error.cause === undefined);
  }
});
