import assert from "node:assert/strict";
import { context, createTraceState, trace, TraceFlags } from "npm:@opentelemetry/api@~1.9.0";
import { type Actor, EnsembleError, type HandlerContext, on } from "@gxensemble/ensemble";
import type { CallSpans } from "../../../runtime/observation/call_spans.ts";
import { testEnsemble } from "../../../testing/test_ensemble.ts";
import { FinishedSpans, idOf, parentOf } from "./finished_spans.ts";

const TRACED = { telemetry: true };

Deno.test("an ask between servers has a span at both ends, and what its handler asks is below", async () => {
  using spans = new FinishedSpans();
  await using ensemble = await testEnsemble(TRACED);
  const [a, b] = await Promise.all([ensemble.startServer("a"), ensemble.startServer("b")]);
  a.serve("front", {
    add: async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      return await a.ask("back", { type: "get" });
    },
  });
  a.serve("back", { get: () => 1 });
  assert.equal(await b.ask("front@a", { type: "add" }), 1);
  const found = await spans.wait(4);
  const path = ["client front/add", "server front/add", "client back/get", "server back/get"];
  const tree = path.map((name) => found[name]);
  assert.deepEqual(tree.map(parentOf), [undefined, ...tree.slice(0, -1).map(idOf)]);
  assert.deepEqual(found["server front/add"]!.attributes, {
    "rpc.system.name": "gxensemble",
    "rpc.method": "front/add",
    "rpc.response.status_code": "OK",
    "server.address": "a",
    "client.address": "b",
  });
  assert.equal(found["server front/add"]!.parentSpanContext!.isRemote, true);
  assert.equal(found["server back/get"]!.parentSpanContext!.isRemote, false);
});

Deno.test("a failed request has the code of its error at both ends, and the stack at its receiver", async () => {
  using spans = new FinishedSpans();
  await using ensemble = await testEnsemble(TRACED);
  const [a, b] = await Promise.all([ensemble.startServer("a"), ensemble.startServer("b")]);
  a.serve("counter", {
    break() {
      throw new RangeError("too many");
    },
    refuse() {
      throw new EnsembleError("not today", { code: "LIMIT_REACHED" });
    },
  });
  await assert.rejects(b.ask("counter@a", { type: "break" }), /too many/);
  await assert.rejects(b.ask("counter@a", { type: "refuse" }), /not today/);
  await assert.rejects(b.ask("counter@a", { type: "count" }), /unexpected message/);
  await assert.rejects(b.ask("absent@a", { type: "get" }), /unknown actor/);
  const found = await spans.wait(7);
  const server = found["server counter/break FAILED"]!;
  assert.equal(server.status.message, "too many");
  const [event] = server.events;
  assert.deepEqual([event!.name, event!.attributes!["exception.type"]], [
    "exception",
    "RangeError",
  ]);
  assert.match(`${event!.attributes!["exception.stacktrace"]}`, /call_spans_test/);
  assert.equal(found["client counter/break FAILED"]!.events.length, 0);
  assert.equal(found["server counter/refuse LIMIT_REACHED"]!.events.length, 0);
  assert.ok(found["client counter/refuse LIMIT_REACHED"]);
  // What its receiver does not know is no name of a span.
  assert.ok(found["server counter/_OTHER UNEXPECTED_MESSAGE"]);
  assert.ok(found["client counter/count UNEXPECTED_MESSAGE"]);
  assert.ok(found["client absent/get UNKNOWN_ACTOR"]);
});

Deno.test("spans end once: after a timeout, a cancellation, a late answer, the end of an actor or a server", async () => {
  using spans = new FinishedSpans();
  await using ensemble = await testEnsemble(TRACED);
  const [a, b] = await Promise.all([ensemble.startServer("a"), ensemble.startServer("b")]);
  const kept: HandlerContext[] = [];
  const keep = (_request: object, context: HandlerContext) => {
    kept.push(context);
    return context.later;
  };
  a.serve("slow", { late: keep, cancel: keep, end: keep, stop: keep });

  // Within a server it is taken at once, before any timer.
  const late = a.ask("slow", { type: "late" }, { timeout: 50 });
  await assert.rejects(late, { code: "TIMEOUT" });
  kept[0]!.reply(1);
  kept[0]!.reply(2);
  assert.deepEqual(spans.names, ["client slow/late TIMEOUT", "server slow/late"]);

  const abort = new AbortController();
  const cancelled = assert.rejects(b.ask("slow@a", { type: "cancel" }, { signal: abort.signal }));
  await untilTaken(2);
  abort.abort();
  await cancelled;
  kept[1]!.fail("too late");

  const ended = assert.rejects(b.ask("slow@a", { type: "end" }), { code: "ACTOR_ENDED" });
  await untilTaken(3);
  await a.exit("slow");
  await ended;

  a.serve("slow", { stop: keep });
  const asked = b.ask("slow@a", { type: "stop" }, { timeout: 60_000 });
  const stopped = assert.rejects(asked, EnsembleError);
  await untilTaken(4);
  await a.stop({ grace: 0 });
  await stopped;

  await spans.wait(8);
  const [ofStop, ...others] = spans.names.filter((name) => /slow.stop/.test(name));
  assert.match(ofStop!, /^client slow.stop (SERVER_STOPPING|ACTOR_ENDED|DISCONNECTED)$/);
  assert.match(others.join(), /^server slow.stop (SERVER_STOPPING|ACTOR_ENDED)$/);
  assert.deepEqual(spans.names.filter((name) => !/slow.stop/.test(name)), [
    "client slow/cancel AbortError",
    "client slow/end ACTOR_ENDED",
    "client slow/late TIMEOUT",
    "server slow/cancel FAILED",
    "server slow/end ACTOR_ENDED",
    "server slow/late",
  ]);

  async function untilTaken(count: number): Promise<void> {
    while (kept.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

Deno.test("spans of messages that are never finished end with the wait of their senders, or their actor", async () => {
  using spans = new FinishedSpans();
  await using ensemble = await testEnsemble(TRACED);
  const a = await ensemble.startServer("a");
  const sweep = () => (a.actors.spans as CallSpans).sweep();
  a.serve("deaf", { hear: (_request: object, { later }: HandlerContext) => later });
  await assert.rejects(a.ask("deaf", { type: "hear" }, { timeout: 50 }), { code: "TIMEOUT" });
  assert.deepEqual(spans.names, ["client deaf/hear TIMEOUT"]);
  sweep();
  assert.deepEqual(spans.names, ["client deaf/hear TIMEOUT", "server deaf/hear TIMEOUT"]);

  const begun = Promise.withResolvers<void>();
  a.serve("stuck", {
    take: () => {
      begun.resolve();
      return new Promise(() => {});
    },
  });
  a.tell("stuck", { type: "take" });
  await begun.promise;
  sweep();
  assert.equal(spans.names.length, 3);
  await a.exit("stuck");
  sweep();
  sweep();
  const found = await spans.wait(4);
  assert.ok(found["consumer handle stuck ACTOR_ENDED"], spans.names.join());
});

Deno.test("a request that waits for the restart of its actor has one span at its receiver", async () => {
  using spans = new FinishedSpans();
  await using ensemble = await testEnsemble(TRACED);
  const a = await ensemble.startServer("a");
  const begun = Promise.withResolvers<void>();
  let runs = 0;
  a.supervise("main", {
    intensity: { restarts: 10, within: 1_000 },
    children: [{
      name: "child",
      run: async (self: Actor) => {
        runs++;
        await self.loop([
          on("break", () => {
            begun.resolve();
            throw new Error("broken");
          }),
          on("get", (_request, envelope) => envelope.reply(runs)),
        ]);
      },
    }],
  });
  const broken = assert.rejects(a.ask("child", { type: "break" }), /broken/);
  const answer = a.ask("child", { type: "get" });
  await Promise.all([broken, begun.promise]);
  assert.equal(await answer, 2);
  await spans.wait(4);
  assert.deepEqual(spans.names, [
    "client child/break FAILED",
    "client child/get",
    "server child/break FAILED",
    "server child/get",
  ]);
});

Deno.test("tells have spans at both ends, which last as long as their handlers", async () => {
  using spans = new FinishedSpans();
  await using ensemble = await testEnsemble(TRACED);
  const [a, b] = await Promise.all([ensemble.startServer("a"), ensemble.startServer("b")]);
  const released = Promise.withResolvers<void>();
  a.serve("log", {
    write: () => released.promise,
    break() {
      throw new Error("the disk is full");
    },
  }, { concurrent: true });
  b.tell("log@a", { type: "write" });
  b.tell("log@a", { type: "break" });
  await spans.wait(3);
  assert.deepEqual(spans.names, [
    "consumer handle log FAILED",
    "producer tell log",
    "producer tell log",
  ]);
  released.resolve();
  const found = await spans.wait(4);
  const consumer = found["consumer handle log"]!;
  assert.deepEqual(consumer.attributes, {
    "messaging.system": "gxensemble",
    "messaging.destination.name": "log",
    "messaging.operation.name": "handle",
    "messaging.operation.type": "process",
    "gxensemble.message.type": "write",
    "server.address": "a",
    "client.address": "b",
  });
  assert.equal(found["consumer handle log FAILED"]!.status.message, "the disk is full");
});

Deno.test("a message to a group has one span at its sender, and one at each member", async () => {
  using spans = new FinishedSpans();
  await using ensemble = await testEnsemble(TRACED);
  const [a, b] = await Promise.all([ensemble.startServer("a"), ensemble.startServer("b")]);
  for (const name of ["one", "two"]) a.join("logs", a.serve(name, { write: () => {} }));
  while ((await b.members("logs")).length < 2) await new Promise((done) => setTimeout(done, 5));
  await b.publish("logs", { type: "write" });
  await spans.wait(3);
  assert.deepEqual(spans.names, [
    "consumer handle one",
    "consumer handle two",
    "producer tell @logs",
  ]);
});

Deno.test("the answer to a tell belongs to its trace", async () => {
  using spans = new FinishedSpans();
  await using ensemble = await testEnsemble(TRACED);
  const [a, b] = await Promise.all([ensemble.startServer("a"), ensemble.startServer("b")]);
  a.serve("counter", { get: () => 7 });
  b.serve("screen", { show: () => {} });
  b.spawn("asker", async (self) => {
    const nonce = self.tell("counter@a", { type: "get" }, { replyExpected: true })!;
    await self.receive([{
      replyTo: nonce,
      react: (count: never) => void self.tell("screen", { type: "show", count }),
    }]);
  });
  const found = await spans.wait(5);
  const traces = Object.values(found).map((span) => span.spanContext().traceId);
  assert.equal(new Set(traces).size, 1, spans.names.join());
  assert.equal(parentOf(found["producer tell screen"]), idOf(found["consumer handle asker"]));
});

Deno.test("a trace that is not sampled has no spans, and goes on with its tracestate", async () => {
  using spans = new FinishedSpans();
  await using ensemble = await testEnsemble(TRACED);
  const [a, b] = await Promise.all([ensemble.startServer("a"), ensemble.startServer("b")]);
  const seen = () => trace.getSpanContext(context.active());
  a.serve("last", { get: () => `${seen()!.traceFlags} ${seen()!.traceState?.serialize()}` });
  b.serve("first", { get: () => b.ask("last@a", { type: "get" }) });
  const from = (traceFlags: TraceFlags) =>
    trace.setSpanContext(context.active(), {
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      traceFlags,
      traceState: createTraceState("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
    });
  const ask = () => a.ask("first@b", { type: "get" });
  const state = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";
  assert.equal(await context.with(from(TraceFlags.NONE), ask), `0 ${state}`);
  assert.deepEqual(spans.names, []);
  assert.equal(await context.with(from(TraceFlags.SAMPLED), ask), `1 ${state}`);
  const found = await spans.wait(4);
  for (const span of Object.values(found)) {
    assert.equal(span.spanContext().traceId, "0af7651916cd43dd8448eb211c80319c");
  }
  assert.equal(parentOf(found["client first/get"]), "b7ad6b7169203331");
});

Deno.test("pings, ticks, monitors and the parts of servers have no spans", async () => {
  using spans = new FinishedSpans();
  await using ensemble = await testEnsemble(TRACED);
  const [a, b] = await Promise.all([ensemble.startServer("a"), ensemble.startServer("b")]);
  const ticked = Promise.withResolvers<unknown>();
  a.serve("counter", { get: () => 1 });
  await trace.getTracer("test").startActiveSpan("outer", async (span) => {
    b.spawn("clock", async (self: Actor) => {
      self.monitor("counter@a");
      self.after(1, { type: "alarm" });
      await self.receive([
        on("alarm", () => ticked.resolve(trace.getSpanContext(context.active()))),
      ]);
    });
    await b.ping("counter@a");
    await b.ping("server@a");
    await b.remote("a").status();
    // What an actor does later is no part of what it was started in.
    assert.equal(await ticked.promise, undefined);
    await a.exit("counter");
    span.end();
  });
  assert.deepEqual(spans.names, ["internal outer"]);
});

Deno.test("a server without telemetry passes no trace on, and reads none", async () => {
  using spans = new FinishedSpans();
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  const b = await ensemble.startServer("b", TRACED);
  a.serve("counter", { get: () => trace.getSpanContext(context.active()) });
  assert.equal(await b.ask("counter@a", { type: "get" }), undefined);
  b.serve("counter", { get: () => 1 });
  assert.equal(await a.ask("counter@b", { type: "get" }), 1);
  const found = await spans.wait(2);
  assert.ok(found["client counter/get"]);
  assert.equal(parentOf(found["server counter/get"]), undefined);
});
