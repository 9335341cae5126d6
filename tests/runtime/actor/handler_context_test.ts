import assert from "node:assert/strict";
import type { HandlerContext } from "../../../runtime/actor/handler_context.ts";
import { ActorRef } from "../../../runtime/actor/references.ts";
import { type Client, client } from "../../../runtime/actor/service.ts";
import { LinkedSystems, startSystem } from "./linked_systems.ts";

/** A service as both sides declare it. */
interface Counter {
  add(request: { amount: number }): number;
  get(): number;
}

/** Only type-checked, never run. */
function types(asker: Parameters<typeof client>[0], system: ReturnType<typeof startSystem>) {
  const actor = system.serve<Counter>("counter", {
    add: ({ amount }, context) => context.authorized("app:add") ? amount : context.later,
    get: () => Promise.resolve(1),
  });
  const ref: ActorRef<Counter> = actor.ref;
  const counter = client(asker, ref);
  const sum: Promise<number> = counter.add({ amount: 1 }, { timeout: 2_000 });
  void sum;
  void counter.get();
  // @ts-expect-error the service has no such method
  void counter.sub({ amount: 1 });
  // @ts-expect-error the request has an amount
  void counter.add({ count: 1 });
  // @ts-expect-error the request is needed
  void counter.add();
  // @ts-expect-error the answer is a number
  const text: Promise<string> = counter.get();
  void text;
  // @ts-expect-error a handler is missing
  system.serve<Counter>("counter", { get: () => 1 });
  // @ts-expect-error the answer is a number
  system.serve<Counter>("counter", { add: () => "1", get: () => 1 });
  // @ts-expect-error the request has no count
  system.serve<Counter>("counter", { add: ({ count }) => count, get: () => 1 });
  const given = system.serve("given", {
    add: ({ amount }: { amount: number }, context) => `${context.sender}: ${amount}`,
    async later(_request, context) {
      await Promise.resolve();
      return context.later;
    },
  });
  const written: Promise<string> = client(asker, given).add({ amount: 1 });
  void written;
  void client(asker, given).later();
  // @ts-expect-error the references are of other services
  const other: ActorRef<Counter> = given.ref;
  void other;
  // A reference without a service type is accepted for any.
  const any: Client<Counter> = client<Counter>(asker, new ActorRef("a", "counter"));
  void any;
  void client<Counter>(asker, "counter@a").add({ amount: 1 });
}
void types;

Deno.test("HandlerContext has the sender, the deadline and the sender's capabilities", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const seen: unknown[] = [];
  const service = far.serve("a", {
    note(_request, context) {
      seen.push(`${context.sender}`, context.deadline, context.authorized("app:a"));
    },
  });
  const before = Date.now();
  await near.ask(service.ref, { type: "note" }, { timeout: 60_000 });
  assert.equal(seen[0], "server@near");
  assert(Math.abs(seen[1] as number - before - 60_000) < 10_000);
  assert.equal(seen[2], true);
  await near.ask(service.ref, { type: "note" }, { timeout: Infinity });
  assert.equal(seen[4], undefined);
  service.exit();
  await service.ended;
});

Deno.test("HandlerContext.deadline counts from the arrival, even for a request that waited", async () => {
  const system = startSystem();
  const deadlines: (number | undefined)[] = [];
  const gate = Promise.withResolvers<void>();
  const service = system.serve("a", {
    block: () => gate.promise,
    note: (_request, context) => void deadlines.push(context.deadline),
  });
  const blocked = system.ask("a", { type: "block" });
  const sent = Date.now();
  const noted = system.ask("a", { type: "note" }, { timeout: 30_000 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const released = Date.now();
  gate.resolve();
  await Promise.all([blocked, noted]);
  assert(deadlines[0]! < released + 30_000, `${deadlines[0]! - sent}`);
  service.exit();
  await service.ended;
});

Deno.test("HandlerContext.later lets a handler answer later, while the service continues", async () => {
  const system = startSystem();
  const waiting: HandlerContext[] = [];
  const service = system.serve("jobs", {
    next(_request, context) {
      waiting.push(context);
      return context.later;
    },
    add({ job }: { job: string }) {
      const context = waiting.shift();
      context?.reply(job);
      context?.reply("not this one");
    },
    refuse: () => waiting.shift()?.fail(new Error("no job")),
  });
  const jobs = client(system, service);
  const first = jobs.next();
  const second = jobs.next();
  await jobs.add({ job: "sweep" });
  assert.equal(await first, "sweep");
  await jobs.refuse();
  await assert.rejects(second, { message: "no job" });
  service.exit();
  await service.ended;
});

Deno.test("HandlerContext.signal is aborted when the deadline passes, and when the actor ends", async () => {
  const system = startSystem();
  const reasons: unknown[] = [];
  let aborted = Promise.withResolvers<void>();
  const service = system.serve("a", {
    async wait(_request, context) {
      await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
      reasons.push(context.signal.reason.name);
      aborted.resolve();
    },
    // An answered request leaves neither a timer nor a listener.
    quick: (_request, context) => void assert(!context.signal.aborted),
  }, { concurrent: true });
  // The sender can notice the deadline before the handler, or after it.
  await system.ask("a", { type: "wait" }, { timeout: 20 }).catch(() => {});
  await aborted.promise;
  aborted = Promise.withResolvers();
  await system.ask("a", { type: "quick" }, { timeout: 60_000 });
  const waiting = system.ask("a", { type: "wait" }, { timeout: 60_000 });
  await system.ask("a", { type: "ping" });
  service.exit();
  await waiting.catch(() => {});
  await service.ended;
  await aborted.promise;
  assert.deepEqual(reasons, ["TimeoutError", "ActorExit"]);
});
