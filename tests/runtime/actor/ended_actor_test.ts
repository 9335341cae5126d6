import assert from "node:assert/strict";
import { on, onReply } from "../../../runtime/actor/cases.ts";
import type { Envelope } from "../../../runtime/actor/messaging.ts";
import { ActorError } from "../../../runtime/errors.ts";
import { LinkedSystems, settle, startSystem } from "./linked_systems.ts";
import { eventually } from "../server/captured_logs.ts";

/** The code of the error with which an ask fails. */
async function codeOf(ask: Promise<unknown>): Promise<string> {
  const error = await ask.then(() => "answered", (error) => error);
  assert(error instanceof ActorError, String(error));
  return error.code;
}

Deno.test("an actor keeps an envelope and replies later", async () => {
  const system = startSystem();
  const kept: Envelope[] = [];
  const actor = system.spawn("a", (self) =>
    self.loop([
      on("keep", (_message, envelope) => void kept.push(envelope)),
      on("release", () => kept.forEach((envelope, index) => envelope.reply(index))),
    ]));
  const asks = [1, 2].map(() => system.ask("a", { type: "keep" }));
  system.tell("a", { type: "release" });
  assert.deepEqual(await Promise.all(asks), [0, 1]);
  actor.exit();
  await actor.ended;
});

Deno.test("an actor that ends fails its unanswered requests at once, from this server and others", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const never = new Promise(() => {});
  let kept: Envelope | undefined;
  let taken = 0;
  const raw = far.spawn("raw", (self) =>
    self.loop([
      on("keep", (_message, envelope) => {
        taken++;
        kept = envelope;
      }),
      on("promise", (_message, envelope) => {
        taken++;
        envelope.reply(never);
      }),
    ]));
  const service = far.serve("service", {
    later(_request, context) {
      taken++;
      return context.later;
    },
    pending() {
      taken++;
      return never;
    },
  });
  const concurrent = far.serve("concurrent", {
    pending() {
      taken++;
      return never;
    },
  }, { concurrent: true });
  const forever = { timeout: Infinity };
  const asks = [near, far].flatMap((system) => [
    system.ask("raw@far", { type: "keep" }, forever),
    system.ask("raw@far", { type: "promise" }, forever),
    system.ask("raw@far", { type: "waits in the mailbox" }, forever),
    system.ask("service@far", { type: "later" }, forever),
    system.ask("concurrent@far", { type: "pending" }, forever),
  ]);
  // It handles one request while the other waits.
  asks.push(near.ask("service@far", { type: "pending" }, forever));
  asks.push(near.ask("service@far", { type: "later" }, forever));
  const codes = Promise.all(asks.map(codeOf));
  await eventually(() => taken === 9);
  raw.exit("enough");
  await raw.ended;
  for (const { serial } of [service, concurrent]) far.kill(serial);
  assert.deepEqual(await codes, asks.map(() => "ACTOR_ENDED"));
  // A later answer is dropped.
  systems.sent.length = 0;
  kept!.reply("late");
  await settle();
  assert.equal(systems.sent.length, 0);
});

Deno.test("a killed actor fails a request that arrives in the same turn", async () => {
  const system = startSystem();
  let handled = 0;
  const service = system.serve("a", { count: () => ++handled });
  await system.ask(service, { type: "ping" });
  const code = codeOf(system.ask(service, { type: "count" }, { timeout: Infinity }));
  system.kill(service.serial);
  assert.equal(await code, "ACTOR_ENDED");
  assert.equal(handled, 0);
});

Deno.test("an actor that ends fails a told message that expects an answer", async () => {
  const system = startSystem();
  const silent = system.spawn("silent", (self) => self.loop([on("keep", () => {})]));
  const failed = Promise.withResolvers<boolean>();
  const asker = system.spawn("asker", async (self) => {
    const nonce = self.tell("silent", { type: "keep" }, { replyExpected: true })!;
    await self.receive([onReply(nonce, (_answer, envelope) => failed.resolve(envelope.failed))]);
  });
  await settle();
  silent.exit();
  assert.equal(await failed.promise, true);
  await Promise.all([silent.ended, asker.ended]);
});
