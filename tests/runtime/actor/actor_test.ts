import assert from "node:assert/strict";
import fc from "npm:fast-check@^4.10.2";
import type { Actor } from "../../../runtime/actor/actor.ts";
import type { ActorBody } from "../../../runtime/actor/spawn_options.ts";
import type { Case } from "../../../runtime/actor/mailbox.ts";
import { ActorExit, on, onReply } from "../../../runtime/actor/cases.ts";
import { ActorError, EnsembleError } from "../../../runtime/errors.ts";
import { FakeTime, settle, startSystem } from "./linked_systems.ts";
import { eventually } from "../server/captured_logs.ts";

const ANY: Case<unknown> = { matches: () => true, react: (message) => message };

/** A case that returns the message. */
function take(type: string): Case<unknown> {
  return on(type, (message) => message);
}

/** Starts an actor, and returns it once its body runs. */
async function start(
  body: ActorBody = () => new Promise(() => {}),
  name?: string,
): Promise<{ actor: Actor; tell: (message: unknown, timeout?: number) => void; ask: Ask }> {
  const system = startSystem();
  const actor = system.spawn(name, body);
  await settle();
  return {
    actor,
    tell: (message, timeout) => {
      assert.notEqual(system.tell(actor, message, { timeout }), undefined);
    },
    ask: (message) => system.ask(actor, message),
  };
}

type Ask = (message: unknown) => Promise<unknown>;

Deno.test("messages are received in the order they were sent, whether or not the actor waits", async () => {
  const received: unknown[] = [];
  const gate = Promise.withResolvers<void>();
  const { actor, tell } = await start(async (self) => {
    for (let i = 0; i < 3; i++) received.push(await self.receive([ANY]));
    await gate.promise;
    for (let i = 3; i < 6; i++) received.push(await self.receive([ANY]));
  });
  for (let i = 0; i < 6; i++) tell(i);
  await settle();
  assert.deepEqual(received, [0, 1, 2]);
  assert.equal(actor.mailboxLength, 3);
  gate.resolve();
  await actor.ended;
  assert.deepEqual(received, [0, 1, 2, 3, 4, 5]);
  assert.equal(actor.handled, 6);
});

Deno.test("messages that match no case stay in the mailbox in order", async () => {
  const { actor, tell } = await start();
  for (const id of [0, 1, 2, 3]) tell({ type: id % 2 ? "odd" : "even", id });
  assert.deepEqual(await actor.receive([take("odd")]), { type: "odd", id: 1 });
  const waiting = actor.receive([take("wanted")]);
  assert.equal(actor.activity, "receiving");
  tell({ type: "even", id: 4 });
  assert.equal(actor.activity, "receiving");
  tell({ type: "wanted", id: 5 });
  assert.equal(actor.activity, "running");
  tell({ type: "wanted", id: 6 });
  assert.deepEqual(await waiting, { type: "wanted", id: 5 });
  const rest: unknown[] = [];
  while (actor.mailboxLength > 0) {
    rest.push((await actor.receive([ANY]) as { id: number }).id);
  }
  assert.deepEqual(rest, [0, 2, 3, 4, 6]);
});

Deno.test("receives of every kind get what they would from a list of all messages", async () => {
  const types = ["a", "b", "c"];
  const step = fc.oneof(
    fc.record({ send: fc.constantFrom(...types) }),
    fc.record({ receive: fc.subarray(types, { minLength: 1 }), guarded: fc.boolean() }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { actor, tell } = await start();
      const model: { type: string; id: number }[] = [];
      let pending: { types: string[]; result: Promise<unknown> } | undefined;
      const expectTaken = async (types: string[], result: Promise<unknown>) => {
        const index = model.findIndex(({ type }) => types.includes(type));
        assert.deepEqual(await result, model[index]);
        model.splice(index, 1);
      };
      for (const [id, step] of steps.entries()) {
        if ("send" in step) {
          const message = { type: step.send, id };
          tell(message);
          model.push(message);
          if (pending?.types.includes(step.send)) {
            await expectTaken(pending.types, pending.result);
            pending = undefined;
          }
        } else if (!pending) {
          const cases: Case<unknown>[] = step.guarded
            ? [{
              matches: ({ message }) => step.receive.includes((message as { type: string }).type),
              react: (message) => message,
            }]
            : step.receive.map(take);
          const result = actor.receive(cases);
          if (model.some(({ type }) => step.receive.includes(type))) {
            await expectTaken(step.receive, result);
          } else {
            pending = { types: step.receive, result };
            result.catch(() => {});
          }
        }
      }
      assert.equal(actor.mailboxLength, model.length);
      // After a busy while, a receive first yields to the event loop.
      await eventually(() => actor.activity === (pending ? "receiving" : "running"));
      actor.exit();
      await settle();
    }),
    { numRuns: 200 },
  );
});

Deno.test("receive returns the result of its reaction, and awaits a promise", async () => {
  const { actor, tell } = await start();
  tell(1);
  tell(2);
  tell(3);
  assert.equal(await actor.receive([{ ...ANY, react: () => "value" }]), "value");
  const slow = { ...ANY, react: () => Promise.resolve("later") };
  assert.equal(await actor.receive([slow]), "later");
  const odd: Record<string, unknown> = {};
  odd["then"] = (resolve: (value: string) => void) => resolve("of another class");
  assert.equal(await actor.receive([{ ...ANY, react: () => odd }]), "of another class");
});

Deno.test("receive with a timeout of 0 takes a message that is there, or runs the else", async () => {
  const { actor, tell } = await start();
  const nothing = actor.receive([ANY], { timeout: 0 });
  assert.equal(actor.activity, "running");
  assert.equal(await nothing, undefined);
  assert.equal(await actor.receive([ANY], { timeout: 0, else: () => "nothing" }), "nothing");
  tell("there");
  const unused = () => assert.fail("something is there");
  assert.equal(await actor.receive([ANY], { timeout: 0, else: unused }), "there");
  assert.equal(actor.activity, "running");
});

Deno.test("receive ends at its timeout without a message, and not after it got one", async () => {
  using time = new FakeTime();
  const { actor, tell } = await start();
  let result: unknown;
  const receive = (timeout: number) =>
    actor.receive([take("a")], { timeout, else: () => "nothing" })
      .then((value) => result = value);
  receive(100);
  tell({ type: "b" });
  await time.pass(99);
  assert.equal(result, undefined);
  assert.equal(actor.activity, "receiving");
  await time.pass(1);
  assert.equal(result, "nothing");
  assert.equal(actor.activity, "running");
  receive(100);
  await time.pass(50);
  tell({ type: "a" });
  await time.pass(0);
  assert.deepEqual(result, { type: "a" });
  assert.equal(time.timers, 0);
  // An expired timeout does not end the next receive.
  result = undefined;
  receive(Infinity);
  assert.equal(time.timers, 0);
  await time.pass(1000);
  assert.equal(result, undefined);
  tell({ type: "a" });
  await settle();
  assert.deepEqual(result, { type: "a" });
  assert.equal(actor.mailboxLength, 1);
});

Deno.test("receive accepts a timeout of months", async () => {
  using time = new FakeTime();
  const { actor } = await start();
  const months = 100 * 24 * 3_600_000;
  let over = false;
  actor.receive([ANY], { timeout: months }).then(() => over = true);
  assert.ok(time.longest < 2 ** 31, "a longer delay fires at once");
  await time.pass(months - 1);
  assert.equal(over, false);
  await time.pass(1);
  assert.equal(over, true);
});

Deno.test("expired messages are dropped unread", async () => {
  using time = new FakeTime();
  const { actor, tell } = await start();
  tell("old", 10);
  tell("fresh", 100);
  time.now += 10;
  assert.equal(await actor.receive([ANY]), "fresh");
  assert.equal(actor.mailboxLength, 0);
  const waiting = actor.receive([ANY]);
  tell("at once", 1);
  time.now += 10;
  assert.equal(await waiting, "at once");
});

Deno.test("a second receive during one that waits is refused, and takes no message from it", async () => {
  const { actor, tell } = await start(undefined, "busy");
  const waiting = actor.receive([take("a")]);
  tell({ type: "b" });
  const refused = (error: unknown) =>
    error instanceof EnsembleError &&
    error.message === "busy@here is already waiting in another receive";
  await assert.rejects(actor.receive([take("a")]), refused);
  await assert.rejects(actor.receive([take("b")]), refused);
  await assert.rejects(actor.receive([take("b")], { timeout: 0 }), refused);
  await assert.rejects(actor.loop([ANY]), refused);
  tell({ type: "a" });
  assert.deepEqual(await waiting, { type: "a" });
  assert.deepEqual(await actor.receive([take("b")]), { type: "b" });
});

for (
  const [how, fail] of [
    ["throws", () => {
      throw new RangeError("broken");
    }],
    ["rejects", () => Promise.reject(new RangeError("broken"))],
  ] as const
) {
  Deno.test(`a reaction that ${how} fails the ask and ends the actor, in a receive`, async () => {
    const { actor, ask } = await start(async (self) => {
      await self.receive([{ ...ANY, react: fail }]);
    });
    await assert.rejects(ask("x"), (error) => {
      assert.ok(error instanceof ActorError);
      assert.deepEqual([error.message, error.remoteName], ["broken", "RangeError"]);
      return true;
    });
    assert.ok(await actor.ended instanceof RangeError);
    assert.equal(actor.activity, "dead");
  });

  Deno.test(`a reaction that ${how} fails the ask and ends the actor, in a loop`, async () => {
    const { actor, ask, tell } = await start((self) => self.loop([{ ...ANY, react: fail }]));
    const answers = Promise.allSettled([ask("x"), ask("y")]);
    tell("z");
    const [first, second] = await answers as PromiseRejectedResult[];
    assert.equal(first!.reason.message, "broken");
    assert.match(second!.reason.message, /has ended: broken$/);
    assert.ok(await actor.ended instanceof RangeError);
  });

  Deno.test(`an actor can catch a reaction that ${how}, and continue`, async () => {
    const { actor, ask } = await start(async (self) => {
      await assert.rejects(self.receive([{ ...ANY, react: fail }]), /broken/);
      await self.receive([{ ...ANY, react: (_message, envelope) => envelope.reply("fine") }]);
    });
    await assert.rejects(ask("x"), /broken/);
    assert.equal(await ask("y"), "fine");
    assert.equal(await actor.ended, undefined);
  });
}

Deno.test("a reaction that fails after it answered does not answer again", async () => {
  const { actor, ask } = await start((self) =>
    self.loop([{
      ...ANY,
      react: (_message, envelope) => {
        envelope.reply("answered");
        throw new Error("afterwards");
      },
    }])
  );
  assert.equal(await ask("x"), "answered");
  assert.match(String(await actor.ended), /afterwards/);
});

Deno.test("an actor reports the cases of the receive it waits in", async () => {
  const { actor, tell } = await start();
  assert.equal(actor.awaits, undefined);
  const waiting = actor.receive([take("a"), onReply(7, () => {}), ANY]);
  assert.deepEqual(actor.awaits, ["a", "*", "*"]);
  tell("x");
  await waiting;
  assert.equal(actor.awaits, undefined);
});

Deno.test("a guard that throws fails its receive, and never the sender", async () => {
  for (const waits of [true, false]) {
    const gate = Promise.withResolvers<void>();
    if (waits) gate.resolve();
    const system = startSystem();
    const actor = system.spawn("guarded", async (self) => {
      await gate.promise;
      await self.receive([{
        matches: () => {
          throw new Error("no guard");
        },
        react: () => {},
      }]);
    });
    await settle();
    const answer = system.ask("guarded", "x");
    gate.resolve();
    await assert.rejects(answer, /^ActorError: guarded@here has ended: no guard$/);
    assert.match(String(await actor.ended), /no guard/);
  }
});

Deno.test("a receive whose guard threw leaves the message to the next receive", async () => {
  const { actor, tell } = await start();
  const waiting = actor.receive([{ ...ANY, matches: () => assert.fail("no guard") }]);
  tell("x");
  await assert.rejects(waiting, /no guard/);
  assert.equal(actor.activity, "running");
  assert.equal(await actor.receive([ANY], { timeout: 0 }), "x");
});

Deno.test("a killed actor leaves its receive, and every later one", async () => {
  const caught: unknown[] = [];
  const { actor } = await start(async (self) => {
    for (let i = 0; i < 3; i++) {
      await self.receive([ANY]).catch((error) => caught.push(error));
    }
    await self.loop([ANY]);
  });
  actor.exit("enough");
  actor.exit("again");
  assert.equal(await actor.ended, undefined);
  assert.equal(caught.length, 3);
  assert.ok(caught.every((error) => error instanceof ActorExit && error.message === "enough"));
});

Deno.test("a running actor ends at its next receive, and its signal is aborted at once", async () => {
  const { actor } = await start(async (self) => {
    await new Promise((resolve) => self.signal.addEventListener("abort", resolve));
    await self.receive([ANY]);
    assert.fail("received");
  });
  const { signal } = actor;
  assert.equal(signal.aborted, false);
  actor.exit("enough");
  assert.equal(signal.aborted, true);
  assert.equal(await actor.ended, undefined);
  const { actor: other } = await start(() => {});
  await other.ended;
  await settle();
  assert.ok(other.signal.aborted, "a signal asked for after the end is aborted");
});

Deno.test("throwing ActorExit ends the actor normally, from a body and from a reaction", async () => {
  const { actor } = await start(() => {
    throw new ActorExit();
  });
  assert.equal(await actor.ended, undefined);
  const { actor: other, tell } = await start((self) =>
    self.loop([{
      ...ANY,
      react: () => {
        throw new ActorExit();
      },
    }])
  );
  tell("x");
  assert.equal(await other.ended, undefined);
});

Deno.test("an actor's state is running, receiving or dead", async () => {
  const { actor, tell } = await start((self) => self.receive([ANY]) as Promise<void>);
  assert.equal(actor.activity, "receiving");
  tell("x");
  assert.equal(actor.activity, "running");
  await actor.ended;
  await settle();
  assert.equal(actor.activity, "dead");
});

Deno.test("an abandoned receive keeps no timer", async () => {
  using time = new FakeTime();
  const { actor } = await start((self) => void self.receive([ANY], { timeout: 3_600_000 }));
  await actor.ended;
  await settle();
  assert.equal(time.timers, 0);
});

Deno.test("a message to a waiting actor costs the same for any length of backlog", async () => {
  const work = async (backlog: number) => {
    const { actor, tell } = await start();
    let asked = 0;
    const guard: Case = {
      matches: ({ message }) => {
        asked++;
        return message === "wanted";
      },
      react: () => {},
    };
    for (let i = 0; i < backlog; i++) tell("other");
    const waiting = actor.receive([guard]);
    assert.equal(asked, backlog);
    for (let i = 0; i < 1000; i++) tell("other");
    tell("wanted");
    await waiting;
    return asked - backlog;
  };
  assert.equal(await work(10), 1001);
  assert.equal(await work(40_000), 1001);
});

Deno.test("an awaited answer is received on its own, apart from other messages", async () => {
  const { actor, tell } = await start();
  const nonce = actor.tell(actor, { type: "question" }, { replyExpected: true })!;
  tell({ type: "answer" });
  const waiting = actor.receive([onReply(nonce, (message) => message)]);
  actor.tell(actor, "not it", { replyTo: nonce + 2 });
  actor.tell(actor, "it", { replyTo: nonce });
  assert.equal(await waiting, "it");
  assert.equal(actor.mailboxLength, 3);
});

Deno.test("a backtrace disturbs neither the receive it shows nor the awaited message", async () => {
  const { actor, tell } = await start(async function waitingForWork(self) {
    await self.receive([take("a")]);
    await self.receive([take("b")], { timeout: 60_000 });
    await self.loop([take("c")]);
  });
  for (const type of ["a", "b", "c"]) {
    const stacks = await Promise.all([actor.backtrace(), actor.backtrace()]);
    if (type !== "c") { for (const stack of stacks) assert.match(stack!, /waitingForWork/); }
    assert.deepEqual(actor.awaits, [type]);
    // Once at the moment when the message arrives.
    const third = actor.backtrace();
    tell({ type });
    await third;
    await settle();
    assert.equal(actor.mailboxLength, 0);
  }
  const last = actor.backtrace();
  actor.exit();
  await last;
  assert.equal(await actor.ended, undefined);
  await settle();
  assert.equal(await actor.backtrace(), undefined);
});

Deno.test("a receive times out with the runtime's own timers too", async () => {
  let over = false;
  const { actor } = await start(async (self) => {
    await self.receive([ANY], { timeout: 1 });
    over = true;
  });
  await eventually(() => over);
  await actor.ended;
});
