import assert from "node:assert/strict";
import { on } from "../../../runtime/actor/cases.ts";
import type { HandlerContext } from "../../../runtime/actor/handler_context.ts";
import { ActorRef } from "../../../runtime/actor/references.ts";
import type { EnsembleServer } from "../../../runtime/ensemble/ensemble_server.ts";
import { MAX_TRACES } from "../../../runtime/observation/actor_traces.ts";
import { observerClient } from "../../../runtime/observation/observer_protocol.ts";
import { followActor } from "../../../runtime/observation/trace_following.ts";
import type { TraceEnd, TraceRecord } from "../../../runtime/observation/trace_protocol.ts";
import { encodePem } from "../../../runtime/pki/pem.ts";
import { testEnsemble } from "../../../testing/test_ensemble.ts";
import { stopClock } from "../../fake_clock.ts";
import { CapturedLogs, eventually } from "../server/captured_logs.ts";

/** A trace whose parts are read all the time. */
class Followed {
  readonly records: TraceRecord[] = [];
  lost = 0;
  parts = 0;
  readonly end: Promise<TraceEnd>;

  constructor(parts: Awaited<ReturnType<typeof followActor>>) {
    this.end = this.#read(parts!);
  }

  get lines(): string[] {
    return this.records.map(({ kind, number, peer, type, text }) =>
      [`${number ?? "-"}`, kind, peer, type, text].filter((part) => part !== undefined).join(" ")
    );
  }

  async #read(
    parts: AsyncIterable<{ records: readonly TraceRecord[]; lost: number; end?: TraceEnd }>,
  ) {
    for await (const { records, lost, end } of parts) {
      this.records.push(...records);
      this.lost += lost;
      this.parts++;
      if (end) return end;
    }
    throw new Error("no end");
  }
}

async function trace(
  client: EnsembleServer,
  actor: string,
  options: { count?: number; time?: number; full?: boolean } = {},
): Promise<Followed> {
  const limits = { count: 100, time: 60_000, ...options };
  return new Followed(await followActor(client.actors, ActorRef.parse(actor), limits));
}

/** What the traced services do. */
const handlers = {
  add: ({ amount }: { amount: number }) => amount + 1,
  slow: async ({ gate }: { gate: string }) => await gates.get(gate)!.promise,
  forget: () => {},
  fail() {
    throw new Error("it is broken");
  },
  later: (_request: object, context: HandlerContext) => {
    queueMicrotask(() => context.reply("late"));
    return context.later;
  },
};

const gates = new Map<string, PromiseWithResolvers<void>>();

Deno.test("a trace has the messages that a service takes, its answers and failures, with times", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  const client = await ensemble.startServer();
  a.serve("service", handlers);
  const followed = await trace(client, "service@a", { count: 6 });
  const began = Date.now();
  assert.equal(await client.ask("service@a", { type: "add", amount: 1 }), 2);
  await client.ask("service@a", { type: "later" });
  await assert.rejects(client.ask("service@a", { type: "fail" }));
  await assert.rejects(client.ask("service@a", { type: "unknown" }));
  client.tell("service@a", { type: "forget" });
  client.tell("service@a", { type: "fail" });
  assert.deepEqual(await followed.end, { why: "count" });
  const sender = `server@${client.id}`;
  assert.deepEqual(followed.lines.slice(0, 6), [
    `1 took ${sender} add { amount: 1 }`,
    "1 answered 2",
    `2 took ${sender} later`,
    '2 answered "late"',
    `3 took ${sender} fail`,
    "3 failed it is broken",
  ]);
  assert.match(followed.lines[7]!, /^4 failed .*unknown/);
  assert.deepEqual(followed.lines.slice(8), [
    `5 took ${sender} forget`,
    "5 done",
    `6 took ${sender} fail`,
    "6 failed it is broken",
  ]);
  for (const { at, kind, waited, elapsed } of followed.records) {
    assert.ok(at >= began - 1_000 && at <= Date.now() + 1_000);
    const time = kind === "took" ? waited : elapsed;
    assert.ok(time! >= 0 && time! < 60_000, `${kind} ${time}`);
  }
});

Deno.test("a trace of a concurrent service ends each message when its handler does", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  const client = await ensemble.startServer();
  a.serve("service", handlers, { concurrent: true });
  const followed = await trace(client, "service@a", { count: 3 });
  for (const gate of ["x", "y"]) gates.set(gate, Promise.withResolvers());
  const asked = client.ask("service@a", { type: "slow", gate: "x" });
  client.tell("service@a", { type: "slow", gate: "y" });
  await eventually(() => followed.records.length === 2, "both are taken");
  gates.get("y")!.resolve();
  await eventually(() => followed.lines.includes("2 done"), "the second is done");
  gates.get("x")!.resolve();
  await asked;
  await client.ask("service@a", { type: "add", amount: 1 });
  assert.deepEqual(await followed.end, { why: "count" });
  assert.deepEqual(followed.lines.map((line) => line.split(" ").slice(0, 2).join(" ")), [
    "1 took",
    "2 took",
    "2 done",
    "1 answered",
    "3 took",
    "3 answered",
  ]);
});

Deno.test("a trace has what an actor sends itself, and ends with it", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  const client = await ensemble.startServer();
  a.serve("log", { write: () => {} });
  a.spawn("worker", async (self) => {
    await self.receive([on("go", () => {})]);
    await self.ask("log", { type: "write", text: "begins" });
    self.tell(`elsewhere@${client.id}`, { type: "write", text: "ends" });
    throw new Error("it is over");
  });
  const followed = await trace(client, "worker@a");
  client.tell("worker@a", { type: "go" });
  assert.deepEqual(await followed.end, { why: "actor", reason: "it is over" });
  assert.deepEqual(followed.lines, [
    `1 took server@${client.id} go`,
    '1 asked log write { text: "begins" }',
    `1 told elsewhere@${client.id} write { text: "ends" }`,
  ]);
});

Deno.test("a trace ends when its time is over, and when its console is lost", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  const client = await ensemble.startServer();
  const service = a.serve("service", handlers);
  const short = await trace(client, "service@a", { time: 30 });
  assert.deepEqual(await short.end, { why: "time" });
  assert.equal(service.observation, undefined);
  const lost = await ensemble.startServer();
  const failed = assert.rejects((await trace(lost, "service@a")).end);
  assert.ok(service.observation);
  await lost.stop();
  await failed;
  await eventually(() => service.observation === undefined, "the trace has ended");
});

Deno.test("a trace that is not followed ends", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  const client = await ensemble.startServer();
  const service = a.serve("service", handlers);
  using clock = stopClock("setTimeout", "clearTimeout");
  const observer = observerClient(client, "a");
  const { trace } = await observer.beginTrace({ actor: "service", count: 1, time: 600_000 });
  clock.tick(14_000);
  await observer.followTrace({ trace: trace!, wait: 0 });
  clock.tick(14_000);
  assert.ok(service.observation);
  clock.tick(2_000);
  assert.equal(service.observation, undefined);
  await assert.rejects(observer.followTrace({ trace: trace!, wait: 0 }), /has no trace 1/);
});

Deno.test("a trace of a busy actor does not cost a message for each of its own", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  const client = await ensemble.startServer();
  a.serve("service", handlers);
  const began = performance.now();
  const followed = await trace(client, "service@a", { count: 200 });
  for (let i = 0; i < 200; i++) await client.ask("service@a", { type: "add", amount: i });
  assert.deepEqual(await followed.end, { why: "count" });
  assert.equal(followed.records.length, 400);
  // Each but the last has gathered for 50 ms.
  const most = 2 + (performance.now() - began) / 45;
  assert.ok(followed.parts <= most, `${followed.parts} parts`);
});

Deno.test("a trace leaves out what is too much, and says how much", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  const client = await ensemble.startServer();
  const service = a.serve("service", handlers);
  const followed = await trace(client, "service@a", { count: 100_000 });
  for (let i = 0; i < 10_000; i++) client.tell("service@a", { type: "forget" });
  await client.ask("service@a", { type: "add", amount: 1 });
  service.exit();
  await followed.end;
  assert.ok(followed.lost > 0);
  assert.ok(followed.records.length <= 6_000, `${followed.records.length}`);
});

Deno.test("a trace shortens messages, and shows them longer if asked to", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  const client = await ensemble.startServer();
  a.serve("service", { take: (request: object) => request });
  const message = { type: "take", text: "x".repeat(5_000) };
  const followed = await trace(client, "service@a", { count: 1 });
  const full = await trace(client, "service@a", { count: 1, full: true });
  await client.ask("service@a", message);
  await Promise.all([followed.end, full.end]);
  for (const { text } of followed.records) assert.ok(text!.length <= 200, text);
  for (const { text } of full.records) assert.ok(text!.length > 5_000);
});

Deno.test("traces are limited in number, and are followed by the console that began them", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  const client = await ensemble.startServer();
  a.serve("service", handlers);
  const observer = observerClient(client, "a");
  const request = { actor: "service", count: 1, time: 60_000 };
  const { trace } = await observer.beginTrace(request);
  for (let i = 1; i < MAX_TRACES; i++) await observer.beginTrace(request);
  await assert.rejects(observer.beginTrace(request), /16 traces run in a: end one of them/);
  const other = await ensemble.startServer();
  await assert.rejects(
    observerClient(other, "a").followTrace({ trace: trace!, wait: 0 }),
    /a has no trace 1 of this connection/,
  );
  assert.deepEqual(await observer.beginTrace({ ...request, actor: "nosuch" }), {});
});

Deno.test("a trace of the observer itself does not show that it is followed", async () => {
  await using ensemble = await testEnsemble();
  await ensemble.startServer("a");
  const [client, other] = await Promise.all([ensemble.startServer(), ensemble.startServer()]);
  const followed = await trace(client, "observer@a", { count: 1 });
  await other.remote("a").status();
  await followed.end;
  assert.equal(followed.lines[0], `1 took server@${other.id} status`);
  assert.match(followed.lines[1]!, /^1 answered \{ id: "a"|^1 answered/);
});

Deno.test("where an administrator is set up, a trace takes observer, and that of a part of the server admin", async () => {
  using logs = await CapturedLogs.start();
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const { publicKey, privateKey } = pair as CryptoKeyPair;
  const adminKey = encodePem("PUBLIC KEY", await crypto.subtle.exportKey("spki", publicKey));
  const key = encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", privateKey));
  await using ensemble = await testEnsemble({ adminKey, log: false });
  const a = await ensemble.startServer("a");
  a.serve("service", handlers);
  const client = await ensemble.startServer();
  await assert.rejects(trace(client, "service@a"), /not authorized for trace in a: .* observer/);
  await client.elevate("a", { key, capabilities: ["observer"] });
  const followed = await trace(client, "service@a", { count: 1 });
  await client.ask("service@a", { type: "add", amount: 1 });
  await followed.end;
  for (const actor of ["server@a", "loader@a", "observer@a"]) {
    await assert.rejects(trace(client, actor), /not authorized for trace in a: .* admin/);
  }
  // A capability that is revoked ends the trace at its next request.
  const revoked = await trace(client, "service@a");
  a.capabilities.retract(client.id, a.session(client.id));
  client.tell("service@a", { type: "forget" });
  assert.deepEqual(await revoked.end, { why: "stopped" });
  await eventually(() =>
    logs.lines.filter((line) => /audit.*trace allowed/.test(line)).length === 2
  );
});
