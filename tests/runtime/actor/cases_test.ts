import assert from "node:assert/strict";
import type { Case } from "../../../runtime/actor/mailbox.ts";
import { findCase } from "../../../runtime/actor/message_queue.ts";
import { on, onPing, onReply, onShutdown, onUnexpected } from "../../../runtime/actor/cases.ts";
import { type Envelope, messageType } from "../../../runtime/actor/messaging.ts";
import { ActorError } from "../../../runtime/errors.ts";
import { envelopeOf, startSystem } from "./linked_systems.ts";

function caseFor(cases: readonly Case[], envelope: Envelope): Case | undefined {
  return findCase(cases, envelope, messageType(envelope.message));
}

Deno.test("a case by type matches objects with that type, and calls no guard", () => {
  const wanted = on("add", () => {});
  for (const message of [{ type: "add" }, { type: "add", amount: 1 }]) {
    assert.equal(caseFor([wanted], envelopeOf(message)), wanted);
  }
  for (const message of [{ type: "ad" }, { type: ["add"] }, {}, null, undefined, "add", 5, []]) {
    assert.equal(caseFor([wanted], envelopeOf(message)), undefined);
  }
  const both: Case = {
    type: "add",
    matches: () => assert.fail("the type alone decides"),
    react: () => {},
  };
  assert.equal(caseFor([both], envelopeOf({ type: "add" })), both);
  assert.equal(caseFor([both], envelopeOf({ type: "other" })), undefined);
});

Deno.test("a case by guard matches what the guard accepts", () => {
  const text = on((message): message is string => typeof message === "string", () => {});
  assert.equal(caseFor([text], envelopeOf("text")), text);
  assert.equal(caseFor([text], envelopeOf({ type: "text" })), undefined);
});

Deno.test("the first matching case is found among guards and types", () => {
  const guard = on(
    (message): message is { n: number } => (message as { n: number }).n > 5,
    () => {},
  );
  const type = on("a", () => {});
  const message = envelopeOf({ type: "a", n: 6 });
  assert.equal(caseFor([guard, type], message), guard);
  assert.equal(caseFor([type, guard], message), type);
  assert.equal(caseFor([guard, type], envelopeOf({ type: "a", n: 5 })), type);
  assert.equal(caseFor([], message), undefined);
});

Deno.test("a case without a type or guard matches nothing", () => {
  assert.equal(caseFor([{ react: () => {} }], envelopeOf({ type: undefined })), undefined);
});

Deno.test("an answer to a told message is received by its nonce", async () => {
  const system = startSystem();
  const echo = system.spawn(
    "echo",
    (self) =>
      self.loop([{ matches: () => true, react: (message, envelope) => envelope.reply(message) }]),
  );
  const answers: unknown[] = [];
  const asker = system.spawn("asker", async (self) => {
    const [first, second] = ["one", "two"].map((text) =>
      self.tell("echo", text, { replyExpected: true })!
    );
    answers.push(await self.receive([onReply(second!, (message: string) => message)]));
    answers.push(await self.receive([onReply(first!, (message: string) => message)]));
  });
  await asker.ended;
  assert.deepEqual(answers, ["two", "one"]);
  echo.exit();
  await echo.ended;
});

Deno.test("ping is answered, whether or not an answer is expected", async () => {
  const system = startSystem();
  const actor = system.spawn("a", (self) => self.loop([onPing]));
  system.tell("a", { type: "ping" });
  assert.equal(await system.ask("a", { type: "ping" }), "OK");
  assert.equal(actor.handled, 2);
  actor.exit();
  await actor.ended;
});

Deno.test("shutdown cleans up, answers, and ends the actor normally", async () => {
  const system = startSystem();
  const steps: string[] = [];
  const actor = system.spawn("a", (self) =>
    self.loop([onShutdown(async () => {
      await Promise.resolve();
      steps.push("cleaned up");
    })]));
  assert.equal(await system.ask("a", { type: "shutdown" }), "OK");
  assert.deepEqual(steps, ["cleaned up"]);
  assert.equal(await actor.ended, undefined);
  const other = system.spawn("b", (self) => self.loop([onShutdown()]));
  system.tell("b", { type: "shutdown" });
  assert.equal(await other.ended, undefined);
});

Deno.test("a failing clean-up is the answer, and the actor's failure", async () => {
  const system = startSystem();
  for (
    const cleanUp of [
      () => {
        throw new RangeError("cannot clean up");
      },
      () => Promise.reject(new RangeError("cannot clean up")),
    ]
  ) {
    const actor = system.spawn("a", (self) => self.loop([onShutdown(cleanUp)]));
    await assert.rejects(system.ask("a", { type: "shutdown" }), (error) => {
      assert.ok(error instanceof ActorError);
      assert.equal(error.message, "cannot clean up");
      assert.equal(error.remoteName, "RangeError");
      return true;
    });
    assert.match(String(await actor.ended), /cannot clean up/);
  }
});

Deno.test("an unexpected message is refused by its type, and the actor continues", async () => {
  const system = startSystem();
  const actor = system.spawn("a", (self) => self.loop([onPing, onUnexpected]));
  const cases: [unknown, string][] = [
    [{ type: "odd" }, "unexpected message: odd"],
    [{ type: 5 }, "unexpected message: object"],
    [null, "unexpected message: object"],
    ["text", "unexpected message: string"],
  ];
  for (const [message, expected] of cases) {
    await assert.rejects(system.ask("a", message), { name: "ActorError", message: expected });
  }
  system.tell("a", "unasked");
  assert.equal(await system.ask("a", { type: "ping" }), "OK");
  actor.exit();
  await actor.ended;
});
