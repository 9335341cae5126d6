import assert from "node:assert/strict";
import type { Actor } from "../../../runtime/actor/actor.ts";
import { on, onDown, onShutdown } from "../../../runtime/actor/cases.ts";
import type { ChildSpec, SupervisorOptions } from "../../../runtime/actor/supervision.ts";
import { findSupervisor, supervise } from "../../../runtime/actor/supervisor.ts";
import { EnsembleError, InvalidInputError } from "../../../runtime/errors.ts";
import { CapturedLogs, eventually } from "../server/captured_logs.ts";
import { startSystem } from "./linked_systems.ts";

const OFTEN = { restarts: Infinity, within: 1 };
const SLOW = { initial: 60_000, max: 60_000 };

/** An actor that fails or hangs on request. */
async function worker(self: Actor): Promise<void> {
  await self.loop([
    on("crash", () => {
      throw new Error("crash");
    }),
    on("get", (_message, envelope) => envelope.reply(self.serial)),
    on("hang", () => new Promise(() => {})),
    onShutdown(),
  ]);
}

/** A body that hears of nothing. */
const deaf = () => new Promise<void>(() => {});

function codeOf(thrown: unknown): string {
  assert(thrown instanceof EnsembleError, String(thrown));
  return thrown.code;
}

Deno.test("supervise throws when a child cannot start, and ends those before it", () => {
  const system = startSystem();
  const failing = {
    name: "c",
    serve: () => {
      throw new Error("no disk");
    },
  };
  const children = [{ name: "a", run: worker }, { name: "b", run: worker }, failing];
  assert.throws(() => supervise(system, "top", { children }), {
    message: "cannot start the children of top@here: no disk",
    code: "FAILED",
  });
  assert.deepEqual(system.actors(), []);
  const nested = { name: "below", supervise: { children } };
  assert.throws(() => supervise(system, "top", { children: [nested] }), {
    message: "cannot start the children of top@here: cannot start the children of below@here: " +
      "no disk",
  });
  assert.deepEqual(system.actors(), []);
});

Deno.test("a child whose name is taken does not start", async () => {
  const system = startSystem();
  const other = system.spawn("a", deaf);
  const child = { name: "a", run: worker };
  assert.throws(() => supervise(system, "top", { children: [child] }), {
    message: "cannot start the children of top@here: cannot start actor a: one of that name is " +
      "running in here",
    code: "ACTOR_EXISTS",
  });
  const supervisor = supervise(system, "top", { intensity: OFTEN });
  await assert.rejects(supervisor.start(child), { code: "ACTOR_EXISTS" });
  assert.deepEqual(supervisor.children(), []);
  system.kill(other.serial);
  await supervisor.start(child);
  // Its name stays taken while it waits for its restart.
  system.tell("a", { type: "crash" });
  await eventually(() => system.find("a")?.activity === "dead");
  assert.throws(() => system.spawn("a", deaf), { code: "ACTOR_EXISTS" });
  await supervisor.remove("a");
  const taker = system.spawn("a", deaf);
  await assert.rejects(supervisor.start(child), { code: "ACTOR_EXISTS" });
  for (const id of [taker.serial, "top"]) system.kill(id);
});

Deno.test("a child that does not start again is tried until the intensity is passed", async () => {
  using logs = await CapturedLogs.start();
  const system = startSystem();
  let starts = 0;
  const serve = () => {
    if (++starts === 1 || starts === 4) return { get: () => starts };
    throw new Error("no disk");
  };
  const supervisor = supervise(system, "top", {
    intensity: { restarts: 5, within: 60_000 },
    children: [{ name: "a", serve }],
  });
  const { serial } = system.find("a")!;
  system.kill("a", "enough");
  assert.equal(await system.ask("a", { type: "get" }), 4);
  assert.equal(system.find("a")?.serial, serial);
  assert.deepEqual(logs.lines.map((line) => line.split("\n")[0]), [
    "WARN actor: a@here is ended: enough",
    "INFO actor: top@here restarts a@here: enough",
    "ERROR actor: top@here cannot restart a@here: no disk",
    "INFO actor: top@here restarts a@here: it did not start: no disk",
    "ERROR actor: top@here cannot restart a@here: no disk",
    "INFO actor: top@here restarts a@here: it did not start: no disk",
  ]);
  system.kill("a", "enough");
  assert.equal(codeOf(await supervisor.ended), "LIMIT_REACHED");
  assert.deepEqual(system.actors(), []);
});

Deno.test("a nested supervisor that cannot start its children again is tried again, and keeps its number", async () => {
  const system = startSystem();
  let fails = 0;
  const serve = () => {
    if (fails-- > 0) throw new Error("not yet");
    return { get: () => "here" };
  };
  supervise(system, "top", {
    intensity: OFTEN,
    children: [{ id: "below", supervise: { children: [{ name: "a", serve }] } }],
  });
  const [below] = findSupervisor(system, "top").children();
  fails = 3;
  system.kill(Number(below!.ref!.split("@")[0]), "enough");
  await eventually(() => system.find("a")?.activity === "receiving");
  const [after] = findSupervisor(system, "top").children();
  assert.equal(after?.ref, below?.ref);
  system.kill("top");
  assert.deepEqual(system.actors(), []);
});

Deno.test("a child that does not end in time is killed, and the others still end in order", async () => {
  using logs = await CapturedLogs.start();
  const system = startSystem();
  const ended: string[] = [];
  const tidy = (name: string): ChildSpec => ({
    name,
    serve: {},
    cleanUp: () => void ended.push(name),
  });
  supervise(system, "top", {
    children: [
      tidy("a"),
      { name: "deaf", run: deaf, shutdown: 5 },
      { name: "killed", serve: {}, shutdown: "kill", cleanUp: () => void ended.push("killed") },
      tidy("b"),
    ],
  });
  const late = system.ask("deaf", { type: "get" });
  await Promise.all([
    assert.rejects(late, { code: "ACTOR_ENDED" }),
    system.ask("top", { type: "shutdown" }),
  ]);
  assert.deepEqual(ended, ["b", "a"]);
  assert.deepEqual(logs.lines, [
    "WARN actor: deaf@here did not shut down within 5 ms, and is killed by its supervisor",
  ]);
});

Deno.test("a child that fails while its supervisor shuts down is not restarted", async () => {
  const system = startSystem();
  const gate = Promise.withResolvers<void>();
  const supervisor = supervise(system, "top", {
    intensity: OFTEN,
    children: [{ name: "a", run: worker }, { name: "b", serve: {}, cleanUp: () => gate.promise }],
  });
  const first = system.find("a");
  system.tell("top", { type: "shutdown" });
  await eventually(() => system.find("b")?.activity === "running");
  system.tell("a", { type: "crash" });
  await first!.ended;
  assert.equal(system.find("a"), undefined);
  gate.resolve();
  assert.equal(await supervisor.ended, undefined);
  assert.deepEqual(system.actors(), []);
});

Deno.test("a crash loop without a delay leaves the event loop to others", async () => {
  const system = startSystem();
  let starts = 0;
  const supervisor = supervise(system, "top", {
    intensity: OFTEN,
    children: [{
      name: "a",
      run: () => {
        starts++;
        throw new Error("crash");
      },
    }],
  });
  system.serve("echo", { say: () => "hello" });
  await eventually(() => starts > 50);
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => setTimeout(resolve));
    assert.equal(await system.ask("echo", { type: "say" }), "hello");
  }
  await supervisor.stop("a");
  const before = starts;
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(starts, before);
  for (const id of ["top", "echo"]) system.kill(id);
});

Deno.test("stop of a child that waits for its restart ends the wait", async () => {
  const system = startSystem();
  const supervisor = supervise(system, "top", {
    backoff: SLOW,
    intensity: OFTEN,
    children: [{ name: "a", run: worker }],
  });
  const news: unknown[] = [];
  system.tell("a", { type: "crash" });
  await eventually(() => supervisor.children()[0]?.status === "restarting");
  const waiting = system.ask("a", { type: "get" });
  const watcher = system.spawn(undefined, async (self) => {
    self.monitor("a");
    await self.receive([onDown(({ reason }) => news.push(reason))]);
  });
  await eventually(() => watcher.activity === "receiving");
  await supervisor.stop("a");
  await assert.rejects(waiting, { code: "ACTOR_ENDED", message: "a@here has ended: crash" });
  await watcher.ended;
  assert.equal(news.length, 1);
  assert.equal(supervisor.children()[0]?.status, "stopped");
  assert.equal(system.find("a"), undefined);
  await supervisor.restart("a");
  assert.equal(supervisor.children()[0]?.status, "running");
  // And restart does not wait for its time.
  system.tell("a", { type: "crash" });
  await eventually(() => supervisor.children()[0]?.status === "restarting");
  await supervisor.restart("a");
  assert.equal(await system.ask("a", { type: "get" }), system.find("a")?.serial);
  system.kill("top");
});

Deno.test("a supervisor that is killed takes its children with it, and their monitors hear why", async () => {
  const system = startSystem();
  const supervisor = supervise(system, "top", {
    backoff: SLOW,
    children: [
      { name: "a", run: worker },
      { name: "b", supervise: { children: [{ name: "c", run: deaf }] } },
    ],
  });
  const news = new Map<string, string | undefined>();
  const watcher = system.spawn(undefined, async (self) => {
    for (const name of ["a", "c"]) self.monitor(name);
    while (news.size < 2) {
      await self.receive([onDown(({ ref, reason }) => news.set(`${ref}`, reason))]);
    }
  });
  await eventually(() => watcher.activity === "receiving");
  system.kill("top", "enough");
  await watcher.ended;
  assert.deepEqual(Object.fromEntries(news), {
    "a@here": "its supervisor top@here has ended",
    "c@here": "its supervisor b@here has ended",
  });
  assert.deepEqual(system.actors(), []);
  await assert.rejects(supervisor.start({ name: "d", run: worker }), { code: "UNKNOWN_ACTOR" });
  assert.deepEqual(supervisor.children(), []);
});

Deno.test("a group restart finishes what a service has begun, and keeps what waits for it", async () => {
  const system = startSystem();
  const gate = Promise.withResolvers<string>();
  let begun = 0;
  supervise(system, "top", {
    intensity: OFTEN,
    strategy: "one-for-all",
    children: [
      { name: "a", run: worker },
      { name: "b", serve: { work: () => begun++ === 0 ? gate.promise : "after" } },
      {
        name: "dropping",
        keepMailbox: false,
        serve: { work: () => begun++ === 1 ? gate.promise : "after" },
      },
    ],
  });
  const work = (name: string) => [1, 2].map(() => system.ask(name, { type: "work" }));
  const [kept, dropped] = [work("b"), [] as Promise<unknown>[]];
  await eventually(() => begun === 1);
  dropped.push(...work("dropping"));
  await eventually(() => begun === 2);
  system.tell("a", { type: "crash" });
  await assert.rejects(dropped[1]!, { code: "ACTOR_ENDED" });
  gate.resolve("before");
  assert.equal(await dropped[0], "before");
  assert.deepEqual(await Promise.all(kept), ["before", "after"]);
  system.kill("top");
});

Deno.test("children are started, listed, stopped and removed by their ids", async () => {
  const system = startSystem();
  const supervisor = supervise(system, "top", { restart: "temporary" });
  const first = await supervisor.start({ run: worker });
  await assert.rejects(supervisor.start({ id: "1", run: worker }), {
    message: "top@here has a child 1 already: it is running",
    code: "ACTOR_EXISTS",
  });
  await supervisor.start({ id: "session", run: worker, restart: "transient" });
  await supervisor.start({ run: worker });
  assert.deepEqual(supervisor.children().map(({ id }) => id), ["1", "session", "2"]);
  assert.equal(`${first}`, supervisor.children()[0]?.ref);
  await supervisor.stop("1");
  await supervisor.stop("session");
  assert.deepEqual(supervisor.children().map(({ id, status }) => [id, status]), [
    ["session", "stopped"],
    ["2", "running"],
  ]);
  await assert.rejects(supervisor.start({ id: "session", run: worker }), {
    message: "top@here has a child session already: it is stopped",
  });
  await supervisor.remove("session");
  for (const method of ["stop", "restart", "remove"] as const) {
    await assert.rejects(supervisor[method]("session"), {
      message: "top@here has no child session",
      code: "UNKNOWN_ACTOR",
    });
  }
  await supervisor.start({ id: "session", run: worker });
  system.kill("top");
  assert.throws(() => findSupervisor(system, "top"), { code: "UNKNOWN_ACTOR" });
  const raw = system.spawn("raw", deaf);
  assert.throws(() => findSupervisor(system, "raw"), { message: "raw@here is not a supervisor" });
  system.kill(raw.serial);
});

Deno.test("supervise refuses options that are not valid", () => {
  const system = startSystem();
  const run = worker;
  const wrong: [unknown, RegExp][] = [
    [undefined, /^not the options of a supervisor: undefined$/],
    [{ strategy: "all" }, /^not the strategy of a supervisor: "all": it is "one-for-one", /],
    [{ restart: "always" }, /^not when a child is restarted: "always": it is "permanent", /],
    [{ intensity: { restarts: -1, within: 1 } }, /^not a number of restarts: -1$/],
    [{ intensity: { restarts: 1 } }, /^not the time of an intensity: undefined: /],
    [{ backoff: { initial: 0, max: 1 } }, /^not the initial delay of a backoff: 0: /],
    [{ backoff: { initial: 2, max: 1 } }, /^not a backoff: from 2 to 1 ms$/],
    [{ children: {} }, /^not the children of a supervisor: /],
    [{ children: [undefined] }, /^not a child of a supervisor: undefined$/],
    [{ children: [{ name: "a" }] }, /it has one of run, serve and supervise$/],
    [{ children: [{ name: "a", run, serve: {} }] }, /it has one of run, serve and supervise$/],
    [{ children: [{ name: "a b", run }] }, /^not an actor name: "a b": /],
    [{ children: [{ id: 1, run }] }, /^not the id of a child: 1$/],
    [{ children: [{ name: "a", run: 1 }] }, /^not the body of an actor: 1$/],
    [{ children: [{ name: "a", serve: { b: 1 } }] }, /^not a handler of a service: b is 1$/],
    [{ children: [{ name: "a", run, shutdown: "soon" }] }, /it is a number of ms, Infinity or/],
    [{ children: [{ name: "a", run, mailbox: { limit: 0 } }] }, /^not the limit of a mailbox: 0/],
    [{ children: [{ name: "a", run }, { id: "a", run }] }, /have the id a$/],
    [
      { children: [{ name: "a", supervise: { children: [{ name: "b" }] } }] },
      /it has one of run, serve and supervise$/,
    ],
  ];
  for (const [options, message] of wrong) {
    assert.throws(
      () => supervise(system, "top", options as SupervisorOptions),
      (error) => error instanceof InvalidInputError && message.test(error.message),
      `${message}`,
    );
  }
  assert.deepEqual(system.actors(), []);
});

Deno.test("a server that stops ends its trees, in time", async () => {
  using logs = await CapturedLogs.start();
  const system = startSystem();
  const ended: string[] = [];
  const tidy = (name: string): ChildSpec => ({
    name,
    serve: {},
    cleanUp: () => void ended.push(name),
  });
  supervise(system, "top", {
    children: [tidy("a"), { name: "below", supervise: { children: [tidy("b"), tidy("c")] } }],
  });
  supervise(system, "stuck", {
    children: [tidy("d"), { name: "deaf", run: deaf, shutdown: Infinity }],
  });
  await system.stopActors(200, new Set());
  // What hangs takes half of the time that is left, and the others still clean up.
  assert.deepEqual(ended.filter((name) => name !== "d"), ["c", "b", "a"]);
  assert.ok(ended.includes("d"));
  assert.deepEqual(system.actors(), []);
  assert.match(
    logs.lines.join("\n"),
    /^WARN actor: deaf@here did not shut down within \d+ ms, and/,
  );
  assert.equal(logs.lines.length, 1);
});
