import assert from "node:assert/strict";
import fc from "npm:fast-check@^4.10.2";
import { on, onReply } from "../../../runtime/actor/cases.ts";
import { type Case, FIRST_WARNING, Mailbox } from "../../../runtime/actor/mailbox.ts";
import { MessageQueue } from "../../../runtime/actor/message_queue.ts";
import type { Envelope } from "../../../runtime/actor/messaging.ts";
import { envelopeOf, FakeTime } from "./linked_systems.ts";

interface Numbered {
  type?: string;
  id: number;
}

const ANY: Case = { matches: () => true, react: () => {} };

function byType(type: string): Case {
  return on(type, () => {});
}

function byId(test: (id: number) => boolean): Case {
  return { matches: ({ message }) => test((message as Numbered).id), react: () => {} };
}

function takeId(mailbox: Mailbox, ...cases: Case[]): number | undefined {
  return (mailbox.take(cases)?.envelope.message as Numbered | undefined)?.id;
}

/** A mailbox with enough messages of a type to be indexed. */
function indexed(backlog = 100): Mailbox {
  const mailbox = new Mailbox(() => {});
  for (let id = 0; id < backlog; id++) mailbox.push(envelopeOf({ type: "other", id }));
  assert.equal(takeId(mailbox, byType("none")), undefined);
  return mailbox;
}

Deno.test("envelopes are taken in the order they arrived", () => {
  const mailbox = new Mailbox(() => {});
  for (let id = 0; id < 200; id++) mailbox.push(envelopeOf({ type: "a", id }));
  assert.equal(mailbox.length, 200);
  for (let id = 0; id < 200; id++) assert.equal(takeId(mailbox, byType("a")), id);
  assert.equal(mailbox.length, 0);
  assert.equal(mailbox.take([ANY]), undefined);
});

Deno.test("skipped messages stay in order", () => {
  for (const backlog of [5, 500]) {
    const mailbox = new Mailbox(() => {});
    for (let id = 0; id < backlog; id++) {
      mailbox.push(envelopeOf({ type: id % 5 === 3 ? "wanted" : "other", id }));
    }
    const wanted: number[] = [];
    for (let id; (id = takeId(mailbox, byType("wanted"))) !== undefined;) wanted.push(id);
    const all = Array.from({ length: backlog }, (_, id) => id);
    assert.deepEqual(wanted, all.filter((id) => id % 5 === 3));
    const rest = mailbox.clear().map(({ message }) => (message as Numbered).id);
    assert.deepEqual(rest, all.filter((id) => id % 5 !== 3));
  }
});

Deno.test("the first message that matches any case is taken, by the first case that matches", () => {
  for (const mailbox of [new Mailbox(() => {}), indexed()]) {
    mailbox.push(envelopeOf({ type: "b", id: 1000 }));
    mailbox.push(envelopeOf({ type: "a", id: 1001 }));
    const [a, b, second] = [byType("a"), byType("b"), byType("b")];
    const taken = mailbox.take([a, b, second])!;
    assert.equal((taken.envelope.message as Numbered).id, 1000);
    assert.equal(taken.reaction, b);
    assert.equal(mailbox.take([ANY, a])!.reaction, ANY);
  }
});

Deno.test("messages without a type are matched only by guards", () => {
  for (const mailbox of [new Mailbox(() => {}), indexed(40)]) {
    const odd = [null, undefined, 5, "a", ["a"], { type: 5 }, { type: { a: 1 } }, () => 1];
    for (const message of odd) mailbox.push(envelopeOf(message));
    assert.equal(mailbox.take([byType("a"), byType("5"), byType("undefined")]), undefined);
    const guard: Case = {
      matches: ({ message }) => odd.includes(message as never),
      react: () => {},
    };
    for (const message of odd) assert.equal(mailbox.take([guard])!.envelope.message, message);
  }
});

Deno.test("types named like properties of Object are ordinary types", () => {
  for (const mailbox of [new Mailbox(() => {}), indexed()]) {
    const types = ["__proto__", "constructor", "toString", "hasOwnProperty", ""];
    types.forEach((type, i) => mailbox.push(envelopeOf({ type, id: 1000 + i })));
    types.forEach((type, i) => assert.equal(takeId(mailbox, byType(type)), 1000 + i));
  }
});

Deno.test("an empty list of cases matches nothing", () => {
  for (const mailbox of [new Mailbox(() => {}), indexed()]) {
    mailbox.push(envelopeOf({ type: "a", id: 1 }));
    const { length } = mailbox;
    assert.equal(mailbox.take([]), undefined);
    assert.equal(mailbox.length, length);
  }
});

Deno.test("a guard that throws leaves every message in place", () => {
  for (const mailbox of [new Mailbox(() => {}), indexed()]) {
    mailbox.push(envelopeOf({ type: "a", id: 1000 }));
    const { length } = mailbox;
    const guard = byId(() => {
      throw new Error("no guard");
    });
    assert.throws(() => mailbox.take([guard]), /no guard/);
    assert.equal(mailbox.length, length);
    assert.equal(takeId(mailbox, byType("a")), 1000);
  }
});

Deno.test("a guard may add to the mailbox that it guards", () => {
  const mailbox = new Mailbox(() => {});
  mailbox.push(envelopeOf({ id: 0 }));
  let calls = 0;
  const guard = byId((id) => {
    if (++calls <= 100) mailbox.push(envelopeOf({ id: calls }));
    return id === 100;
  });
  assert.equal(takeId(mailbox, guard), 100);
  assert.equal(mailbox.length, 100);
});

Deno.test("a guard that adds many messages takes the one that it matched", () => {
  const mailbox = new Mailbox(() => {});
  for (let id = 0; id < 32; id++) mailbox.push(envelopeOf({ type: id % 2 ? "odd" : "even", id }));
  // Now most of the places behind the first one are empty.
  for (let id = 1; id < 32; id += 2) assert.equal(takeId(mailbox, byType("odd")), id);
  for (let id = 2; id < 20; id += 2) assert.equal(takeId(mailbox, byId((n) => n > 0)), id);
  let added = 100;
  const adding = byId((id) => {
    if (id === 22) {
      while (added < 200) mailbox.push(envelopeOf({ id: added++ }));
    }
    return id === 22;
  });
  assert.equal(takeId(mailbox, adding), 22);
  const rest = [0, 20, 24, 26, 28, 30, ...Array.from({ length: 100 }, (_, i) => 100 + i)];
  assert.equal(mailbox.length, rest.length);
  for (const id of rest) assert.equal(takeId(mailbox, ANY), id);
  assert.equal(mailbox.length, 0);
});

Deno.test("expired envelopes are dropped when they are met", () => {
  for (const backlog of [0, 100]) {
    using time = new FakeTime();
    const mailbox = indexed(backlog);
    mailbox.push(envelopeOf({ type: "a", id: 1000 }, 50));
    mailbox.push(envelopeOf({ type: "a", id: 1001 }, 49));
    mailbox.push(envelopeOf({ type: "a", id: 1002 }));
    mailbox.push(envelopeOf({ type: "a", id: 1003 }, 51));
    mailbox.push(envelopeOf({ type: "a", id: 1004 }, Infinity));
    time.now += 50;
    const taken: (number | undefined)[] = [];
    for (let i = 0; i < 4; i++) taken.push(takeId(mailbox, byType("a")));
    assert.deepEqual(taken, [1002, 1003, 1004, undefined]);
    assert.equal(mailbox.length, backlog);
  }
});

Deno.test("an envelope that is already expired is dropped", () => {
  using _time = new FakeTime();
  const mailbox = new Mailbox(() => {});
  mailbox.push(envelopeOf({ id: 1 }, 0));
  mailbox.push(envelopeOf({ id: 2 }, -5));
  assert.equal(takeId(mailbox, ANY), undefined);
  assert.equal(mailbox.length, 0);
});

Deno.test("a cleared mailbox is empty and usable", () => {
  const mailbox = indexed(50);
  assert.equal(mailbox.clear().length, 50);
  assert.equal(mailbox.length, 0);
  assert.deepEqual(mailbox.clear(), []);
  mailbox.push(envelopeOf({ type: "other", id: 7 }));
  assert.equal(takeId(mailbox, byType("other")), 7);
});

/** A mailbox as an array that looks at every envelope for each operation. */
class NaiveMailbox {
  envelopes: { envelope: Envelope; deadline: number }[] = [];

  push(envelope: Envelope): void {
    const deadline = performance.now() + (envelope.timeout ?? Infinity);
    this.envelopes.push({ envelope, deadline });
    // In order, except system messages, which come first.
    const isSystem = ({ envelope: { message } }: { envelope: Envelope }) =>
      ["ping", "shutdown"].includes((message as Numbered).type!);
    this.envelopes = [
      ...this.envelopes.filter(isSystem),
      ...this.envelopes.filter((each) => !isSystem(each)),
    ];
  }

  take(cases: readonly Case[]): { envelope: Envelope; reaction: Case } | undefined {
    for (const [index, { envelope, deadline }] of this.envelopes.entries()) {
      if (deadline <= performance.now()) continue;
      const type = (envelope.message as Numbered).type;
      const reaction = cases.find((each) =>
        each.type !== undefined
          ? each.type === type
          : each.replyTo !== undefined
          ? each.replyTo === envelope.replyTo
          : each.matches!(envelope)
      );
      if (!reaction) continue;
      this.envelopes.splice(index, 1);
      return { envelope, reaction };
    }
  }
}

const TYPE = fc.constantFrom("a", "b", "c", "ping", "shutdown", undefined);

type Step =
  | { push: string | undefined; timeout: number | undefined; replyTo: number | undefined }
  | { take: Case[] }
  | { pass: number };

const CASE: fc.Arbitrary<Case> = fc.oneof(
  fc.constantFrom("a", "b", "c", "d", "ping", "shutdown").map(byType),
  fc.constantFrom(1, 3, 5).map((nonce) => onReply(nonce, () => {})),
  fc.tuple(fc.integer({ min: 2, max: 7 }), fc.nat(6)).map(([n, k]) => byId((id) => id % n === k)),
);

const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      push: TYPE,
      timeout: fc.option(fc.nat(100), { nil: undefined, freq: 4 }),
      replyTo: fc.option(fc.constantFrom(1, 3), { nil: undefined, freq: 2 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ take: fc.array(CASE, { maxLength: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ pass: fc.nat(60) }) },
);

for (const backlog of [0, 20, 60, 200]) {
  Deno.test(`a mailbox with ${backlog} waiting messages behaves like a plain array`, () => {
    fc.assert(
      fc.property(fc.array(STEP, { maxLength: 150 }), (steps) => {
        using time = new FakeTime();
        const mailbox = new Mailbox(() => {});
        const naive = new NaiveMailbox();
        let id = 0;
        const push = (type: string | undefined, timeout?: number, replyTo?: number) => {
          const envelope = envelopeOf({ ...(type && { type }), id: id++ }, timeout, replyTo);
          mailbox.push(envelope);
          naive.push(envelope);
        };
        for (let i = 0; i < backlog; i++) push("backlog");
        for (const step of steps) {
          if ("push" in step) push(step.push, step.timeout, step.replyTo);
          else if ("pass" in step) time.now += step.pass;
          else {
            const [actual, expected] = [mailbox.take(step.take), naive.take(step.take)];
            assert.equal(actual?.envelope, expected?.envelope);
            assert.equal(actual?.reaction, expected?.reaction);
          }
        }
        const living = naive.envelopes.filter(({ deadline }) => deadline > time.now);
        assert.ok(mailbox.length >= living.length);
        const rest: Envelope[] = [];
        for (let taken; (taken = mailbox.take([ANY]));) rest.push(taken.envelope);
        assert.deepEqual(
          rest.map(({ nonce }) => nonce),
          living.map(({ envelope }) => envelope.nonce),
        );
        assert.equal(mailbox.length, 0);
      }),
      { numRuns: 150 },
    );
  });
}

/** Counts how often cases are examined, which is the work of a receive. */
class CountedCases {
  looks = 0;

  byType(type: string): Case {
    const count = () => this.looks++;
    return {
      get type() {
        count();
        return type;
      },
      react: () => {},
    };
  }
}

function message(type: string, id: number): Envelope {
  return envelopeOf({ type, id });
}

/** How much the work grows when the size grows four times. */
function growth(work: (size: number) => number): number {
  return work(4000) / Math.max(1, work(1000));
}

Deno.test("receives by type cost the same for any length of backlog", () => {
  const work = (backlog: number) => {
    const cases = new CountedCases();
    const mailbox = new Mailbox(() => {});
    for (let id = 0; id < backlog; id++) mailbox.push(message("other", id));
    takeId(mailbox, byType("wanted"));
    const [none, wanted] = [cases.byType("none"), cases.byType("wanted")];
    for (let id = 0; id < 1000; id++) {
      mailbox.push(message("wanted", id));
      assert.equal(takeId(mailbox, none, wanted), id);
    }
    return cases.looks;
  };
  const looks = [100, 100_000].map(work);
  assert.equal(looks[0], looks[1]);
  assert.ok(looks[1]! <= 10_000, `${looks[1]} looks`);
});

Deno.test("emptying a mailbox by types in any order takes time linear in its length", () => {
  const work = (size: number) => {
    const cases = new CountedCases();
    const mailbox = new Mailbox(() => {});
    for (let id = 0; id < size; id++) mailbox.push(message(`type${id % 10}`, id));
    for (let type = 9; type >= 0; type--) {
      const wanted = cases.byType(`type${type}`);
      for (let i = 0; i < size / 10; i++) assert.notEqual(takeId(mailbox, wanted), undefined);
    }
    assert.equal(mailbox.length, 0);
    return cases.looks;
  };
  assert.ok(growth(work) <= 4.5, `grew ${growth(work)} times`);
});

Deno.test("removing from the middle does not depend on the neighbors", () => {
  const work = (size: number) => {
    const cases = new CountedCases();
    const mailbox = new Mailbox(() => {});
    for (let id = 0; id < size; id++) {
      mailbox.push(message(id === size / 2 ? "middle" : "other", id));
    }
    takeId(mailbox, byType("none"));
    assert.equal(takeId(mailbox, cases.byType("middle")), size / 2);
    return cases.looks;
  };
  assert.equal(work(1000), work(100_000));
});

Deno.test("ping and shutdown are taken before all earlier messages, in their own order", () => {
  for (const mailbox of [new Mailbox(() => {}), indexed()]) {
    ["a", "shutdown", "ping", "b", "ping"].forEach((type, i) =>
      mailbox.push(message(type, 1000 + i))
    );
    assert.equal(takeId(mailbox, byType("a"), byType("ping"), byType("shutdown")), 1001);
    assert.equal(takeId(mailbox, ANY), 1002);
    assert.equal(takeId(mailbox, byType("a"), byType("b")), 1000);
    assert.equal(takeId(mailbox, ANY), 1004);
  }
});

Deno.test("clear returns system messages too, and length counts them", () => {
  const mailbox = new Mailbox(() => {});
  ["a", "ping"].forEach((type, id) => mailbox.push(message(type, id)));
  assert.equal(mailbox.length, 2);
  assert.deepEqual(mailbox.clear().map(({ message }) => (message as Numbered).id), [1, 0]);
  assert.equal(mailbox.length, 0);
});

Deno.test("clear returns no expired messages", () => {
  using time = new FakeTime();
  const mailbox = new Mailbox(() => {});
  mailbox.push(envelopeOf({ id: 1 }, 50));
  mailbox.push(envelopeOf({ id: 2 }, 51));
  mailbox.push(envelopeOf({ type: "ping", id: 3 }, 50));
  mailbox.push(envelopeOf({ id: 4 }));
  time.now += 50;
  assert.deepEqual(mailbox.clear().map(({ message }) => (message as Numbered).id), [2, 4]);
  assert.equal(mailbox.length, 0);
});

Deno.test("an index leaves nothing behind when its queue is empty, and finds later messages", () => {
  const mailbox = indexed(40);
  while (mailbox.take([ANY]));
  mailbox.push(message("later", 1));
  mailbox.push(envelopeOf({ type: "later", id: 2 }, undefined, 7));
  // One of the answers to 7 is taken by its type, and the next one is found by the nonce.
  mailbox.push(envelopeOf({ type: "x", id: 3 }, undefined, 7));
  mailbox.push(envelopeOf({ type: "later", id: 4 }, undefined, 7));
  for (let id = 0; id < 40; id++) mailbox.push(message("other", id));
  assert.equal(takeId(mailbox, byType("none")), undefined);
  assert.equal(takeId(mailbox, byType("x")), 3);
  assert.equal(takeId(mailbox, onReply(7, () => {})), 2);
  assert.equal(takeId(mailbox, onReply(7, () => {})), 4);
  assert.equal(takeId(mailbox, onReply(7, () => {})), undefined);
  assert.equal(takeId(mailbox, byType("later")), 1);
});

Deno.test("a mailbox from which no ping is taken keeps no expired ones", () => {
  using time = new FakeTime();
  const mailbox = new Mailbox(() => {});
  for (let id = 0; id < 100; id++) {
    mailbox.push(envelopeOf({ type: "ping", id }, 50));
    time.now += 10;
  }
  assert.equal(mailbox.length, 5);
});

Deno.test("an answer behind a backlog is found at once, by its nonce or by its type", () => {
  const work = (backlog: number) => {
    let looks = 0;
    const counted = (replyTo: number): Case => ({
      get replyTo() {
        looks++;
        return replyTo;
      },
      react: () => {},
    });
    const mailbox = new Mailbox(() => {});
    for (let id = 0; id < backlog; id++) mailbox.push(message("other", id));
    assert.equal(takeId(mailbox, onReply(7, () => {})), undefined);
    for (let id = 0; id < 1000; id += 2) {
      mailbox.push(envelopeOf({ type: "answer", id }, undefined, 2 * id + 1));
      mailbox.push(envelopeOf({ type: "answer", id: id + 1 }, undefined, 2 * id + 3));
      assert.equal(takeId(mailbox, counted(2 * id + 3)), id + 1);
      assert.equal(takeId(mailbox, byType("answer")), id);
    }
    assert.equal(mailbox.length, backlog);
    return looks;
  };
  assert.equal(work(100), work(100_000));
});

Deno.test("a mailbox warns each time it has doubled after its first warning", () => {
  using time = new FakeTime();
  const warned: number[] = [];
  const mailbox = new Mailbox((length) => warned.push(length));
  const fill = (length: number) => {
    while (mailbox.length < length) mailbox.push(message("a", 0));
  };
  const first = FIRST_WARNING;
  assert.equal(first, 10_000);
  fill(first - 1);
  assert.deepEqual(warned, []);
  fill(5 * first);
  assert.deepEqual(warned, [first, 2 * first, 4 * first]);
  // A mailbox that fills and empties in turn repeats no recent warning, but reports a larger size.
  mailbox.clear();
  fill(9 * first);
  assert.deepEqual(warned.splice(0), [first, 2 * first, 4 * first, 8 * first]);
  time.now += 60_000;
  mailbox.clear();
  fill(first);
  assert.deepEqual(warned, [first]);
});

function push(queue: MessageQueue, type: string, replyTo?: number): void {
  queue.push(envelopeOf({ type }, undefined, replyTo), type);
}

function take(queue: MessageQueue, wanted: Case): boolean {
  return queue.take([wanted]) !== undefined;
}

/** A queue with enough messages for a receive without a match to make the index. */
function indexedQueue(): MessageQueue {
  const queue = new MessageQueue();
  for (let i = 0; i < 32; i++) push(queue, "other");
  assert.equal(queue.keys, undefined);
  assert.ok(!take(queue, on("none", () => {})));
  assert.equal(queue.keys, 1);
  return queue;
}

Deno.test("a queue keeps nothing of types and answers that have come and gone", () => {
  const queue = indexedQueue();
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
  const queue = indexedQueue();
  while (take(queue, on("other", () => {})));
  assert.equal(queue.length, 0);
  assert.equal(queue.keys, undefined);
  push(queue, "other");
  assert.equal(queue.keys, undefined);
  const cleared = indexedQueue();
  cleared.clear();
  assert.equal(cleared.keys, undefined);
});

Deno.test("a receive that passes over a few messages makes no index", () => {
  const queue = new MessageQueue();
  for (let i = 0; i < 31; i++) push(queue, "other");
  assert.ok(!take(queue, on("none", () => {})));
  assert.equal(queue.keys, undefined);
});
