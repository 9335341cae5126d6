import assert from "node:assert/strict";
import { observerClient } from "../../../runtime/observation/observer_protocol.ts";
import type { BusiestActors, BusyActor } from "../../../runtime/observation/busiest_protocol.ts";
import { BusyActors } from "../../../runtime/observation/busy_actors.ts";
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { testEnsemble } from "../../../testing/test_ensemble.ts";
import { moveClock, stopClock } from "../../fake_clock.ts";

function named({ busiest }: BusiestActors, name: string): BusyActor {
  return busiest.find((each) => each.name === name) ?? assert.fail(`no ${name}`);
}

Deno.test("busiest sorts actors by their mailboxes, by what they took, and by their time in handlers", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  const client = await ensemble.startServer();
  const observer = observerClient(client, "a");
  const release = Promise.withResolvers<void>();
  a.serve("slow", { wait: () => release.promise });
  a.serve("quick", { add: () => 1 });
  a.supervise("main", { children: [{ name: "child", serve: { add: () => 1 } }] });
  const first = await observer.busiest({ sort: "mailbox", limit: 1_000 });
  assert.deepEqual([first.interval, first.actors], [undefined, a.actors.actors().length]);
  assert.equal(named(first, "quick").handledPerSecond, undefined);
  assert.deepEqual(
    [named(first, "observer").essential, named(first, "server").essential],
    [true, true],
  );
  assert.deepEqual([named(first, "child").restarts, named(first, "quick").restarts], [
    0,
    undefined,
  ]);
  for (let i = 0; i < 4; i++) a.tell("slow", { type: "wait" });
  for (let i = 0; i < 50; i++) await a.ask("quick", { type: "add" });
  // As if a second had passed.
  using _later = moveClock(1_000);
  const by = async (sort: "mailbox" | "handled" | "time") =>
    await observer.busiest({ sort, limit: 2 });
  const mailbox = await by("mailbox");
  assert.equal(mailbox.busiest.length, 2);
  assert.deepEqual([mailbox.busiest[0]!.name, mailbox.busiest[0]!.mailbox], ["slow", 3]);
  const handled = await by("handled");
  assert.deepEqual([handled.busiest[0]!.name, handled.busiest[0]!.handled], ["quick", 50]);
  assert.ok(handled.interval! >= 1_000);
  assert.ok(handled.busiest[0]!.handledPerSecond! > 5);
  const time = await by("time");
  assert.equal(time.busiest[0]!.name, "slow");
  assert.ok(time.busiest[0]!.busy! > 0.5, `${time.busiest[0]!.busy}`);
  release.resolve();
});

Deno.test("the time in handlers is measured until ten seconds after the last request", () => {
  using clock = stopClock("setTimeout", "clearTimeout", "performance");
  const actors = new ActorSystem("a");
  using busy = new BusyActors(actors);
  const actor = actors.serve("echo", { say: () => 1 });
  assert.equal(actor.observation, undefined);
  busy.find("time", 10);
  clock.tick(9_000);
  assert.equal(busy.find("time", 10).interval, 9_000);
  clock.tick(9_000);
  assert.notEqual(actor.observation, undefined);
  clock.tick(1_000);
  assert.equal(actor.observation, undefined);
  assert.equal(busy.find("time", 10).interval, undefined, "the readings are gone, too");
  actor.exit();
});

Deno.test("rates are of at least a second, also if several ask", () => {
  using clock = stopClock("setTimeout", "clearTimeout", "performance");
  const actors = new ActorSystem("a");
  using busy = new BusyActors(actors);
  const intervalAfter = (ms: number) => {
    clock.tick(ms);
    return busy.find("mailbox", 10).interval;
  };
  assert.deepEqual([0, 600, 600, 100, 600, 600, 2_000].map(intervalAfter), [
    ...[undefined, undefined, 1_200, 1_300, 1_900, 1_300, 2_000],
  ]);
});
