import assert from "node:assert/strict";
import type { Actor } from "../../../runtime/actor/actor.ts";
import {
  type ActorTracer,
  endMeasuring,
  measureActor,
  traceActor,
} from "../../../runtime/actor/actor_observation.ts";
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { on } from "../../../runtime/actor/cases.ts";
import { eventually } from "../server/captured_logs.ts";

/** Blocks the event loop. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

const handlerTime = (actor: Actor): number => actor.observation!.handlerTime;

Deno.test("measureHandlers measures actors that run, and those that start later, until it is turned off", async () => {
  const system = new ActorSystem("a");
  const early = system.serve("early", { work: () => block(5) });
  system.measureHandlers(true);
  const late = system.serve("late", { work: () => block(5) });
  for (const actor of [early, late]) {
    assert.equal(handlerTime(actor), 0);
    await system.ask(actor, { type: "work" });
    await eventually(() => actor.activity === "receiving", "it waits again");
    const time = handlerTime(actor);
    assert.ok(time >= 5, `${time}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(handlerTime(actor), time, "it only waits");
  }
  system.measureHandlers(false);
  assert.equal(early.observation, undefined);
  assert.equal(late.observation, undefined);
  system.close();
});

Deno.test("an actor is in handlers while its handler waits, and until it receives again", async () => {
  const system = new ActorSystem("a");
  const gate = Promise.withResolvers<void>();
  const waiter = system.serve("waiter", { wait: () => gate.promise });
  const body = system.spawn("body", async (self) => {
    await self.receive([on("begin", () => {})]);
    await gate.promise;
    await self.receive([on("end", () => {})]);
  });
  const answered = system.ask(waiter, { type: "wait" });
  system.tell(body, { type: "begin" });
  await eventually(() => body.handled === 1 && waiter.handled === 1, "both have begun");
  for (const actor of [waiter, body]) {
    // Measuring begins in the middle of a handler.
    measureActor(actor);
    await eventually(() => handlerTime(actor) > 0, "time passes");
  }
  gate.resolve();
  await answered;
  await eventually(
    () => [waiter, body].every(({ activity }) => activity === "receiving"),
    "both wait",
  );
  const times = [waiter, body].map(handlerTime);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual([waiter, body].map(handlerTime), times);
  for (const actor of [waiter, body]) endMeasuring(actor);
  system.close();
});

Deno.test("a concurrent service is in handlers while any of its handlers runs, and once at most", async () => {
  const system = new ActorSystem("a");
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const service = system.serve("service", {
    wait: ({ gate }: { gate: number }) => gates[gate]!.promise,
  }, { concurrent: true });
  const began = performance.now();
  measureActor(service);
  const asks = [0, 1].map((gate) => system.ask(service, { type: "wait", gate }));
  await eventually(() => service.handled === 2 && service.activity === "receiving", "both wait");
  gates[0]!.resolve();
  await asks[0];
  const half = handlerTime(service);
  await eventually(() => handlerTime(service) > half, "the second goes on");
  assert.ok(handlerTime(service) <= performance.now() - began);
  gates[1]!.resolve();
  await asks[1];
  await eventually(() => !service.requests.isRunning, "both are done");
  const time = handlerTime(service);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(handlerTime(service), time);
  system.close();
});

/** Notes what it is told. */
class Notes implements ActorTracer {
  readonly lines: string[] = [];
  arrived = ({ message }: { message: unknown }) => this.#note("arrived", message);
  taken = ({ message }: { message: unknown }) => this.#note("taken", message);
  receives = () => this.#note("receives");
  continues = ({ message }: { message: unknown }) => this.#note("continues", message);
  settled = ({ message }: { message: unknown }) => this.#note("settled", message);
  answered = (_: unknown, { value, failed }: { value: unknown; failed: boolean }) =>
    this.#note(failed ? "failed with" : "answered", failed ? (value as Error).message : value);
  failed = (_: unknown, error: unknown) => this.#note("failed", (error as Error).message);
  sent = (message: unknown, _: unknown, { isAsk }: { isAsk: boolean }) =>
    this.#note(isAsk ? "asked" : "told", message);
  ended = (reason: string | undefined) => this.#note("ended", reason);

  #note(what: string, value?: unknown): void {
    this.lines.push(value === undefined ? what : `${what} ${JSON.stringify(value)}`);
  }
}

Deno.test("traceActor tells of messages, answers and failures in their order, until it is disposed", async () => {
  const system = new ActorSystem("a");
  const service = system.serve("service", {
    add: ({ n }: { n: number }) => n + 1,
    later: async ({ n }: { n: number }) => await Promise.resolve(n),
    fail() {
      throw new Error("no");
    },
  });
  await eventually(() => service.activity === "receiving", "it has started");
  const notes = new Notes();
  const tracing = traceActor(service, notes);
  const waits = () => eventually(() => service.activity === "receiving", "it waits");
  await system.ask(service, { type: "add", n: 1 });
  await waits();
  await system.ask(service, { type: "later", n: 7 });
  await waits();
  await assert.rejects(system.ask(service, { type: "fail" }));
  await waits();
  for (const n of [2, 3]) system.tell(service, { type: "add", n });
  system.tell(service, { type: "fail" });
  await eventually(() => service.handled === 6, "it has taken all");
  await waits();
  tracing[Symbol.dispose]();
  assert.equal(service.observation, undefined);
  await system.ask(service, { type: "add", n: 4 });
  assert.deepEqual(notes.lines, [
    'arrived {"type":"add","n":1}',
    'taken {"type":"add","n":1}',
    "answered 2",
    "receives",
    'arrived {"type":"later","n":7}',
    'taken {"type":"later","n":7}',
    'continues {"type":"later","n":7}',
    "answered 7",
    'settled {"type":"later","n":7}',
    "receives",
    'arrived {"type":"fail"}',
    'taken {"type":"fail"}',
    'failed with "no"',
    "receives",
    'arrived {"type":"add","n":2}',
    'arrived {"type":"add","n":3}',
    'arrived {"type":"fail"}',
    'taken {"type":"add","n":2}',
    "receives",
    'taken {"type":"add","n":3}',
    "receives",
    'taken {"type":"fail"}',
    'failed "no"',
    "receives",
  ]);
  system.close();
});

Deno.test("traceActor tells what an actor sends, and that it has ended", async () => {
  const system = new ActorSystem("a");
  system.serve("echo", { echo: ({ text }: { text: string }) => text });
  const actor = system.spawn("actor", async (self) => {
    await self.receive([on("go", () => {})]);
    await self.ask("echo", { type: "echo", text: "hello" });
    self.tell("echo", { type: "echo", text: "bye" });
    throw new Error("over");
  });
  const notes = new Notes();
  traceActor(actor, notes);
  system.tell(actor, { type: "go" });
  assert.ok(await actor.ended);
  await eventually(() => actor.activity === "dead", "it has ended");
  assert.deepEqual(notes.lines.slice(-3), [
    'asked {"type":"echo","text":"hello"}',
    'told {"type":"echo","text":"bye"}',
    'ended "over"',
  ]);
  system.close();
});
