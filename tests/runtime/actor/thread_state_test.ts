import assert from "node:assert/strict";
import type { Actor } from "../../../runtime/actor/actor.ts";
import { on } from "../../../runtime/actor/cases.ts";
import {
  backtrace,
  describeActor,
  describeGroup,
  findGroup,
} from "../../../runtime/actor/thread_state.ts";
import { settle, startSystem } from "./linked_systems.ts";

const never = (self: Actor) =>
  self.loop([on("never", () => {}), { matches: () => false, react() {} }]);

Deno.test("describeActor says what an actor does, what waits for it and what it waits for", async () => {
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

Deno.test("describeGroup gives the groups below with their actors, and findGroup finds them", async () => {
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
  assert.match(suspended![0]!, /^at async waitsHere .*thread_state_test\.ts:\d+:\d+\)$/);
  assert.match(started[0]!, /^at startedHere .*thread_state_test\.ts:\d+:\d+\)$/);
  actor.exit();
  await actor.ended;
  await settle();
  assert.deepEqual(Object.keys(await backtrace(actor)), ["started"]);
});
