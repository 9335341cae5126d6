import assert from "node:assert/strict";
import { on, onShutdown } from "../../../runtime/actor/cases.ts";
import type { Down } from "../../../runtime/actor/monitors.ts";
import type { ActorRef } from "../../../runtime/actor/references.ts";
import {
  controlClient,
  killActor,
  ping,
  shutDownActor,
  shutDownServer,
} from "../../../runtime/ensemble/remote.ts";
import type { ActorServer } from "../../../runtime/server/actor_server.ts";
import { stopClock } from "../../fake_clock.ts";
import { eventually } from "./captured_logs.ts";
import { FakeTime, LinkedSystems, settle } from "../actor/linked_systems.ts";
import { ChildServer } from "./child_server.ts";
import { rogueBody, RoguePeer } from "../../rogue_peer.ts";
import { LocalEnsemble, refTo } from "./local_ensemble.ts";

/** Monitors an actor from one of `server`'s; gives what it is told, and a way to take it back. */
async function watch(server: ActorServer, watched: ActorRef) {
  const downs: Down[] = [];
  const started = Promise.withResolvers<number>();
  const actor = server.actors.spawn(undefined, async (self) => {
    started.resolve(self.monitor(watched));
    await self.loop([on("down", (down: Down) => downs.push(down)), onShutdown()]);
  });
  const monitor = await started.promise;
  return { downs, monitor, demonitor: () => actor.demonitor(monitor) };
}

/** An ensemble with the servers a and b, connected. */
async function twoServers() {
  const ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  await a.connect(b.id);
  return { ensemble, a, b };
}

/** Waits until what was sent before has been taken by the other side, and its answer here. */
async function settled(from: ActorServer, to: ActorServer): Promise<void> {
  await ping(from.actors, to.id);
  await ping(to.actors, from.id);
}

Deno.test("a monitor hears once of the end of an actor in another server, and why", async () => {
  const { ensemble, a, b } = await twoServers();
  await using _ = ensemble;
  b.actors.serve("calm", {});
  const failing = b.actors.spawn("failing", async (self) => {
    await self.receive([on("fail", () => {})]);
    throw new Error("it broke");
  });
  const unnamed = b.actors.spawn(undefined, (self) => self.loop([onShutdown()]));
  const [calm, broken, serial] = [
    await watch(a, refTo("b", "calm")),
    await watch(a, failing.ref),
    await watch(a, unnamed.ref),
  ];
  await settled(a, b);
  b.actors.tell("calm", { type: "shutdown" });
  b.actors.tell("failing", { type: "fail" });
  b.actors.tell(unnamed, { type: "shutdown" });
  await eventually(
    () => calm.downs.length + broken.downs.length + serial.downs.length === 3,
    "down",
  );
  await settled(a, b);
  assert.deepEqual(calm.downs, [{ type: "down", monitor: calm.monitor, ref: refTo("b", "calm") }]);
  assert.equal(broken.downs[0]?.reason, "it broke");
  assert.deepEqual(serial.downs[0]?.ref, unnamed.ref);
  assert.equal(broken.downs.length, 1);
});

Deno.test("a monitor of an actor or a server that is not there hears so at once", async () => {
  const { ensemble, a } = await twoServers();
  await using _ = ensemble;
  const actor = await watch(a, refTo("b", "nosuch"));
  const server = await watch(a, refTo("nowhere", "server"));
  await eventually(() => actor.downs.length + server.downs.length === 2, "down");
  assert.equal(actor.downs[0]!.reason, "unknown actor: nosuch");
  assert.equal(
    server.downs[0]!.reason,
    "cannot reach nowhere: no server nowhere is registered",
  );
});

Deno.test("a monitor hears of the stop of a server, and of a killed one, once", async () => {
  const { ensemble, a, b } = await twoServers();
  await using _ = ensemble;
  await using child = await ChildServer.start(ensemble, "child");
  b.actors.serve("service", {});
  const stopped = await watch(a, refTo("b", "service"));
  const killed = await watch(a, refTo("child", "sink"));
  await settled(a, b);
  await ping(a.actors, "child");
  await ensemble.stop(b);
  child.signal("SIGKILL");
  await eventually(() => stopped.downs.length > 0 && killed.downs.length > 0, "down");
  assert.equal(stopped.downs[0]!.reason, undefined);
  assert.match(killed.downs[0]!.reason!, /^the connection to child was lost: /);
  // Nothing more comes, after all that this server had to handle.
  await ping(a.actors, a.id);
  assert.deepEqual([stopped.downs.length, killed.downs.length], [1, 1]);
});

Deno.test("a monitor that is taken back is silent, and no other with it", async () => {
  const { ensemble, a, b } = await twoServers();
  await using _ = ensemble;
  // Both servers number their monitors from the same start: here the two meet.
  a.actors.serve("service", {});
  b.actors.serve("service", {});
  const atA = await watch(a, refTo("b", "service"));
  const second = await watch(a, refTo("b", "service"));
  const atB = await Promise.all(Array.from({ length: 20 }, () => watch(b, refTo("a", "service"))));
  await settled(a, b);
  atA.demonitor();
  second.demonitor();
  await settled(a, b);
  a.actors.tell("service", { type: "shutdown" });
  b.actors.tell("service", { type: "shutdown" });
  await eventually(() => atB.every(({ downs }) => downs.length === 1), "every other hears of it");
  await settled(a, b);
  assert.deepEqual([...atA.downs, ...second.downs], []);
});

Deno.test("news of an end are believed only from the server that was watched", async () => {
  const { ensemble, a, b } = await twoServers();
  await using _ = ensemble;
  const c = await ensemble.start("c");
  b.actors.serve("service", {});
  const watching = await watch(a, refTo("b", "service"));
  await settled(a, b);
  const news = { type: "down", monitor: watching.monitor };
  await c.actors.ask(refTo("a", "server"), news);
  await c.actors.ask(refTo("b", "server"), { type: "demonitor", monitor: watching.monitor });
  await settled(a, b);
  assert.deepEqual(watching.downs, []);
  b.actors.tell("service", { type: "shutdown" });
  await eventually(() => watching.downs.length === 1, "the true news");
});

Deno.test("a server answers for itself: its actors, its connections, a connection to make", async () => {
  const { ensemble, a, b } = await twoServers();
  await using _ = ensemble;
  a.actors.serve("zebra", {});
  a.actors.spawn(undefined, (self) => self.loop([onShutdown()]));
  const console = await ensemble.startConsole();
  const control = controlClient(console.actors, a.id);
  assert.deepEqual(await control.listActors(), ["registration", "server", "zebra"]);
  const connections = await control.listConnections();
  assert.deepEqual(connections.map(({ peer }) => peer), ["b", "registry"]);
  assert.deepEqual(connections[1]!.address, ensemble.socket("registry"));
  const { since, received, sent, waiting } = connections[0]!;
  assert.ok(since <= Date.now() && since > Date.now() - 60_000, `${since}`);
  const there = (await controlClient(console.actors, b.id).listConnections())
    .find(({ peer }) => peer === a.id)!;
  assert.deepEqual([there.sent, there.received, waiting], [received, sent, 0]);

  const c = await ensemble.start("c");
  await control.connect({ server: c.id });
  assert.deepEqual(LocalEnsemble.peers(a), ["b", "c", "console", "registry"]);
  await assert.rejects(control.connect({ server: "nosuch" }), {
    name: "ActorError",
    message: "cannot reach nosuch: no server nosuch is registered",
  });
  await assert.rejects(control.connect({ server: a.id }), /cannot reach a: .*server's own/);
  await assert.rejects(
    control.connect({ server: b.id, addresses: [undefined as never] }),
    { name: "ActorError" },
  );
  await assert.rejects(control.connect({ server: 7 as never }), { name: "ActorError" });
  await ping(console.actors, a.id);
});

Deno.test("a server answers a shutdown, and has ended when shutDownServer resolves", async () => {
  const { ensemble, a, b } = await twoServers();
  await using _ = ensemble;
  let cleanedUp = false;
  b.actors.serve("service", {}, { cleanUp: () => void (cleanedUp = true) });
  await shutDownServer(a.actors, b.id);
  assert.ok(cleanedUp);
  await b.stopped;
  await assert.rejects(
    ping(a.actors, b.id),
    { message: "cannot reach b: no server b is registered" },
  );
});

Deno.test("shutDownServer waits for a server as long as its actors may take, and says so", async () => {
  const ensemble = new LocalEnsemble();
  await using _ = ensemble;
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b", { grace: 60_000 })]);
  await a.connect(b.id);
  using clock = stopClock("setTimeout", "clearTimeout", "performance");
  const cleaning = Promise.withResolvers<void>();
  // Also when the test fails, or the server would wait for it.
  using _cleaned = { [Symbol.dispose]: () => cleaning.resolve() };
  let begun = false;
  b.actors.serve("service", {}, { cleanUp: () => (begun = true, cleaning.promise) });
  const waited: number[] = [];
  let over = false;
  const stopped = shutDownServer(a.actors, b.id, { onWaiting: (grace) => waited.push(grace) })
    .then(() => over = true);
  await eventually(() => begun);
  await clock.tickAsync(4_900);
  assert.deepEqual(waited, []);
  await clock.tickAsync(100);
  await eventually(() => waited.length > 0);
  await clock.tickAsync(50_000);
  assert.equal(over, false);
  assert.deepEqual(waited, [60_000]);
  cleaning.resolve();
  await eventually(() => over);
  await stopped;
});

Deno.test("shutDownServer fails when a server is still there after that", async () => {
  const { ensemble, a } = await twoServers();
  await using _ = ensemble;
  const { actors } = await ensemble.start("liar", {
    prepare: ({ actors }) => void actors.serve("idle", {}),
  });
  // Says that it stops, and does not.
  actors.find("server")!.exit();
  await eventually(() => actors.find("server") === undefined, "its control ends");
  actors.serve("server", {
    shutdown: () => ({ grace: 1000 }),
    monitor: () => {},
    demonitor: () => {},
  });
  using clock = stopClock("setTimeout", "clearTimeout", "performance");
  const waited: number[] = [];
  let failure: unknown;
  const options = { onWaiting: (grace: number) => waited.push(grace) };
  const stopped = shutDownServer(a.actors, "liar", options)
    .catch((error) => failure = error);
  await eventually(() =>
    a.actors.actors().some(({ name, activity }) => name === undefined && activity === "receiving")
  );
  await clock.tickAsync(8_000);
  await stopped;
  assert.match(String(failure), /^TimeoutError: liar is still there 8 s after it was told to/);
  assert.deepEqual(waited, [1000]);
});

Deno.test("kill ends an actor with a backlog that takes nothing, and frees its name", async () => {
  const { ensemble, a, b } = await twoServers();
  await using _ = ensemble;
  const stuck = b.actors.serve("stuck", { job: () => new Promise(() => {}) });
  const waiting = b.actors.spawn(undefined, (self) => self.loop([on("never", () => {})]));
  await eventually(() => stuck.activity === "receiving", "it receives");
  const answers = Promise.allSettled(
    [1, 2].map(() => a.actors.ask(stuck.ref, { type: "job" }, { timeout: Infinity })),
  );
  for (let n = 0; n < 200_000; n++) b.actors.tell("stuck", { type: "job", n });
  await killActor(a.actors, b.id, "stuck");
  assert.deepEqual((await answers).map(({ status }) => status), ["rejected", "rejected"]);
  await assert.rejects(ping(a.actors, b.id, "stuck"), { message: "unknown actor: stuck@b" });
  b.actors.serve("stuck", {});
  await ping(a.actors, b.id, "stuck");
  await killActor(a.actors, b.id, waiting.serial);
  assert.equal(waiting.activity, "dead");

  await assert.rejects(killActor(a.actors, b.id, "nosuch"), { message: "unknown actor: nosuch@b" });
  for (const id of ["server", "registration", b.actors.find("server")!.serial]) {
    await assert.rejects(killActor(a.actors, b.id, id), /is a part of the server: shut the server/);
  }
  await ping(a.actors, b.id);
});

Deno.test("exit ends an actor here or in another server with a reason, which monitors see", async () => {
  const { ensemble, a, b } = await twoServers();
  await using _ = ensemble;
  for (const [asker, host] of [[a, b], [b, b]] as const) {
    const stuck = host.serve("stuck", { job: () => new Promise(() => {}) });
    const { downs } = await watch(a, stuck.ref);
    const failed = assert.rejects(asker.ask(stuck.ref, { type: "job" }, { timeout: Infinity }), {
      code: "ACTOR_ENDED",
      message: "stuck@b has ended: out of memory",
    });
    await settled(a, b); // The monitor and the request have arrived.
    await asker.exit("stuck@b", "out of memory");
    await failed;
    await eventually(() => downs.length === 1, "the monitor is told");
    assert.equal(downs[0]!.reason, "out of memory");
    await assert.rejects(asker.exit(stuck.ref, "again"), { code: "UNKNOWN_ACTOR" });
    await assert.rejects(asker.exit("server@b"), { code: "PART_OF_SERVER" });
  }
  await assert.rejects(a.exit("stuck@"), { code: "INVALID_INPUT" });
});

Deno.test("ping and shutdown reach an actor of another server ahead of 200,000 messages", async () => {
  const { ensemble, a, b } = await twoServers();
  await using _ = ensemble;
  let jobs = 0;
  const busy = b.actors.serve("busy", {
    job: async () => {
      jobs++;
      await new Promise((resolve) => setImmediate(resolve));
    },
  });
  for (let n = 0; n < 200_000; n++) b.actors.tell("busy", { type: "job", n });
  await ping(a.actors, b.id, "busy");
  await shutDownActor(a.actors, b.id, "busy");
  assert.equal(busy.activity, "dead");
  assert.ok(jobs < 200_000);
});

Deno.test("an actor that does not answer is said to be busy, or to take no such message", async () => {
  using time = new FakeTime();
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const deaf = far.spawn("deaf", (self) => self.loop([on("other", () => {})]));
  await settle();
  const failures = Promise.allSettled([
    ping(near, far.id, "deaf"),
    shutDownActor(near, far.id, "deaf"),
  ]);
  await time.pass(5000);
  assert.deepEqual((await failures).map((each) => (each as PromiseRejectedResult).reason.message), [
    "no answer from deaf@far to ping within 5000 ms: it is busy, or does not handle ping",
    "no answer from deaf@far to shutdown within 5000 ms: it is busy or cleaning up, or does not handle " +
    "shutdown; to end it at once: gxensemble shutdown -f far deaf",
  ]);
  deaf.exit();
  await deaf.ended;
});

Deno.test("of several that shut a server down at once each gets an answer", async () => {
  const { ensemble, a, b } = await twoServers();
  await using _ = ensemble;
  const console = await ensemble.startConsole();
  await console.connect(b.id);
  await Promise.all([
    shutDownServer(a.actors, b.id),
    shutDownServer(console.actors, b.id),
    b.stop(),
  ]);
});

Deno.test("shutDownServer ignores reports by others that the server has ended", async () => {
  const { ensemble, a, b } = await twoServers();
  await using _ = ensemble;
  // A server that says OK to everything, and stays.
  b.actors.find("server")!.exit();
  await eventually(() => b.actors.find("server") === undefined, "its control has ended");
  const watched = Promise.withResolvers<number>();
  const control = b.actors.serve("server", {
    shutdown: () => ({ grace: 1_000 }),
    monitor: ({ monitor }: { monitor: number }) => watched.resolve(monitor),
  });
  let isOver = false;
  const shutdown = shutDownServer(a.actors, b.id).finally(() => isOver = true);
  const monitor = await watched.promise;
  const watcher = a.actors.actors().find(({ name }) => name === undefined)!;
  const forged = { type: "down", monitor, ref: refTo("b", "server") };
  await assert.rejects(b.actors.ask(watcher.ref, forged), /unexpected message: down/);
  await assert.rejects(b.actors.ask(watcher.ref, { type: "junk" }), /unexpected message: junk/);
  assert.equal(watcher.mailboxLength, 0);
  assert.equal(isOver, false);
  control.exit();
  b.actors.tell(refTo("a", "server"), { type: "down", monitor });
  await shutdown;
});

Deno.test("demonitor from another server ends its watch, and no down is sent", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const target = await ensemble.start("target");
  const service = target.actors.serve("service", {});
  using rogue = await RoguePeer.join(ensemble.socket("target"), { cookie: ensemble.cookie });
  const watched = { monitor: 7, actor: "service" };
  assert.equal((await rogue.ask("server", { type: "monitor", ...watched })).failed, false);
  assert.equal((await rogue.ask("server", { type: "demonitor", monitor: 7 })).failed, false);
  service.exit();
  await eventually(() => service.activity === "dead", "it ends");
  await rogue.sendEnvelope({ dest: "server", replyExpected: true }, rogueBody({ type: "ping" }));
  assert.equal((await rogue.receiveEnvelope())!.message, "OK");
});
