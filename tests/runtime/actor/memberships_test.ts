import assert from "node:assert/strict";
import type { Actor } from "../../../runtime/actor/actor.ts";
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { on } from "../../../runtime/actor/cases.ts";
import { checkGroupName, MAX_GROUPS } from "../../../runtime/actor/memberships.ts";
import { ActorRef } from "../../../runtime/actor/references.ts";
import { withSeed } from "../../seeded_random.ts";

/** An actor that notes what it gets, and answers with its name. */
function noting(system: ActorSystem, name: string, notes: string[]): Actor {
  return system.spawn(name, (self) =>
    self.loop([
      on("note", ({ text }: { text: string }) => notes.push(`${name} ${text}`)),
      on("who", (_message, envelope) => envelope.reply(name)),
    ]));
}

const names = (actors: readonly Actor[]) => actors.map(({ name }) => name);

/** The address of a group in a server. */
function groupAt(server: string, group: string): ActorRef {
  return ActorRef.unchecked(server, `@${group}`);
}

Deno.test("an actor is in a group once, however often it joins", () => {
  const system = new ActorSystem("a");
  const changes: boolean[] = [];
  system.groups.onChange = (isOther) => changes.push(isOther);
  const [x, y] = ["x", "y"].map((name) => noting(system, name, [])) as [Actor, Actor];
  for (const actor of [x, y, x]) system.groups.join("g", actor);
  assert.deepEqual(names(system.groups.members("g")), ["x", "y"]);
  assert.deepEqual(system.groups.counts, { g: 2 });
  system.groups.leave("g", x);
  system.groups.leave("g", x);
  system.groups.leave("h", x);
  assert.deepEqual(names(system.groups.members("g")), ["y"]);
  system.groups.leave("g", y);
  assert.deepEqual(system.groups.members("g"), []);
  assert.equal(system.groups.counts, undefined);
  assert.deepEqual(changes, [true, false, false, true]);
});

Deno.test("an actor that ends leaves all its groups, however it ends", async () => {
  const system = new ActorSystem("a");
  const returned = system.spawn("returned", () => {});
  const thrown = system.spawn("thrown", () => Promise.reject(new Error("because")));
  const killed = noting(system, "killed", []);
  const stays = noting(system, "stays", []);
  for (const actor of [returned, thrown, killed, stays]) {
    for (const group of ["g", "h", actor.name!]) system.groups.join(group, actor);
  }
  system.kill("killed");
  await Promise.all([returned.ended, thrown.ended]);
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(system.groups.counts, { g: 1, h: 1, stays: 1 });
});

Deno.test("a group may have the name of a property of all objects", () => {
  const system = new ActorSystem("a");
  const actor = noting(system, "x", []);
  for (const name of ["__proto__", "toString", "constructor"]) system.groups.join(name, actor);
  assert.deepEqual(Object.keys(system.groups.counts!), ["__proto__", "toString", "constructor"]);
  assert.equal(system.groups.count("valueOf"), 0);
});

Deno.test("a server has members of at most 256 groups", () => {
  const system = new ActorSystem("a");
  const actor = noting(system, "x", []);
  for (let n = 0; n < MAX_GROUPS; n++) system.groups.join(`g${n}`, actor);
  assert.throws(() => system.groups.join("more", actor), {
    code: "LIMIT_REACHED",
    message: "x@a cannot join more: a has members of 256 groups, and may have no more: leave " +
      "another group first",
  });
  system.groups.join("g0", actor);
  system.groups.leave("g0", actor);
  system.groups.join("more", actor);
});

Deno.test("checkGroupName takes texts of 1 to 64 bytes", () => {
  for (const name of ["a", "a b", "@", "ü".repeat(32), "7"]) {
    assert.equal(checkGroupName(name), name);
  }
  for (
    const name of ["", "ü".repeat(33), "a".repeat(65), "\ud800", 7 as never, undefined as never]
  ) {
    assert.throws(() => checkGroupName(name), /^InvalidInputError: not the name of a group: /);
  }
});

Deno.test("a message to a group goes to each member once, in the order in which they joined", async () => {
  const system = new ActorSystem("a");
  const notes: string[] = [];
  const actors = ["x", "y", "z"].map((name) => noting(system, name, notes));
  for (const actor of actors.toReversed()) system.groups.join("g", actor);
  // So that all of them wait.
  for (const actor of actors) await system.ask(actor, { type: "who" });
  assert.notEqual(system.tell(groupAt("a", "g"), { type: "note", text: "1" }), undefined);
  assert.equal(system.tell(groupAt("a", "h"), { type: "note", text: "2" }), undefined);
  for (const actor of actors) await system.ask(actor, { type: "who" });
  assert.deepEqual(notes, ["z 1", "y 1", "x 1"]);
});

Deno.test("a request to a group goes to its members in turn, while others join and leave", async () => {
  const system = new ActorSystem("a");
  const [x, y, z] = ["x", "y", "z"].map((name) => noting(system, name, [])) as [
    Actor,
    Actor,
    Actor,
  ];
  const ask = () => system.ask<string>(groupAt("a", "g"), { type: "who" });
  await assert.rejects(ask(), { code: "NO_MEMBER", message: "a has no member of g" });
  for (const actor of [x, y]) system.groups.join("g", actor);
  const asked: string[] = [];
  for (let n = 0; n < 3; n++) asked.push(await ask());
  system.groups.join("g", z);
  for (let n = 0; n < 3; n++) asked.push(await ask());
  system.groups.leave("g", y);
  for (let n = 0; n < 3; n++) asked.push(await ask());
  assert.deepEqual(asked, ["x", "y", "x", "y", "z", "x", "z", "x", "z"]);
});

Deno.test("a request to a group goes to a member that is idle, or else has the least to do", async () => {
  const system = new ActorSystem("a");
  const stop = Promise.withResolvers<void>();
  const asked: string[] = [];
  for (const name of ["x", "y", "z"]) {
    const actor = system.serve(name, {
      work: async ({ text }: { text: string }) => {
        asked.push(`${name} ${text}`);
        await stop.promise;
      },
    });
    system.groups.join("g", actor);
  }
  const work = (text: string) => system.ask(groupAt("a", "g"), { type: "work", text });
  const all = [work("1")];
  await new Promise((resolve) => setTimeout(resolve));
  all.push(system.ask("z", { type: "work", text: "2" }));
  await new Promise((resolve) => setTimeout(resolve));
  all.push(work("3"), work("4"), work("5"), work("6"));
  stop.resolve();
  await Promise.all(all);
  assert.deepEqual(asked.slice(0, 3), ["x 1", "z 2", "y 3"]);
  const count = (name: string) => asked.filter((each) => each.startsWith(name)).length;
  assert.deepEqual([count("x"), count("y"), count("z")], [2, 2, 2]);
});

Deno.test("members are as a model of random changes has them", () =>
  withSeed((random) => {
    const system = new ActorSystem("a");
    const model = new Map<string, Set<string>>();
    for (let n = 0; n < 3_000; n++) {
      const name = `x${random.below(6)}`;
      const group = `g${random.below(4)}`;
      const actor = (system.find(name) as Actor | undefined) ?? noting(system, name, []);
      const members = model.get(group) ?? new Set();
      model.set(group, members);
      switch (random.below(8)) {
        case 0:
          system.kill(name);
          for (const each of model.values()) each.delete(name);
          break;
        case 1:
        case 2:
        case 3:
          system.groups.leave(group, actor);
          members.delete(name);
          break;
        default:
          system.groups.join(group, actor);
          members.add(name);
      }
      for (const [group, members] of model) {
        assert.deepEqual(names(system.groups.members(group)), [...members]);
        assert.equal(system.groups.count(group), members.size);
        const next = system.groups.next(group);
        assert.equal(members.has(next?.name ?? ""), members.size > 0);
      }
    }
  }));
