import assert from "node:assert/strict";
import type { Actor } from "../../../runtime/actor/actor.ts";
import { on, onDown, onUnexpected } from "../../../runtime/actor/cases.ts";
import type { MailboxOptions } from "../../../runtime/actor/mailbox.ts";
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { type ActorError, InvalidInputError } from "../../../runtime/errors.ts";
import { CapturedLogs } from "../server/captured_logs.ts";
import { LinkedSystems, startSystem } from "./linked_systems.ts";

/**
 * An actor that receives its messages, which are numbers, once the gate opens. Returns the received
 * ones.
 */
function gated(system: ActorSystem, mailbox: MailboxOptions) {
  const gate = Promise.withResolvers<void>();
  const taken: unknown[] = [];
  const actor = system.spawn("a", async (self) => {
    await gate.promise;
    while (self.mailboxLength > 0) {
      await self.receive([on("n", ({ n }: { n: number }) => taken.push(n)), onUnexpected]);
    }
  }, { mailbox });
  const open = async () => {
    gate.resolve();
    await actor.ended;
    return taken;
  };
  return { actor, open };
}

function codeOf(ask: Promise<unknown>): Promise<string> {
  return ask.then(() => "answered", (error) => (error as ActorError).code);
}

for (
  const [overflow, taken] of [
    ["reject", [0, 1, 2]],
    ["drop-newest", [0, 1, 2]],
    ["drop-oldest", [3, 4, 5]],
  ] as const
) {
  Deno.test(`a mailbox with a limit and ${overflow} keeps as many messages as it allows`, async () => {
    using logs = await CapturedLogs.start("warning");
    const system = startSystem();
    const { actor, open } = gated(system, { limit: 3, overflow });
    for (let n = 0; n < 6; n++) system.tell(actor, { type: "n", n });
    assert.equal(actor.mailboxLength, 3);
    assert.deepEqual(await open(), taken);
    assert.equal(logs.complaints.length, overflow === "reject" ? 3 : 0);
  });
}

Deno.test("an ask that a full mailbox refuses fails at once, even from another server", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const { open } = gated(far, { limit: 2 });
  const asks = [0, 1, 2].map((n) =>
    codeOf(near.ask("a@far", { type: "n", n }, { timeout: Infinity }))
  );
  assert.equal(await asks[2], "MAILBOX_FULL");
  assert.equal(await codeOf(far.ask("a", { type: "n" }, { timeout: Infinity })), "MAILBOX_FULL");
  await open();
  assert.deepEqual(await Promise.all(asks), ["ACTOR_ENDED", "ACTOR_ENDED", "MAILBOX_FULL"]);
});

Deno.test("the asker of the oldest message is notified when it is dropped", async () => {
  const system = startSystem();
  const { open } = gated(system, { limit: 1, overflow: "drop-oldest" });
  const oldest = codeOf(system.ask("a", { type: "n", n: 0 }, { timeout: Infinity }));
  system.tell("a", { type: "n", n: 1 });
  assert.equal(await oldest, "MAILBOX_FULL");
  assert.deepEqual(await open(), [1]);
});

Deno.test("expired messages make room in a full mailbox", async () => {
  const system = startSystem();
  const { open } = gated(system, { limit: 1 });
  system.tell("a", { type: "n", n: 0 }, { timeout: 0 });
  system.tell("a", { type: "n", n: 1 });
  assert.deepEqual(await open(), [1]);
});

Deno.test("a full mailbox still accepts pings, shutdowns and messages of monitors", async () => {
  const system = startSystem();
  const other = system.spawn("other", (self) => self.loop([onUnexpected]));
  const gate = Promise.withResolvers<void>();
  let reason: string | undefined;
  const actor = system.spawn("a", async (self: Actor) => {
    self.monitor("other");
    await gate.promise;
    await self.receive([onDown((down) => void (reason = down.reason))]);
  }, { mailbox: { limit: 1 } });
  system.tell("a", 1);
  await Promise.resolve();
  const pinged = codeOf(system.ask("a", { type: "ping" }, { timeout: Infinity }));
  await Promise.resolve();
  system.kill(other.serial, "not needed any more");
  assert.equal(actor.mailboxLength, 3);
  gate.resolve();
  await actor.ended;
  assert.equal(reason, "not needed any more");
  assert.equal(await pinged, "ACTOR_ENDED");
});

Deno.test("a service takes a bound, and a system has one for all actors without their own", async () => {
  const system = new ActorSystem("a", { mailbox: { limit: 1 } });
  const gate = Promise.withResolvers<void>();
  const one = system.serve("one", { wait: () => gate.promise });
  const two = system.serve("two", { wait: () => gate.promise }, { mailbox: { limit: 2 } });
  const ask = (name: string) => codeOf(system.ask(name, { type: "wait" }, { timeout: Infinity }));
  // The first message of each is being handled once the actors have started.
  const asks = [ask("one"), ask("two")];
  await new Promise((resolve) => setTimeout(resolve));
  asks.push(ask("one"), ask("two"), ask("two"));
  assert.deepEqual([one.mailboxLength, two.mailboxLength], [1, 2]);
  assert.deepEqual([await ask("one"), await ask("two")], ["MAILBOX_FULL", "MAILBOX_FULL"]);
  gate.resolve();
  assert.deepEqual(await Promise.all(asks), asks.map(() => "answered"));
  for (const actor of [one, two]) actor.exit();
  await Promise.all([one.ended, two.ended]);
});

Deno.test("ActorSystem.spawn refuses an invalid bound", () => {
  const system = new ActorSystem("a");
  for (const limit of [0, -1, 1.5, NaN, "1" as unknown as number]) {
    assert.throws(() => system.spawn("a", () => {}, { mailbox: { limit } }), InvalidInputError);
  }
  const overflow = "drop" as "reject";
  assert.throws(
    () => system.spawn("a", () => {}, { mailbox: { limit: 1, overflow } }),
    /on overflow/,
  );
});
