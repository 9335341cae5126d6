import assert from "node:assert/strict";
import type { Actor } from "../../../runtime/actor/actor.ts";
import type { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { on } from "../../../runtime/actor/cases.ts";
import { type Down, MAX_MONITORS, Monitors } from "../../../runtime/actor/monitors.ts";
import { ActorRef } from "../../../runtime/actor/references.ts";
import { DisconnectedError } from "../../../runtime/errors.ts";
import { LinkedSystems, settle, startSystem } from "./linked_systems.ts";

/** An actor that records its down messages. */
async function startWatcher(system: ActorSystem, name?: string) {
  const downs: Down[] = [];
  const started = Promise.withResolvers<Actor>();
  system.spawn(name, async (self) => {
    started.resolve(self);
    await self.loop([on("down", (down: Down) => void downs.push(down))]);
  });
  return { watcher: await started.promise, downs };
}

function startWatched(system: ActorSystem, name?: string) {
  return system.spawn(name, (self) =>
    self.loop([on("fail", () => {
      throw new Error("told to fail");
    })]));
}

async function end(...actors: Actor[]): Promise<void> {
  for (const actor of actors) actor.exit();
  await Promise.all(actors.map(({ ended }) => ended));
  await settle();
}

Deno.test("an actor that ends normally sends down without a reason", async () => {
  const system = startSystem();
  const { watcher, downs } = await startWatcher(system);
  const returns = system.spawn("returns", () => {});
  const exits = startWatched(system, "exits");
  const monitors = [returns, exits].map(({ ref }) => watcher.monitor(ref));
  assert.notEqual(monitors[0], monitors[1]);
  await end(exits);
  assert.deepEqual(downs, [
    { type: "down", monitor: monitors[0], ref: returns.ref },
    { type: "down", monitor: monitors[1], ref: exits.ref },
  ]);
  assert.ok(downs.every((down) => !("reason" in down)));
  await end(watcher);
});

Deno.test("a failing actor sends down with the reason, for any thrown value", async () => {
  const system = startSystem();
  const { watcher, downs } = await startWatcher(system);
  const refuse = () => {
    throw new Error("not to be looked at");
  };
  const thrown: [unknown, string][] = [
    [new Error("broken"), "broken"],
    ["a text", '"a text"'],
    [undefined, "no reason"],
    [null, "no reason"],
    [{ code: 5 }, "{ code: 5 }"],
    [new Proxy({}, { getPrototypeOf: refuse, get: refuse }), "something that cannot be shown"],
    [
      Object.defineProperty(new Error(), "message", { get: refuse }),
      "something that cannot be shown",
    ],
    // Not awaited: the actor would never end.
    [new Promise(() => {}), "Promise { <pending> }"],
    [Object.assign(() => {}, { then() {} }), "[Function (anonymous)] { then: [Function: then] }"],
    [new Proxy(() => {}, { get: refuse }), "[Function (anonymous)]"],
  ];
  for (const [error, reason] of thrown) {
    const actor = system.spawn(undefined, () => {
      throw error;
    });
    const monitor = watcher.monitor(actor.ref);
    await actor.ended;
    await settle();
    assert.deepEqual(downs.pop(), { type: "down", monitor, ref: actor.ref, reason });
  }
  await end(watcher);
});

Deno.test("a missing actor sends down at once", async () => {
  const system = startSystem();
  const { watcher, downs } = await startWatcher(system);
  const gone = system.spawn("gone", () => {});
  await gone.ended;
  const refs = [new ActorRef(system.id, "nobody"), gone.ref, new ActorRef(system.id, 999)];
  for (const ref of refs) {
    const monitor = watcher.monitor(ref);
    await settle();
    assert.deepEqual(downs.pop(), {
      type: "down",
      monitor,
      ref,
      reason: `unknown actor: ${ref.actor}`,
    });
  }
  await end(watcher);
});

Deno.test("a monitor stays with its actor, and does not move to the next of that name", async () => {
  const system = startSystem();
  const { watcher, downs } = await startWatcher(system);
  const first = startWatched(system, "name");
  watcher.monitor(first.ref);
  await end(first);
  const second = startWatched(system, "name");
  await end(second);
  assert.equal(downs.length, 1);
  await end(watcher);
});

Deno.test("all monitors of an actor get its down message, each once", async () => {
  const system = startSystem();
  const watchers = await Promise.all([1, 2, 3].map(() => startWatcher(system)));
  const watched = startWatched(system);
  const monitors = watchers.map(({ watcher }) => [
    watcher.monitor(watched.ref),
    watcher.monitor(watched.ref),
  ]);
  await end(watched);
  watchers.forEach(({ downs }, i) =>
    assert.deepEqual(downs.map(({ monitor }) => monitor), monitors[i])
  );
  await end(...watchers.map(({ watcher }) => watcher));
});

Deno.test("demonitor ends one monitor, and no other", async () => {
  const system = startSystem();
  const [first, second] = await Promise.all([startWatcher(system), startWatcher(system)]);
  const watched = startWatched(system);
  const back = first.watcher.monitor(watched.ref);
  const kept = first.watcher.monitor(watched.ref);
  const others = second.watcher.monitor(watched.ref);
  // An actor can remove only its own monitors.
  first.watcher.demonitor(others);
  first.watcher.demonitor(back);
  first.watcher.demonitor(back);
  first.watcher.demonitor(123_456);
  await end(watched);
  assert.deepEqual(first.downs.map(({ monitor }) => monitor), [kept]);
  assert.deepEqual(second.downs.map(({ monitor }) => monitor), [others]);
  await end(first.watcher, second.watcher);
});

Deno.test("an actor's monitors end with it, and do not notify the next actor of its name", async () => {
  const system = startSystem();
  const watched = startWatched(system);
  const first = await startWatcher(system, "watcher");
  first.watcher.monitor(watched.ref);
  assert.equal(first.watcher.monitors.size, 1);
  await end(first.watcher);
  first.watcher.monitor(watched.ref);
  const second = await startWatcher(system, "watcher");
  await end(watched);
  assert.deepEqual([...first.downs, ...second.downs], []);
  await end(second.watcher);
});

Deno.test("an actor keeps no monitors of ended actors", async () => {
  const system = startSystem();
  const { watcher, downs } = await startWatcher(system);
  for (let i = 0; i < 20; i++) {
    const watched = startWatched(system);
    watcher.monitor(watched.ref);
    watcher.monitor(new ActorRef(system.id, "nobody"));
    watcher.demonitor(watcher.monitor(watched.ref));
    await end(watched);
  }
  assert.equal(downs.length, 40);
  assert.equal(watcher.monitors.size, 0);
  await end(watcher);
});

Deno.test("two actors can monitor each other", async () => {
  const system = startSystem();
  const [a, b] = await Promise.all([startWatcher(system, "a"), startWatcher(system, "b")]);
  a.watcher.monitor(b.watcher.ref);
  b.watcher.monitor(a.watcher.ref);
  a.watcher.monitor(a.watcher.ref);
  await end(a.watcher);
  assert.deepEqual(a.downs, []);
  assert.equal(b.downs.length, 1);
  await end(b.watcher);
});

Deno.test("a watcher whose guard throws does not keep down messages from others", async () => {
  const system = startSystem();
  const watched = startWatched(system);
  const broken = system.spawn("broken", async (self) => {
    self.monitor(watched.ref);
    await self.receive([{
      matches: () => {
        throw new Error("no guard");
      },
      react: () => {},
    }]);
  });
  await settle();
  const { watcher, downs } = await startWatcher(system);
  watcher.monitor(watched.ref);
  await end(watched);
  assert.equal(downs.length, 1);
  assert.match(String(await broken.ended), /no guard/);
  await end(watcher);
});

Deno.test("an actor on an unreachable server sends down at once", async () => {
  const systems = new LinkedSystems();
  const system = systems.start("a");
  const { watcher, downs } = await startWatcher(system);
  const ref = new ActorRef("nosuch", "b");
  const monitor = watcher.monitor(ref);
  await settle();
  assert.deepEqual(downs, [
    { type: "down", monitor, ref, reason: "nosuch cannot be reached" },
  ]);
  assert.equal(watcher.monitors.size, 0);
  await end(watcher);
});

Deno.test("an actor on a lost server sends down, and later messages about it are ignored", async () => {
  const systems = new LinkedSystems();
  const [a, b] = [systems.start("a"), systems.start("b")];
  b.serve("server", {
    monitor: () => undefined,
    demonitor: () => undefined,
  });
  const { watcher, downs } = await startWatcher(a);
  const refs = [new ActorRef(b.id, "one"), new ActorRef(b.id, "two"), new ActorRef(b.id, "three")];
  const monitors = refs.map((ref) => watcher.monitor(ref));
  await settle();
  // Only the server of the watched actor can report its end.
  a.down({ monitor: monitors[0]!, server: "c", reason: "a lie" });
  a.disconnected("c", new DisconnectedError("c was lost"));
  a.down({ monitor: monitors[0]!, server: b.id, reason: "the truth" });
  watcher.demonitor(monitors[2]!);
  a.disconnected(b.id, new DisconnectedError("b was lost"));
  a.down({ monitor: monitors[1]!, server: b.id, reason: "too late" });
  a.down({ monitor: monitors[2]!, server: b.id, reason: "too late" });
  await settle();
  assert.deepEqual(downs, [
    { type: "down", monitor: monitors[0], ref: refs[0], reason: "the truth" },
    { type: "down", monitor: monitors[1], ref: refs[1], reason: "b was lost" },
  ]);
  await end(watcher, ...b.actors());
});

Deno.test("watchers on different servers can use the same monitor number", () => {
  const told: string[] = [];
  const [here, there] = ["here", "there"];
  const monitors = new Monitors((dest) => told.push(`${dest}`));
  const watched = new ActorRef(here!, "watched");
  monitors.watch(1, { monitor: 4, watcher: new ActorRef(here!, "w"), watched });
  monitors.watch(1, { monitor: 4, watcher: new ActorRef(there!, "w"), watched });
  monitors.watch(2, { monitor: 6, watcher: new ActorRef(there!, "w"), watched });
  monitors.unwatch(4, there!);
  monitors.ended(1, undefined);
  assert.deepEqual(told, ["w@here"]);
  monitors.disconnected(there!, "lost");
  monitors.ended(2, undefined);
  assert.deepEqual(told, ["w@here"]);
});

Deno.test("an ended watch leaves nothing behind", () => {
  const [here, there] = ["here", "there"];
  const monitors = new Monitors(() => {});
  const watched = new ActorRef(here!, "watched");
  const watch = (monitor: number, server = there!) => ({
    monitor,
    watcher: new ActorRef(server, "w"),
    watched,
  });
  for (const server of [here!, there!]) {
    for (const monitor of [4, 6]) monitors.watch(1, watch(monitor, server));
  }
  assert.notEqual(monitors.size, 0);
  monitors.ended(1, undefined);
  assert.equal(monitors.size, 0, "the watched actor ended");
  monitors.watch(1, watch(4));
  monitors.watch(1, watch(6));
  monitors.unwatch(4, there!);
  monitors.unwatch(4, there!);
  monitors.unwatch(6, there!);
  assert.equal(monitors.size, 0, "taken back");
  monitors.watch(1, watch(4));
  monitors.disconnected(there!, "lost");
  assert.equal(monitors.size, 0, "the watcher's server was lost");
  const remote = {
    monitor: 4,
    watcher: new ActorRef(here!, "w"),
    watched: new ActorRef(there!, "x"),
  };
  monitors.watchRemote(remote);
  monitors.arrived({ monitor: 4, server: there!, reason: undefined });
  assert.equal(monitors.size, 0, "the news arrived");
  monitors.watchRemote(remote);
  monitors.disconnected(there!, "lost");
  assert.equal(monitors.size, 0, "the watched actor's server was lost");
  monitors.watchRemote(remote);
  assert.equal(monitors.unwatch(4, here!), remote.watched);
  assert.equal(monitors.size, 0, "taken back here");
});

Deno.test("a server that removes its monitor does not end this server's monitor with the same number", async () => {
  const told: string[] = [];
  const [here, there] = ["here", "there"];
  const monitors = new Monitors((dest) => told.push(`${dest}`));
  monitors.watchRemote({
    monitor: 4,
    watcher: new ActorRef(here!, "ours"),
    watched: new ActorRef(there!, "watched"),
  });
  assert.equal(monitors.unwatch(4, there!), undefined);
  monitors.arrived({ monitor: 4, server: there!, reason: undefined });
  assert.deepEqual(told, ["ours@here"]);

  // The same through the systems of two servers whose monitors have equal numbers.
  const systems = new LinkedSystems();
  const [a, b] = [systems.start("a"), systems.start("b")];
  const { watcher, downs } = await startWatcher(b, "watcher");
  const watched = startWatched(b);
  const monitor = watcher.monitor(watched.ref);
  b.watch({ monitor, watcher: new ActorRef(a.id, "server"), watched: watched.ref });
  b.unwatch(monitor, a.id);
  await end(watched);
  assert.deepEqual(downs.map((down) => down.monitor), [monitor]);
  assert.equal(systems.sent.length, 0, "the other server is told nothing");
  await end(watcher);
});

Deno.test("a remote watch ends when its monitor is removed or its watcher ends", async () => {
  const systems = new LinkedSystems();
  const [a, b] = [systems.start("a"), systems.start("b")];
  const requests: unknown[] = [];
  const note = (request: unknown) => void requests.push(request);
  b.serve("server", { monitor: note, demonitor: note });
  const { watcher } = await startWatcher(a);
  const refs = [new ActorRef(b.id, "one"), new ActorRef(b.id, "two")];
  const [first, second] = refs.map((ref) => watcher.monitor(ref));
  await settle();
  watcher.demonitor(first!);
  watcher.demonitor(first!);
  await settle();
  await end(watcher);
  assert.deepEqual(requests, [
    { type: "monitor", monitor: first, actor: "one" },
    { type: "monitor", monitor: second, actor: "two" },
    { type: "demonitor", monitor: first },
    { type: "demonitor", monitor: second },
  ]);
  await end(...b.actors());
});

Deno.test("demonitor of one of many monitors does not visit the others", () => {
  const server = "here";
  let looks = 0;
  const watcher = new ActorRef(server, "w");
  const counted = Object.create(watcher, {
    server: {
      get() {
        looks++;
        return server;
      },
    },
  });
  const work = (size: number) => {
    const monitors = new Monitors(() => {});
    for (let monitor = 0; monitor < size; monitor++) {
      monitors.watch(monitor % 7, { monitor, watcher: counted, watched: watcher });
    }
    looks = 0;
    for (let monitor = 0; monitor < size; monitor++) monitors.unwatch(monitor, server);
    return looks;
  };
  assert.ok(work(4000) <= 4 * Math.max(1000, work(1000)));
});

Deno.test("watch completely replaces a watch with the same number", () => {
  const told: number[] = [];
  const monitors = new Monitors((_watcher, { monitor }) => void told.push(monitor));
  const peer = "peer";
  const watch = {
    monitor: 1,
    watcher: new ActorRef(peer, "server"),
    watched: new ActorRef("here", "a"),
  };
  monitors.watch(7, watch);
  monitors.watch(8, watch);
  monitors.ended(7, undefined);
  assert.deepEqual(told, []);
  monitors.watch(7, watch);
  monitors.disconnected(peer, "lost");
  assert.equal(monitors.size, 0);
});

Deno.test("watch refuses only the monitors of a server that has too many", () => {
  const monitors = new Monitors(() => {});
  const here = "here";
  const watched = new ActorRef(here, "a");
  const start = (server: string, monitor: number) =>
    monitors.watch(monitor % 7, {
      monitor,
      watcher: new ActorRef(server, "server"),
      watched,
    });
  for (let monitor = 0; monitor < MAX_MONITORS; monitor++) start("peer", monitor);
  assert.throws(
    () => start("peer", MAX_MONITORS),
    /^EnsembleError: peer has 65536 monitors in here already, and cannot have more$/,
  );
  start("peer", 0);
  start("other", 0);
  monitors.unwatch(5, "peer");
  start("peer", MAX_MONITORS);
  for (let monitor = 0; monitor <= MAX_MONITORS; monitor++) start("here", monitor);
});
