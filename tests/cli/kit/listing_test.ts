import assert from "node:assert/strict";
import { formatActor, formatBacktrace, formatGroup } from "../../../cli/kit/listing.ts";
import type { Actor } from "../../../runtime/actor/actor.ts";
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { on } from "../../../runtime/actor/cases.ts";
import { backtrace, describeActor, describeGroup } from "../../../runtime/actor/introspection.ts";
import { settle } from "../../runtime/actor/linked_systems.ts";

async function waitDeep(self: Actor): Promise<void> {
  await self.receive([on("go", () => {})]);
}

function systemOf(): ActorSystem {
  return new ActorSystem("test");
}

Deno.test("formatGroup lists actors, and subgroups by size or in full", async () => {
  const system = systemOf();
  system.serve("sum", { add: () => 0 });
  system.spawnGroup("workers", async (self) => {
    self.spawn("kid", waitDeep);
    await waitDeep(self);
  });
  await settle();
  const group = describeGroup(system.root);
  const rows = formatGroup(group, { recursive: false });
  assert.equal(rows[0], "group 1 root");
  assert.match(rows[1]!, /^\s+sn {2}actor {2}state\s+mailbox {2}handled\s+age$/);
  assert.match(rows[2]!, /^\s+2 {2}sum {4}receiving\s+0\s+0\s+\d+ms$/);
  assert.deepEqual(rows.slice(3), ["  group 3 root/workers: 2 actors"]);
  const all = formatGroup(group, { recursive: true }).join("\n");
  assert.match(all, /\n\ngroup 3 root\/workers\n.*\n\s+4\s+receiving.*\n\s+5 {2}kid/);
});

Deno.test("formatActor shows what an actor receives", async () => {
  const system = systemOf();
  const actor = system.spawn("waiter", waitDeep);
  await settle();
  const rows = formatActor({ ...describeActor(actor), age: 93_784_000 });
  assert.match(rows[2]!, /waiter {2}receiving.*1d 2h$/);
  assert.equal(rows[3], "  receives go");
});

Deno.test("formatBacktrace shows the file and line where an actor waits and where it was started", async () => {
  const system = systemOf();
  const actor = system.spawn(undefined, async (self) => await waitDeep(self));
  await settle();
  const rows = formatBacktrace(await backtrace(actor));
  assert.equal(rows[0], "waiting in a receive");
  assert.match(rows[1]!, /^ {2}at async waitDeep \(file:.*listing_test\.ts:\d+:\d+\)$/);
  const started = rows.indexOf("started");
  assert.match(rows[started + 1]!, /listing_test\.ts:\d+:\d+/);
  // It still waits for the same message.
  assert.equal(actor.activity, "receiving");
  system.tell(actor, { type: "go" });
  assert.equal(await actor.ended, undefined);
});

Deno.test("a message that arrives during a backtrace is not lost", async () => {
  const system = systemOf();
  const actor = system.spawn(undefined, waitDeep);
  await settle();
  const looking = [backtrace(actor), backtrace(actor)];
  system.tell(actor, { type: "go" });
  assert.equal((await Promise.all(looking)).length, 2);
  assert.equal(await actor.ended, undefined);
  assert.equal(actor.handled, 1);
});

Deno.test("a running actor and a service are shown as such", async () => {
  const system = systemOf();
  const gate = Promise.withResolvers<void>();
  const busy = system.spawn(undefined, () => gate.promise);
  const service = system.serve("sum", { add: () => 0 });
  while (service.activity !== "receiving") await Promise.resolve();
  assert.equal(formatBacktrace(await backtrace(busy))[0], "not waiting in a receive");
  assert.equal(formatBacktrace(await backtrace(service))[0], "waiting for requests, as a service");
  gate.resolve();
  await busy.ended;
});
