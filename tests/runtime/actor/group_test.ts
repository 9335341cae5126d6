import assert from "node:assert/strict";
import { ActorExit, on } from "../../../runtime/actor/cases.ts";
import { ActorGroup } from "../../../runtime/actor/group.ts";
import { startSystem } from "./linked_systems.ts";

const WAIT = [on("stop", () => {
  throw new ActorExit();
})];

Deno.test("actors that an actor starts join its group", async () => {
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
  assert.deepEqual([...group.actors], [leader, system.find("member")]);
  assert.deepEqual([...system.root.groups], [group]);
  assert.deepEqual([...system.root.actors], []);
  for (const actor of group.actors) actor.exit();
  await Promise.all([...group.actors].map(({ ended }) => ended));
  assert.equal(system.root.groups.size, 0);
});

Deno.test("all actors of a group and of those below are found", async () => {
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

Deno.test("an actor that joins a group which had been empty is found", () => {
  const root = new ActorGroup<string>(1, "root");
  const outer = new ActorGroup<string>(2, "outer", root);
  const inner = new ActorGroup<string>(3, "inner", outer);
  inner.add("a");
  inner.remove("a");
  assert.equal(root.groups.size, 0);
  inner.add("b");
  assert.deepEqual([...root.all()], ["b"]);
  inner.add("b");
  inner.remove("b");
  inner.remove("b");
  assert.equal(root.groups.size, 0);
});
