import assert from "node:assert/strict";
import type { HandlerContext } from "../../../runtime/actor/handler_context.ts";
import { client, exchangeHandlers } from "../../../runtime/actor/service.ts";
import { ActorError, InvalidInputError, TimeoutError } from "../../../runtime/errors.ts";
import { eventually } from "../server/captured_logs.ts";
import { LinkedSystems, startSystem } from "./linked_systems.ts";

interface Counter {
  add(request: { amount: number }): number;
  get(): unknown;
}

/** Version 1: its state is a number. */
const first = {
  add: ({ amount }: { amount: number }, context: HandlerContext<number>) => context.state += amount,
  get: (_request: object, { state }: HandlerContext<number>) => state,
};

/** Version 2: its state is an object. */
const second = {
  add({ amount }: { amount: number }, { state }: HandlerContext<{ total: number }>) {
    return state.total += 10 * amount;
  },
  get: (_request: object, { state }: HandlerContext<{ total: number }>) => state,
};

const upgrade = (total: number) => ({ total });

Deno.test("exchangeHandlers hands the state to the new handlers through upgrade", async () => {
  const system = startSystem();
  const service = system.serve("counter", first, { state: 1 });
  const counter = client<Counter>(system, "counter");
  assert.equal(await counter.add({ amount: 2 }), 3);
  assert.equal(service.service?.handlers, first);
  await exchangeHandlers(system, { service, handlers: second, upgrade });
  assert.equal(service.service?.handlers, second);
  assert.deepEqual(await counter.get(), { total: 3 });
  assert.equal(await counter.add({ amount: 2 }), 23);
});

Deno.test("exchangeHandlers keeps the state when there is no upgrade", async () => {
  const system = startSystem();
  const service = system.serve("counter", first, { state: 1 });
  await exchangeHandlers(system, {
    service,
    handlers: { get: (_: object, { state }: HandlerContext) => [state] },
  });
  assert.deepEqual(await client<Counter>(system, "counter").get(), [1]);
  await assert.rejects(client<Counter>(system, "counter").add({ amount: 1 }), {
    code: "UNEXPECTED_MESSAGE",
  });
});

Deno.test("exchangeHandlers keeps the mailbox, and comes before what waits in it", async () => {
  const system = startSystem();
  const gate = Promise.withResolvers<string>();
  const service = system.serve("a", { work: () => gate.promise });
  const asks = [1, 2, 3].map(() => system.ask("a", { type: "work" }));
  await eventually(() => service.activity === "running" && service.mailboxLength === 2);
  const exchanged = exchangeHandlers(system, { service, handlers: { work: () => "new" } });
  const later = system.ask("a", { type: "work" });
  gate.resolve("old");
  await exchanged;
  assert.deepEqual(await Promise.all([...asks, later]), ["old", "new", "new", "new"]);
});

Deno.test("exchangeHandlers lets a concurrent service finish what it has begun", async () => {
  const system = startSystem();
  const gate = Promise.withResolvers<void>();
  let upgraded = 0;
  const service = system.serve("a", {
    async work(_request: object, context: HandlerContext<number>) {
      await gate.promise;
      return ++context.state;
    },
    get: (_request: object, { state }: HandlerContext) => state,
  }, { concurrent: true, state: 0 });
  const begun = [1, 2].map(() => system.ask("a", { type: "work" }));
  await eventually(() => service.handled === 2);
  const exchanged = exchangeHandlers(system, {
    service,
    handlers: { get: (_request: object, { state }: HandlerContext) => `new ${state}` },
    upgrade: (state: number) => (upgraded++, state + 100),
  });
  const held = system.ask("a", { type: "get" });
  await eventually(() => service.mailboxLength === 1);
  assert.equal(upgraded, 0);
  gate.resolve();
  assert.deepEqual(await Promise.all(begun), [1, 2]);
  await exchanged;
  assert.equal(await held, "new 102");
});

Deno.test("exchangeHandlers goes back when upgrade throws, or the handlers are none", async () => {
  const system = startSystem();
  const service = system.serve("counter", first, { state: 1 });
  const counter = client<Counter>(system, "counter");
  const attempts: [object, RegExp][] = [
    [{
      handlers: second,
      upgrade() {
        throw new Error("cannot read the old form");
      },
    }, /^cannot read the old form$/],
    [{ handlers: second, upgrade: () => Promise.reject(new Error("nor later")) }, /^nor later$/],
    [{ handlers: { get: 3 } }, /^not a handler of a service: get is 3$/],
    [{ handlers: undefined }, /^not the handlers of a service: undefined$/],
  ];
  for (const [attempt, message] of attempts) {
    await assert.rejects(
      exchangeHandlers(system, { service, ...attempt as { handlers: typeof first } }),
      (error) => error instanceof ActorError && message.test(error.message),
    );
    assert.equal(service.service?.handlers, first);
  }
  assert.equal(await counter.add({ amount: 2 }), 3);
});

Deno.test("exchangeHandlers gives up when a handler or upgrade takes too long", async () => {
  const system = startSystem();
  const gate = Promise.withResolvers<string>();
  const service = system.serve("a", { work: () => gate.promise, get: () => "old" });
  const handlers = { get: () => "new" };
  const begun = system.ask("a", { type: "work" });
  await eventually(() => service.handled === 1);
  await assert.rejects(exchangeHandlers(system, { service, handlers, timeout: 5 }), TimeoutError);
  gate.resolve("done");
  assert.equal(await begun, "done");
  assert.equal(await system.ask("a", { type: "get" }), "old");
  const never = () => new Promise(() => {});
  await assert.rejects(
    exchangeHandlers(system, { service, handlers, upgrade: never, timeout: 5 }),
    TimeoutError,
  );
  assert.equal(await system.ask("a", { type: "get" }), "old");
});

Deno.test("exchangeHandlers keeps checks, options and the clean-up", async () => {
  const system = startSystem();
  let cleaned = false;
  const service = system.serve("a", { set: ({ to }: { to: number }) => to }, {
    requests: { set: (request) => ({ to: Number((request as { to: unknown }).to) }) },
    cleanUp: () => void (cleaned = true),
  });
  await exchangeHandlers(system, {
    service,
    handlers: { set: ({ to }: { to: number }) => [to], other: () => "unchecked" },
  });
  assert.deepEqual(await system.ask("a", { type: "set", to: "3" }), [3]);
  await assert.rejects(system.ask("a", { type: "other" }), { code: "UNEXPECTED_MESSAGE" });
  await system.ask("a", { type: "shutdown" });
  assert(cleaned);
});

Deno.test("exchangeHandlers fails for a raw actor, and for a service that ends", async () => {
  const system = startSystem();
  const raw = system.spawn("raw", (self) => self.loop([]));
  await assert.rejects(
    exchangeHandlers(system, { service: raw, handlers: first }),
    new InvalidInputError("raw@here is not a service: it has no handlers to exchange"),
  );
  const service = system.serve("a", { work: () => new Promise(() => {}) });
  system.tell("a", { type: "work" });
  await eventually(() => service.handled === 1);
  const exchanged = exchangeHandlers(system, { service, handlers: first });
  system.kill("a");
  await assert.rejects(exchanged, { code: "ACTOR_ENDED" });
});

Deno.test("a message of another server cannot exchange handlers", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  far.serve("counter", first, { state: 1 });
  await assert.rejects(
    near.ask("counter@far", { type: "handler-exchange", handlers: {} }),
    { code: "UNEXPECTED_MESSAGE" },
  );
});
