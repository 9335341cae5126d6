import assert from "node:assert/strict";
import type { Actor } from "../../../runtime/actor/actor.ts";
import type { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { on, onDown, onPing, onShutdown } from "../../../runtime/actor/cases.ts";
import type { HandlerContext } from "../../../runtime/actor/handler_context.ts";
import { ActorRef } from "../../../runtime/actor/references.ts";
import { exchangeHandlers } from "../../../runtime/actor/service.ts";
import type { ChildSpec, SupervisorOptions } from "../../../runtime/actor/supervision.ts";
import { findSupervisor, supervise } from "../../../runtime/actor/supervisor.ts";
import { EnsembleError } from "../../../runtime/errors.ts";
import { CapturedLogs, eventually } from "../server/captured_logs.ts";
import { LinkedSystems, startSystem } from "./linked_systems.ts";

const OFTEN = { restarts: Infinity, within: 1 };

/** Children that note their starts and ends, in order. */
class Noted {
  readonly notes: string[] = [];

  /** A raw actor that crashes, ends and hangs on request. */
  child(name: string, options: Partial<ChildSpec> = {}): ChildSpec {
    const run = async (self: Actor) => {
      this.notes.push(`+${name}`);
      await self.loop([
        on("crash", () => {
          throw new Error(`${name} crashed`);
        }),
        on("get", (_message, envelope) => envelope.reply(name)),
        on("hang", () => new Promise(() => {})),
        onPing,
        onShutdown(() => void this.notes.push(`-${name}`)),
      ]);
    };
    return { name, run, ...options } as ChildSpec;
  }

  /** What was noted since the last call, when that many notes are there. */
  async take(count: number): Promise<string> {
    await eventually(() => this.notes.length >= count, `${count} notes: ${this.notes}`);
    return this.notes.splice(0).join(" ");
  }
}

/** Three children below a supervisor that restarts as often as needed. */
async function three(options: SupervisorOptions) {
  const [system, noted] = [startSystem(), new Noted()];
  const children = ["a", "b", "c"].map((name) => noted.child(name));
  const supervisor = supervise(system, "top", { intensity: OFTEN, children, ...options });
  assert.equal(await noted.take(3), "+a +b +c");
  return { system, noted, supervisor };
}

async function shutDown(system: ActorSystem): Promise<void> {
  await system.ask("top", { type: "shutdown" }, { timeout: Infinity });
}

/** Restarts of each child. */
function restarts(system: ActorSystem): Record<string, number> {
  const children = findSupervisor(system, "top").children();
  return Object.fromEntries(children.map(({ id, restarts }) => [id, restarts]));
}

Deno.test("a child that crashes is restarted, and keeps its name, serial number and reference", async () => {
  const { system, noted, supervisor } = await three({});
  const before = system.find("b")!;
  await assert.rejects(system.ask("b", { type: "crash" }), { message: "b crashed" });
  assert.equal(await noted.take(1), "+b");
  const after = system.find("b")!;
  assert.notEqual(after, before);
  assert.equal(after.serial, before.serial);
  assert.equal(system.find(before.serial), after);
  assert.equal(await system.ask(before.ref, { type: "get" }), "b");
  assert.deepEqual(supervisor.children()[1], {
    id: "b",
    ref: "b@here",
    status: "running",
    restart: "permanent",
    restarts: 1,
  });
  await shutDown(system);
  assert.equal(await noted.take(3), "-c -b -a");
  assert.equal(await supervisor.ended, undefined);
  assert.deepEqual(system.actors(), []);
});

Deno.test("one-for-all restarts all children, the last one ends first", async () => {
  const { system, noted } = await three({ strategy: "one-for-all" });
  system.tell("b", { type: "crash" });
  assert.equal(await noted.take(5), "-c -a +a +b +c");
  assert.deepEqual(restarts(system), { a: 1, b: 1, c: 1 });
  await shutDown(system);
});

Deno.test("rest-for-one restarts the child and those that started after it", async () => {
  const { system, noted } = await three({ strategy: "rest-for-one" });
  system.tell("b", { type: "crash" });
  assert.equal(await noted.take(3), "-c +b +c");
  system.tell("c", { type: "crash" });
  assert.equal(await noted.take(1), "+c");
  system.tell("a", { type: "crash" });
  assert.equal(await noted.take(5), "-c -b +a +b +c");
  await shutDown(system);
});

Deno.test("a child is restarted after each kind of end as its kind says", async () => {
  const [system, noted] = [startSystem(), new Noted()];
  const kinds = ["permanent", "transient", "temporary"] as const;
  const ends: Record<string, (name: string) => unknown> = {
    normal: (name) => system.tell(name, { type: "shutdown" }),
    crash: (name) => system.tell(name, { type: "crash" }),
    killed: (name) => system.kill(name, "enough"),
  };
  const supervisor = supervise(system, "top", { intensity: OFTEN });
  const after: string[] = [];
  for (const restart of kinds) {
    for (const [how, end] of Object.entries(ends)) {
      const name = `${restart}-${how}`;
      await supervisor.start(noted.child(name, { restart }));
      const actor = system.find(name)!;
      end(name);
      await actor.ended;
      // The supervisor takes what happened before the list of its next child.
      const child = () => supervisor.children().find(({ id }) => id === name);
      await eventually(() => child()?.status !== "restarting");
      after.push(`${name}: ${child()?.status ?? "gone"}, ${child()?.restarts ?? 0}`);
    }
  }
  assert.deepEqual(after, [
    "permanent-normal: running, 1",
    "permanent-crash: running, 1",
    "permanent-killed: running, 1",
    "transient-normal: stopped, 0",
    "transient-crash: running, 1",
    "transient-killed: running, 1",
    "temporary-normal: gone, 0",
    "temporary-crash: gone, 0",
    "temporary-killed: gone, 0",
  ]);
  await shutDown(system);
});

Deno.test("what waits in the mailbox of a restarted actor goes on, and its asker is answered", async () => {
  const { system } = await three({});
  const asks = ["crash", "get", "get"].map((type) => system.ask("b", { type }));
  const [first, ...others] = await Promise.allSettled(asks);
  assert.equal(first?.status, "rejected");
  assert.deepEqual(others, [
    { status: "fulfilled", value: "b" },
    { status: "fulfilled", value: "b" },
  ]);
  await shutDown(system);
});

Deno.test("a child without keepMailbox fails what waits for it at once", async () => {
  const { system, supervisor, noted } = await three({ backoff: { initial: 20, max: 40 } });
  await supervisor.start(noted.child("d", { keepMailbox: false }));
  const asks = ["crash", "get", "get"].map((type) => system.ask("d", { type }));
  const [, ...others] = await Promise.allSettled(asks);
  for (const other of others) {
    assert.equal(other.status === "rejected" && other.reason.code, "ACTOR_ENDED");
  }
  // Also while it waits for its restart.
  await assert.rejects(system.ask("d", { type: "get" }), { code: "ACTOR_ENDED" });
  await eventually(() => restarts(system).d === 1);
  assert.equal(await system.ask("d", { type: "get" }), "d");
  await shutDown(system);
});

Deno.test("a message for an actor that waits for its restart waits as well", async () => {
  const { system, noted } = await three({ backoff: { initial: 20, max: 40 } });
  await assert.rejects(system.ask("b", { type: "crash" }), { message: "b crashed" });
  assert.equal(system.find("b")?.activity, "dead");
  const asked = system.ask("b", { type: "get" });
  assert.equal(system.find("b")?.mailboxLength, 1);
  assert.equal(await asked, "b");
  assert.equal(await noted.take(1), "+b");
  await shutDown(system);
});

Deno.test("what belongs to the last run of an actor does not reach the next", async () => {
  const system = startSystem();
  const got: unknown[] = [];
  let run = 0;
  const body = async (self: Actor) => {
    run++;
    if (run === 1) {
      self.monitor("gone");
      self.tell(self, { type: "to myself" });
      self.after(0, { type: "later" });
      self.tell("answers", { type: "any" }, { replyExpected: true });
      system.tell(self, { type: "from others" });
      await eventually(() => self.mailboxLength === 5);
      throw new Error("crash");
    }
    await self.loop([onShutdown(), { matches: () => true, react: (message) => got.push(message) }]);
  };
  system.serve("answers", { any: () => "answer" });
  supervise(system, "top", { children: [{ name: "a", run: body }] });
  await eventually(() => got.length > 0);
  system.tell("a", { type: "last" });
  await eventually(() => got.length > 1);
  assert.deepEqual(got, [{ type: "from others" }, { type: "last" }]);
  await shutDown(system);
});

Deno.test("a monitor hears of each end, and may monitor an actor that waits for its restart", async () => {
  const { system, noted } = await three({ backoff: { initial: 10, max: 40 } });
  const news: unknown[] = [];
  const watcher = system.spawn(undefined, async (self) => {
    self.monitor("b");
    await self.loop([onDown(({ reason }) => {
      news.push(reason);
      self.monitor("b");
    })]);
  });
  await eventually(() => watcher.activity === "receiving");
  for (const reason of ["first", "second"]) {
    await eventually(() => system.find("b")?.activity === "receiving");
    system.kill("b", reason);
    assert.equal(await noted.take(1), "+b");
  }
  assert.deepEqual(news, ["first", "second"]);
  await shutDown(system);
  await eventually(() => news.length >= 3);
  assert.equal(news[2], undefined);
  watcher.exit();
});

Deno.test("a restarted actor stays in its groups, and gets no request of theirs meanwhile", async () => {
  const { system, supervisor } = await three({ backoff: { initial: 10, max: 40 } });
  for (const name of ["a", "b"]) system.groups.join("all", system.find(name)!);
  await assert.rejects(system.ask("b", { type: "crash" }), { message: "b crashed" });
  assert.deepEqual(system.groups.counts, { all: 2 });
  const all = ActorRef.unchecked("here", "@all");
  for (let i = 0; i < 4; i++) assert.equal(await system.ask(all, { type: "get" }), "a");
  await eventually(() => restarts(system).b === 1);
  assert.deepEqual(system.groups.members("all"), [system.find("a"), system.find("b")]);
  await supervisor.stop("b");
  assert.deepEqual(system.groups.counts, { all: 1 });
  await shutDown(system);
  assert.equal(system.groups.counts, undefined);
});

Deno.test("actors of other servers keep the reference of a restarted actor, and hear of its ends", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const noted = new Noted();
  for (const system of [near, far]) {
    // As the actor `server` of a server.
    system.serve("server", {
      monitor({ monitor, actor }: { monitor: number; actor: string }, { sender }) {
        const watcher = new ActorRef(sender.server, "server");
        system.watch({ monitor, watcher, watched: new ActorRef(system.id, actor) });
      },
      down: ({ monitor, reason }: { monitor: number; reason?: string }, { sender }) =>
        system.down({ monitor, server: sender.server, reason }),
    });
  }
  supervise(far, "top", { intensity: OFTEN, children: [noted.child("a")] });
  const news: unknown[] = [];
  const watcher = near.spawn(undefined, async (self) => {
    self.monitor("a@far");
    await self.loop([onDown(({ reason }) => void news.push(reason))]);
  });
  assert.equal(await near.ask("a@far", { type: "get" }), "a");
  const asks = ["crash", "get"].map((type) => near.ask("a@far", { type }));
  await assert.rejects(asks[0]!, { message: "a crashed", code: "FAILED" });
  assert.equal(await asks[1], "a");
  await eventually(() => news.length === 1);
  assert.deepEqual(news, ["a crashed"]);
  // What hangs is killed from afar: its asker is told at once.
  const hanging = near.ask("a@far", { type: "hang" }, { timeout: Infinity });
  await eventually(() => far.find("a")?.handled === 2);
  const behind = near.ask("a@far", { type: "get" });
  await eventually(() => far.find("a")?.mailboxLength === 1);
  far.kill("a", "it hangs");
  await assert.rejects(hanging, { code: "ACTOR_ENDED", message: "a@far has ended: it hangs" });
  assert.equal(await behind, "a");
  watcher.exit();
  for (const id of ["top", "server"]) far.kill(id);
});

Deno.test("a restart hands over the last state that was set", async () => {
  const system = startSystem();
  const add = (_request: object, context: HandlerContext<number>) => ++context.state;
  const states: unknown[] = [];
  const run = async (self: Actor) => {
    states.push(self.state);
    self.state = [...self.state, "more"];
    await self.receive([on("crash", () => Promise.reject(new Error("crash"))), onShutdown()]);
  };
  const supervisor = supervise(system, "top", {
    intensity: OFTEN,
    children: [
      { name: "counter", state: 10, serve: { add } },
      { name: "raw", state: () => ["first"], run },
    ],
  });
  await system.ask("counter", { type: "add" });
  system.kill("counter");
  assert.equal(await system.ask("counter", { type: "add" }), 12);
  await supervisor.stop("counter");
  await supervisor.restart("counter");
  assert.equal(await system.ask("counter", { type: "add" }), 13);
  system.tell("raw", { type: "crash" });
  await eventually(() => states.length === 2);
  assert.deepEqual(states, [["first"], ["first", "more"]]);
  await shutDown(system);
});

Deno.test("a restarted service runs the handlers that were exchanged", async () => {
  const system = startSystem();
  const [old, newer] = [{ get: () => "old" }, { get: () => "new" }];
  supervise(system, "top", { intensity: OFTEN, children: [{ name: "a", serve: () => old }] });
  const service = system.find("a")!;
  assert.equal(service.service?.handlers, old);
  await exchangeHandlers(system, { service, handlers: newer });
  for (let i = 0; i < 2; i++) {
    system.kill("a");
    assert.equal(await system.ask("a", { type: "get" }), "new");
  }
  await shutDown(system);
});

Deno.test("handlers can be exchanged while a service waits for its restart", async () => {
  const system = startSystem();
  const get = (_request: object, { state }: HandlerContext) => state;
  supervise(system, "top", {
    intensity: OFTEN,
    backoff: { initial: 20, max: 20 },
    children: [false, true].map((keepMailbox) => (
      { name: `keeps-${keepMailbox}`, keepMailbox, state: 1, serve: { get } }
    )),
  });
  for (const name of ["keeps-false", "keeps-true"]) {
    system.kill(name);
    const service = system.find(name)!;
    assert(service.isResting);
    const handlers = { get: (_request: object, { state }: HandlerContext) => `new ${state}` };
    const fails = { service, handlers, upgrade: () => Promise.reject(new Error("not that")) };
    await assert.rejects(exchangeHandlers(system, fails), { message: "not that" });
    await exchangeHandlers(system, { service, handlers, upgrade: (state: number) => state + 1 });
    await eventually(() => system.find(name)?.activity === "receiving");
    assert.equal(await system.ask(name, { type: "get" }), "new 2");
  }
  await shutDown(system);
});

Deno.test("a supervisor that passes its intensity ends its children and itself", async () => {
  using logs = await CapturedLogs.start();
  const { system, noted, supervisor } = await three({ intensity: { restarts: 2, within: 60_000 } });
  for (let i = 0; i < 2; i++) {
    system.tell("b", { type: "crash" });
    assert.equal(await noted.take(1), "+b");
  }
  const waiting = system.ask("b", { type: "crash" });
  const behind = system.ask("b", { type: "get" });
  await assert.rejects(waiting, { message: "b crashed" });
  await assert.rejects(behind, { code: "ACTOR_ENDED" });
  const error = await supervisor.ended;
  const why =
    "its children had to be restarted more often than 2 times in 60000 ms; the last one " +
    "was b@here: b crashed";
  assert(error instanceof EnsembleError);
  assert.deepEqual([error.code, error.message], ["LIMIT_REACHED", why]);
  assert.equal(await noted.take(2), "-c -a");
  assert.deepEqual(system.actors(), []);
  assert.deepEqual(logs.matching(/top@here/), [
    "INFO actor: top@here restarts b@here: b crashed",
    "INFO actor: top@here restarts b@here: b crashed",
    `ERROR actor: top@here failed: ${why}`,
  ]);
});

Deno.test("a supervisor below another that gives up is restarted by it, if permanent", async () => {
  const [system, noted] = [startSystem(), new Noted()];
  const nested: SupervisorOptions = {
    intensity: { restarts: 0, within: 1 },
    children: [noted.child("a"), noted.child("b")],
  };
  const supervisor = supervise(system, "top", {
    intensity: OFTEN,
    children: [{ name: "nested", supervise: nested }, {
      name: "other",
      restart: "transient",
      supervise: { ...nested, children: [noted.child("c")] },
    }],
  });
  assert.equal(await noted.take(3), "+a +b +c");
  const { serial } = system.find("nested")!;
  system.tell("b", { type: "crash" });
  assert.equal(await noted.take(3), "-a +a +b");
  assert.equal(system.find("nested")?.serial, serial);
  // As in OTP, where it ends with the reason `shutdown`.
  system.tell("c", { type: "crash" });
  await eventually(() => supervisor.children()[1]?.status === "stopped");
  assert.equal(supervisor.children()[0]?.status, "running");
  await findSupervisor(system, "nested").start(noted.child("d"));
  assert.equal(await noted.take(1), "+d");
  await shutDown(system);
  assert.equal(await noted.take(3), "-d -b -a");
});
