import assert from "node:assert/strict";
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { on } from "../../../runtime/actor/cases.ts";
import { ActorRef } from "../../../runtime/actor/references.ts";
import { InvalidInputError } from "../../../runtime/errors.ts";

Deno.test("ActorRef.parse reads actor@server, split at the first @", () => {
  const ref = ActorRef.parse("counter@httpd1");
  assert.deepEqual([ref.actor, ref.server], ["counter", "httpd1"]);
  assert.equal(`${ref}`, "counter@httpd1");
  assert(ref.equals(new ActorRef("httpd1", "counter")));
  assert.equal(ActorRef.parse("12@httpd1").actor, 12);
});

Deno.test("ActorRef.parse refuses an invalid reference", () => {
  for (const text of ["counter", "@httpd1", "counter@", "a@b@c", "1a@b", "a b@c", "", "a@.b"]) {
    assert.throws(() => ActorRef.parse(text), InvalidInputError, text);
  }
});

Deno.test("ActorRef checks the server id and the actor's name", () => {
  for (const id of ["", "a@b", "-a", "a b", "a".repeat(65), undefined as unknown as string]) {
    assert.throws(() => new ActorRef(id, "counter"), /^InvalidInputError: not a server id: /);
  }
  for (const name of ["", "a@b", "1a", "a b", "a".repeat(129), undefined as unknown as string]) {
    assert.throws(() => new ActorRef("a", name), /^InvalidInputError: not an actor name: /);
  }
  for (const serial of [-1, 1.5, NaN, Infinity]) {
    assert.throws(() => new ActorRef("a", serial), /^InvalidInputError: not an actor's serial/);
  }
});

Deno.test("ActorSystem.spawn refuses a name with an @", () => {
  const system = new ActorSystem("a");
  assert.throws(() => system.spawn("counter@b", () => {}), /not an actor name: "counter@b"/);
});

Deno.test("ActorSystem.ask takes a name, a serial number, a reference, its text and an actor", async () => {
  const system = new ActorSystem("a");
  const actor = system.spawn(
    "echo",
    (self) => self.loop([on("echo", (_message, envelope) => envelope.reply("echoed"))]),
  );
  const { serial, ref } = actor;
  for (const dest of ["echo", "echo@a", serial, `${serial}`, `${serial}@a`, ref, actor]) {
    assert.equal(await system.ask(dest, { type: "echo" }), "echoed");
    assert.equal(typeof system.tell(dest, { type: "echo" }), "number");
  }
  assert.equal(system.tell("nosuch", 1), undefined);
  assert.equal(system.tell("nosuch@a", 1), undefined);
  assert.throws(() => system.tell("echo@", 1), InvalidInputError);
  await assert.rejects(system.ask("echo@b@c", 1), InvalidInputError);
  await assert.rejects(system.ask("echo@b", 1), { message: "b cannot be reached" });
  actor.exit("done");
  await actor.ended;
});
