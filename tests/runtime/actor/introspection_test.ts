import assert from "node:assert/strict";
import type { Actor } from "../../../runtime/actor/actor.ts";
import { ActorExit, on } from "../../../runtime/actor/cases.ts";
import {
  ActorGroup,
  backtrace,
  describeActor,
  describeGroup,
  findGroup,
} from "../../../runtime/actor/introspection.ts";
import { settle, startSystem } from "./linked_systems.ts";

const WAIT = [on("stop", () => {
  throw new ActorExit();
})];

Deno.test("actors started by an actor join its group", async () => {
  const system = startSystem();
  const started = Promise.withResolvers<void>();
  const leader = system.spawnGroup("crew", async (self) => {
    const member = self.spawn("member", (self) => self.loop(WAIT));
    assert.equal(member.group, self.group);
    started.resolve();
    await self.loop(WAIT);
  });
  await started.promise;
  const { group } = leader;
  assert.equal(group.name, "crew");
  assert.equal(group.parent, system.root);
  assert.deepEqual(group.actors, [leader, system.find("member")]);
  assert.deepEqual([...system.root.groups], [group]);
  assert.deepEqual(system.root.actors, []);
  for (const actor of group.actors) actor.exit();
  await Promise.all(group.actors.map(({ ended }) => ended));
  assert.equal(system.root.groups.size, 0);
});

Deno.test("a group finds all its actors and those of its subgroups", async () => {
  const system = startSystem();
  const top = system.spawn("top", (self) => self.loop(WAIT));
  const outer = system.spawnGroup("outer", (self) => self.loop(WAIT));
  const inner = system.spawnGroup("inner", (self) => self.loop(WAIT), outer.group);
  assert.deepEqual([...system.root.all()], [top, outer, inner]);
  assert.deepEqual([...outer.group.all()], [outer, inner]);
  outer.exit();
  await outer.ended;
  assert.deepEqual([...system.root.all()], [top, inner]);
  assert.deepEqual([...outer.group.all()], [inner], "a group stays for the groups below");
  inner.exit();
  await inner.ended;
  assert.deepEqual([...system.root.all()], [top]);
  assert.equal(system.root.groups.size, 0);
  top.exit();
  await top.ended;
});

Deno.test("an actor that joins an empty group is found", () => {
  const [a, b] = ["a", "b"].map((name) => startSystem().spawn(name, (self) => self.loop(WAIT)));
  const root = new ActorGroup(1, "root");
  const outer = new ActorGroup(2, "outer", root);
  const inner = new ActorGroup(3, "inner", outer);
  inner.add(a!);
  inner.remove(a!);
  assert.equal(root.groups.size, 0);
  inner.add(b!);
  assert.deepEqual([...root.all()], [b]);
  inner.add(b!);
  inner.remove(b!);
  inner.remove(b!);
  assert.equal(root.groups.size, 0);
});

const never = (self: Actor) =>
  self.loop([on("never", () => {}), { matches: () => false, react() {} }]);

Deno.test("describeActor returns an actor's state, its waiting messages and its cases", async () => {
  const system = startSystem();
  const actor = system.spawn("jobs", async (self) => {
    await self.receive([on("first", () => {})]);
    await never(self);
  });
  await settle();
  for (const type of ["first", "second", "third"]) system.tell(actor, { type });
  await settle();
  const { age, ...info } = describeActor(actor);
  assert.ok(age >= 0);
  assert.deepEqual(info, {
    serial: actor.serial,
    name: "jobs",
    group: "root",
    state: "receiving",
    mailbox: 2,
    handled: 1,
    receives: ["never", "*"],
  });
  system.kill("jobs");
  assert.deepEqual({ ...describeActor(actor), age }, {
    serial: actor.serial,
    name: "jobs",
    group: "root",
    state: "dead",
    mailbox: 0,
    handled: 1,
    age,
  });
});

Deno.test("describeGroup returns the subgroups with their actors, and findGroup finds them", async () => {
  const system = startSystem();
  const lead = system.spawnGroup("sessions", async (self) => {
    self.spawn("first", never);
    await never(self);
  });
  const other = system.spawn(undefined, never);
  await settle();
  const root = describeGroup(system.root);
  assert.deepEqual([root.serial, root.name], [1, "root"]);
  assert.deepEqual(root.actors.map(({ serial }) => serial), [other.serial]);
  assert.deepEqual(root.groups.map(({ name }) => name), ["root/sessions"]);
  const [sessions] = root.groups;
  assert.deepEqual(sessions!.actors.map(({ name }) => name), [undefined, "first"]);
  assert.equal(findGroup(system, sessions!.serial), lead.group);
  assert.equal(findGroup(system, 1), system.root);
  assert.equal(findGroup(system, lead.serial), undefined);
  for (const actor of system.actors()) system.kill(actor.serial);
  assert.deepEqual(describeGroup(system.root).groups, []);
});

Deno.test("backtrace shows where an actor waits and was started, without the system's own frames", async () => {
  const system = startSystem();
  async function waitsHere(self: Actor): Promise<void> {
    await self.receive([on("never", () => {})]);
  }
  function startedHere(): Actor {
    return system.spawn("a", waitsHere);
  }
  const actor = startedHere();
  await settle();
  const { suspended, started } = await backtrace(actor);
  assert.match(suspended![0]!, /^at async waitsHere .*introspection_test\.ts:\d+:\d+\)$/);
  assert.match(started[0]!, /^at startedHere .*introspection_test\.ts:\d+:\d+\)$/);
  actor.exit();
  await actor.ended;
  await settle();
  assert.deepEqual(Object.keys(await backtrace(actor)), ["started"]);
});
