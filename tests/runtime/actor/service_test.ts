import assert from "node:assert/strict";
import type { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import type { HandlerContext } from "../../../runtime/actor/handler_context.ts";
import { on, onShutdown } from "../../../runtime/actor/cases.ts";
import { client } from "../../../runtime/actor/service.ts";
import {
  ActorError,
  DisconnectedError,
  InvalidInputError,
  TimeoutError,
} from "../../../runtime/errors.ts";
import { CapturedLogs, eventually } from "../server/captured_logs.ts";
import { LinkedSystems, settle, startSystem } from "./linked_systems.ts";

async function stop(system: ActorSystem): Promise<void> {
  const actors = system.actors();
  for (const actor of actors) actor.exit();
  await Promise.all(actors.map(({ ended }) => ended));
}

/** Waits at gates in the order in which they were reached. */
class Gates {
  readonly waiting: PromiseWithResolvers<void>[] = [];

  pass(): Promise<void> {
    const gate = Promise.withResolvers<void>();
    this.waiting.push(gate);
    return gate.promise;
  }
}

Deno.test("a typed client calls the handlers, on the same server and on another", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  let total = 0;
  const handlers = {
    add: ({ amount }: { amount: number }) => total += amount,
    get: () => total,
    later: ({ list }: { list: number[] }) => Promise.resolve(new Set(list)),
  };
  const counter = far.serve("counter", handlers);
  for (const [system, dest] of [[far, "counter"], [far, counter], [near, counter.ref]] as const) {
    const service = client<typeof handlers>(system, dest);
    const before = await service.get();
    const sum: number = await service.add({ amount: 3 });
    assert.equal(sum, before + 3);
    assert.deepEqual(await service.later({ list: [1, 1, 2] }), new Set([1, 2]));
  }
  await stop(far);
});

Deno.test("the request's type is always the method's name", async () => {
  const system = startSystem();
  const handlers = { get: ({ key }: { key: string }) => key };
  const actor = system.serve("store", handlers);
  const request = { key: "a", type: "shutdown" };
  assert.equal(await client<typeof handlers>(system, "store").get(request), "a");
  assert.equal(actor.activity, "receiving");
  await stop(system);
});

Deno.test("a client is not a promise", async () => {
  const system = startSystem();
  const service = client<{ get: () => number }>(system, "nobody");
  assert.equal(await Promise.resolve(service), service);
  assert.equal((service as unknown as { then?: unknown }).then, undefined);
  assert.equal((service as unknown as Record<symbol, unknown>)[Symbol.iterator], undefined);
});

Deno.test("a client passes its options to ask", async () => {
  const system = startSystem();
  const handlers = { never: () => new Promise<void>(() => {}) };
  system.serve("a", handlers);
  const service = client<typeof handlers>(system, "a");
  await assert.rejects(service.never({}, { timeout: 1 }), TimeoutError);
  const reason = new Error("enough");
  await assert.rejects(service.never({}, { signal: AbortSignal.abort(reason) }), reason);
});

Deno.test("a service handles one request after the other", async () => {
  const system = startSystem();
  const gates = new Gates();
  const handlers = {
    slow: async ({ id }: { id: number }) => {
      await gates.pass();
      return id;
    },
  };
  const actor = system.serve("a", handlers);
  const service = client<typeof handlers>(system, "a");
  const answers = Promise.all([1, 2, 3].map((id) => service.slow({ id })));
  for (let reached = 1; reached <= 3; reached++) {
    await eventually(() => gates.waiting.length === reached);
    assert.equal(actor.mailboxLength, 3 - reached);
    gates.waiting[reached - 1]!.resolve();
  }
  assert.deepEqual(await answers, [1, 2, 3]);
  await stop(system);
});

Deno.test("a concurrent service does not wait for a handler's promise", async () => {
  const system = startSystem();
  const gates = new Gates();
  const handlers = {
    slow: async ({ id }: { id: number }) => {
      await gates.pass();
      if (id === 2) throw new Error("the second");
      return id;
    },
    quick: () => "quick",
  };
  system.serve("a", handlers, { concurrent: true });
  const service = client<typeof handlers>(system, "a");
  const answers = Promise.allSettled([1, 2, 3].map((id) => service.slow({ id })));
  assert.equal(await service.quick(), "quick");
  assert.equal(gates.waiting.length, 3);
  for (const gate of gates.waiting.reverse()) gate.resolve();
  const [first, second, third] = await answers;
  assert.deepEqual([first, third].map((each) => each!.status), ["fulfilled", "fulfilled"]);
  assert.equal((second as PromiseRejectedResult).reason.message, "the second");
  assert.equal(await service.quick(), "quick");
  await stop(system);
});

Deno.test("a service that is shut down finishes what it has begun, and refuses the rest", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const gates = new Gates();
  const signals: AbortSignal[] = [];
  let held: HandlerContext | undefined;
  const cleanedUp: number[] = [];
  const handlers = {
    async slow(_request: unknown, { signal }: HandlerContext) {
      signals.push(signal);
      await gates.pass();
      return "done";
    },
    hold(_request: unknown, context: HandlerContext) {
      held = context;
      return context.later;
    },
  };
  const actor = far.serve("a", handlers, {
    concurrent: true,
    cleanUp: () => void cleanedUp.push(gates.waiting.length),
  });
  const service = client<typeof handlers>(near, "a@far");
  const forever = { timeout: Infinity };
  const begun = [service.slow({}, forever), service.slow({}, forever), service.hold({}, forever)];
  await eventually(() => gates.waiting.length === 2 && held !== undefined);
  const stopped = near.ask(actor.ref, { type: "shutdown" }, forever);
  await eventually(() => signals.every(({ aborted }) => aborted));
  assert.equal(signals[0]!.reason.code, "ACTOR_ENDED");
  const refused = { code: "ACTOR_ENDED", message: "a@far is shutting down" };
  await assert.rejects(service.slow(), refused);
  await assert.rejects(client<typeof handlers>(far, "a").hold(), refused);
  assert.equal(held!.signal.aborted, true);
  for (const gate of gates.waiting) gate.resolve();
  assert.deepEqual(await Promise.all(begun.slice(0, 2)), ["done", "done"]);
  assert.deepEqual(cleanedUp, []);
  held!.reply("late");
  assert.equal(await begun[2], "late");
  assert.equal(await stopped, "OK");
  assert.equal(await actor.ended, undefined);
  assert.deepEqual(cleanedUp, [2]);
});

Deno.test("a service with one request at a time learns of its shutdown while a handler runs", async () => {
  const system = startSystem();
  const actor = system.serve("a", {
    async wait(_request, { signal }) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return "hurried";
    },
  });
  const begun = system.ask("a", { type: "wait" });
  const waiting = system.ask("a", { type: "wait" });
  await settle();
  const stopped = system.ask("a", { type: "shutdown" });
  await assert.rejects(waiting, { code: "ACTOR_ENDED", message: "a@here is shutting down" });
  assert.deepEqual(await Promise.all([begun, stopped]), ["hurried", "OK"]);
  await actor.ended;
});

Deno.test("a service that is shut down waits neither longer than the grace nor for those that gave up", async () => {
  const system = startSystem();
  const later = (_request: unknown, context: HandlerContext) => context.later;
  const forgetful = system.serve("forgetful", { later });
  await assert.rejects(system.ask("forgetful", { type: "later" }, { timeout: 1 }), {
    code: "TIMEOUT",
  });
  await system.ask("forgetful", { type: "shutdown" });
  assert.equal(await forgetful.ended, undefined);
  system.grace = 20;
  let cleanedUp = false;
  const stuck = system.serve("stuck", { later, never: () => new Promise(() => {}) }, {
    concurrent: true,
    cleanUp: () => void (cleanedUp = true),
  });
  const forever = { timeout: Infinity };
  const asks = ["later", "never"].map((type) => system.ask("stuck", { type }, forever));
  const codes = Promise.all(asks.map((ask) => ask.catch(({ code }) => code)));
  await settle();
  await system.ask("stuck", { type: "shutdown" });
  assert.deepEqual(await codes, ["ACTOR_ENDED", "ACTOR_ENDED"]);
  assert(cleanedUp);
  await stuck.ended;
});

Deno.test("ActorSystem.stopActors lets begun requests finish, with what they ask others here", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const gates = new Gates();
  far.serve("stock", {
    take: async () => {
      await gates.pass();
      return 1;
    },
  });
  far.spawn("price", (self) =>
    self.loop([
      on("of", (_message, envelope) => envelope.reply(10)),
      onShutdown(),
    ]));
  const shop = {
    async order() {
      await gates.pass();
      const taken = await far.ask<number>("stock", { type: "take" });
      return taken * await far.ask<number>("price", { type: "of" });
    },
  };
  far.serve("shop", shop, { concurrent: true });
  far.serve("part", { wait: () => new Promise(() => {}) }, { concurrent: true, drains: false });
  const part = near.ask("part@far", { type: "wait" }, { timeout: Infinity });
  const failed = assert.rejects(part, { code: "ACTOR_ENDED" });
  const order = client<typeof shop>(near, "shop@far").order();
  await eventually(() => gates.waiting.length === 1);
  const stopped = far.stopActors(60_000, new Set());
  for (const actor of ["shop", "price", "none"]) {
    const ask = near.ask(`${actor}@far`, { type: "order" });
    await assert.rejects(ask, { code: "SERVER_STOPPING", message: "far is stopping" });
  }
  gates.waiting[0]!.resolve();
  await eventually(() => gates.waiting.length === 2);
  gates.waiting[1]!.resolve();
  assert.equal(await order, 10);
  await Promise.all([stopped, failed]);
  assert.deepEqual(far.actors(), []);
  await assert.rejects(far.ask("shop", { type: "order" }), { code: "SERVER_STOPPING" });
});

Deno.test("ActorSystem.stopActors fails at the end of the grace what is still unanswered", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const never = () => new Promise(() => {});
  far.serve("sequential", { never });
  const concurrent = far.serve("concurrent", { never }, { concurrent: true });
  const forever = { timeout: Infinity };
  const asks = ["sequential@far", concurrent.ref].map((dest) =>
    near.ask(dest, { type: "never" }, forever).catch(({ code }) => code)
  );
  await settle();
  await far.stopActors(40, new Set());
  assert.deepEqual(await Promise.all(asks), ["ACTOR_ENDED", "ACTOR_ENDED"]);
  assert.deepEqual(far.actors(), []);
});

for (const concurrent of [false, true]) {
  Deno.test(`a failing handler fails only its request${concurrent ? ", concurrent too" : ""}`, async () => {
    class QuotaError extends Error {
      override name = "QuotaError";
    }
    const system = startSystem();
    const handlers = {
      throws: () => {
        throw new QuotaError("at once");
      },
      rejects: () => Promise.reject(new QuotaError("later")),
      text: () => {
        throw "a text";
      },
      nothing: () => {
        throw undefined;
      },
      odd: () => {
        throw Object.assign(new Error("odd"), { name: Symbol("name"), message: 5 });
      },
      fine: () => 1,
    };
    const actor = system.serve("a", handlers, { concurrent });
    const service = client<typeof handlers>(system, "a");
    const expected = [
      ["throws", "at once", "QuotaError"],
      ["rejects", "later", "QuotaError"],
      ["text", "a text", "Error"],
      ["nothing", "undefined", "Error"],
      ["odd", "5", "Symbol(name)"],
    ] as const;
    for (const [method, message, name] of expected) {
      await assert.rejects(service[method](), (error) => {
        assert.ok(error instanceof ActorError);
        assert.equal(error.message, message);
        assert.equal(error.remoteName, name);
        return true;
      });
      system.tell("a", { type: method });
    }
    assert.equal(await service.fine(), 1);
    assert.equal(actor.activity, "receiving");
    await stop(system);
  });
}

Deno.test("a handler's result is awaited, for any class of promise", async () => {
  const system = startSystem();
  const query = (
    settle: (resolve: (value: unknown) => void, reject: (e: unknown) => void) => void,
  ) => {
    const promise: Record<string, unknown> = { sql: "select 1" };
    promise["then"] = settle;
    return promise as unknown as PromiseLike<number>;
  };
  const handlers = {
    rows: () => query((resolve) => resolve(3)),
    fails: () => query((_resolve, reject) => reject(new Error("no such table"))),
  };
  system.serve("a", handlers);
  const service = client<typeof handlers>(system, "a");
  assert.equal(await service.rows(), 3);
  await assert.rejects(service.fails(), /no such table/);
  assert.equal(await service.rows(), 3);
  await stop(system);
});

Deno.test("a handler can answer by itself", async () => {
  const system = startSystem();
  const handlers = {
    early: (_request: unknown, context: HandlerContext) => {
      context.reply("early");
      return "late";
    },
    refuses: (_request: unknown, context: HandlerContext) => {
      context.fail("refused");
      throw new Error("late");
    },
  };
  system.serve("a", handlers);
  assert.equal(await system.ask("a", { type: "early" }), "early");
  await assert.rejects(system.ask("a", { type: "refuses" }), /refused/);
  await stop(system);
});

Deno.test("a service answers once, for any result of its handler and of the handler's promise", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const thenable = (then: unknown) => Object.defineProperty({}, "then", { value: then });
  const handlers = {
    answers: (_request: unknown, context: HandlerContext) => {
      context.reply(1);
      return 2;
    },
    answersLater: async (_request: unknown, context: HandlerContext) => {
      context.reply(1);
      await Promise.resolve();
      return 2;
    },
    answersAndRejects: async (_request: unknown, context: HandlerContext) => {
      context.reply(1);
      await Promise.resolve();
      throw new Error("late");
    },
    settlesTwice: () =>
      thenable((resolve: (value: number) => void, reject: (error: Error) => void) => {
        resolve(1);
        reject(new Error("late"));
        throw new Error("later");
      }),
  };
  for (const concurrent of [false, true]) {
    const { ref } = far.serve(`a${concurrent}`, handlers, { concurrent });
    for (const type of Object.keys(handlers)) {
      systems.sent.length = 0;
      assert.equal(await near.ask(ref, { type }), 1);
      await settle();
      assert.equal(systems.sent.filter(({ to }) => to === near.id).length, 1, type);
    }
  }
  await stop(far);
});

Deno.test("a handler whose promise cannot be awaited fails only its request", async () => {
  const system = startSystem();
  const refuse = () => {
    throw new Error("no promise");
  };
  const handlers = {
    getter: () => Object.defineProperty({}, "then", { get: refuse }),
    throws: () => Object.defineProperty({}, "then", { value: refuse }),
    fine: () => 1,
  };
  system.serve("a", handlers);
  const service = client<typeof handlers>(system, "a");
  await assert.rejects(service.getter(), /no promise/);
  await assert.rejects(service.throws(), /no promise/);
  assert.equal(await service.fine(), 1);
  await stop(system);
});

Deno.test("an unknown request is refused by its name, even one that every object has", async () => {
  const system = startSystem();
  const actor = system.serve("a", { get: () => 1 });
  for (const type of ["put", "constructor", "__proto__", "toString", ""]) {
    await assert.rejects(system.ask("a", { type }), {
      name: "ActorError",
      message: `unexpected message: ${type}`,
    });
  }
  await assert.rejects(system.ask("a", "get"), { message: "unexpected message: string" });
  assert.equal(actor.activity, "receiving");
  await stop(system);
});

Deno.test("every service answers pings, and can define its own answer", async () => {
  const system = startSystem();
  system.serve("a", {});
  system.serve("b", { ping: () => "pong" });
  assert.equal(await system.ask("a", { type: "ping" }), "OK");
  assert.equal(await system.ask("b", { type: "ping" }), "pong");
  await stop(system);
});

Deno.test("a service that is shut down cleans up before it answers", async () => {
  const system = startSystem();
  const gate = Promise.withResolvers<void>();
  const steps: string[] = [];
  const actor = system.serve("a", {}, {
    cleanUp: async () => {
      await gate.promise;
      steps.push("cleaned up");
    },
  });
  const answer = system.ask("a", { type: "shutdown" }).then((value) => steps.push(`${value}`));
  await eventually(() => actor.activity === "running");
  gate.resolve();
  await answer;
  assert.deepEqual(steps, ["cleaned up", "OK"]);
  assert.equal(await actor.ended, undefined);
  assert.equal(system.find("a"), undefined);
});

Deno.test("an answer that cannot be sent is a failure at once, and the service continues", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const handlers = {
    bad: () => ({ list: [() => 1] }),
    huge: () => new Uint8Array(65 * 1024 * 1024),
    long: () => {
      throw new Error("x".repeat(65 * 1024 * 1024));
    },
    fine: () => 1,
  };
  const { ref } = far.serve("a", handlers);
  const service = client<typeof handlers>(near, ref);
  await assert.rejects(
    service.bad(),
    /^ActorError: a@far answered: cannot send a function, at list\.0$/,
  );
  await assert.rejects(service.huge(), /^ActorError: a@far answered: the message is too large: /);
  await assert.rejects(service.long(), /^ActorError: x+\.\.\. \d+ more characters$/);
  assert.equal(await service.fine(), 1);
  await stop(far);
});

Deno.test("a service with checks passes their results to its handlers, and accepts no other types", async () => {
  const system = startSystem();
  const got: unknown[] = [];
  const checks = {
    add: (request: unknown) => {
      const { amount } = request as { amount: unknown };
      if (typeof amount !== "number") throw new InvalidInputError("amount is no number");
      return { amount };
    },
    absent: () => ({}),
  };
  const actor = system.serve("a", {
    add: (request: { amount: number }) => got.push(request),
    unchecked: () => assert.fail("it has no check"),
  }, { requests: checks });
  await system.ask(actor, { type: "add", amount: 1, more: 2 });
  assert.deepEqual(got, [{ amount: 1 }]);
  await assert.rejects(system.ask(actor, { type: "add", amount: "1" }), {
    remoteName: "InvalidInputError",
    message: "amount is no number",
  });
  await assert.rejects(system.ask(actor, { type: "unchecked" }), /unexpected message: unchecked/);
  await assert.rejects(system.ask(actor, { type: "absent" }), /unexpected message: absent/);
  assert.equal(got.length, 1);
});

Deno.test("a service logs a handler's error with its stack, for an ask and a tell", async () => {
  using logs = await CapturedLogs.start();
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const handlers = {
    sell() {
      throw new RangeError("sold out", { cause: new TypeError("no stock") });
    },
    later: () => Promise.reject("rain"),
  };
  const shop = far.serve("shop", handlers);
  near.tell(shop.ref, { type: "sell" });
  near.tell(shop.ref, { type: "later" });
  await assert.rejects(client<typeof handlers>(near, shop.ref).sell(), ActorError);
  assert.equal(logs.lines.length, 3);
  assert.equal(logs.lines[1], 'ERROR actor: later of server@near failed in shop@far: "rain"');
  for (const entry of [logs.lines[0]!, logs.lines[2]!]) {
    const [line, name, place, ...rest] = entry.split("\n");
    assert.equal(line, "ERROR actor: sell of server@near failed in shop@far: sold out");
    assert.equal(name, "    RangeError: sold out");
    assert.match(place!, /^ {8}at (Object\.)?sell \(.*service_test\.ts:\d+:\d+\)$/);
    assert.ok(rest.includes("    Caused by: TypeError: no stock"), entry);
  }
  await stop(far);
});

Deno.test("a service logs a refusal in one line, for a tell at WARN and an ask at DEBUG", async () => {
  using logs = await CapturedLogs.start("debug");
  const system = startSystem();
  const handlers = {
    sell() {
      throw new InvalidInputError("not a number of things: -1");
    },
  };
  system.serve("shop", handlers);
  const error = await client<typeof handlers>(system, "shop").sell().catch((error) => error);
  assert.deepEqual([error.remoteName, error.cause], ["InvalidInputError", undefined]);
  system.tell("shop", { type: "sell" });
  await system.ask("shop", { type: "ping" });
  const line = "actor: shop@here refused sell of server@here: not a number of things: -1";
  assert.deepEqual(logs.lines, [`DEBUG ${line}`, `WARN ${line}`]);
  // A check also refuses a request, with any error. Its handler is not called.
  const check = (request: unknown) => {
    const { count } = request as { count: number };
    if (count < 0) throw new TypeError("below 0");
    return { count };
  };
  const buy = ({ count }: { count: number }) => {
    throw new TypeError(`above ${count}`);
  };
  system.serve("market", { buy }, { requests: { buy: check } });
  system.tell("market", { type: "buy", count: -1 });
  system.tell("market", { type: "buy", count: 1 });
  await system.ask("market", { type: "ping" });
  assert.equal(logs.lines[2], "WARN actor: market@here refused buy of server@here: below 0");
  assert.match(logs.lines[3]!, /^ERROR actor: buy of .* failed in market@here: above 1\n/);
  await stop(system);
});

Deno.test("a service logs a few failures per sender, and how many more there were", async () => {
  using logs = await CapturedLogs.start();
  const system = startSystem();
  system.serve("shop", {
    sell() {
      throw new Error("sold out");
    },
    close() {},
  });
  for (let i = 0; i < 100; i++) system.tell("shop", { type: "sell" });
  // Not a ping, because a busy actor answers that before older messages.
  await system.ask("shop", { type: "close" });
  system.close();
  assert.equal(logs.matching(/^ERROR .* sold out\n/).length, 5);
  assert.deepEqual(logs.matching(/^WARN/), [
    "WARN server: 95 more lines were left out: failures of sell of here",
  ]);
  await stop(system);
});

Deno.test("a failed ask names what failed on the server and where it was asked", async () => {
  using _logs = await CapturedLogs.start();
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const handlers = {
    sell() {
      throw new RangeError("sold out", { cause: new TypeError("no stock") });
    },
  };
  const shop = far.serve("shop", handlers);
  const checked = { answers: { sell: (answer: unknown) => answer } };
  for (
    const service of [
      client<typeof handlers>(near, shop.ref),
      client<typeof handlers>(near, shop.ref, checked),
      client<typeof handlers>(far, shop.ref),
    ]
  ) {
    const buyer = async () => {
      await service.sell();
    };
    const error = await buyer().catch((error) => error);
    assert.ok(error instanceof ActorError);
    assert.deepEqual([error.remoteName, error.message], ["RangeError", "sold out"]);
    assert.match(
      error.stack!,
      /^ActorError: sold out\n {4}at async buyer \(.*service_test\.ts:\d+:\d+\)\n/,
    );
    const { name, message, stack } = error.cause as Error;
    assert.deepEqual([name, message], ["RangeError", "sold out"]);
    assert.match(stack!, /^RangeError: sold out\n {4}at (Object\.)?sell \(.*service_test\.ts:/);
    assert.match(stack!, /\nCaused by: TypeError: no stock\n/);
  }
  await stop(far);
});

Deno.test("an unanswered ask names its request and where it was asked", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const handlers = { sell: () => new Promise<void>(() => {}) };
  const shop = far.serve("shop", handlers);
  async function buyer() {
    await client<typeof handlers>(near, shop.ref).sell({}, { timeout: 1 });
  }
  const late = await buyer().catch((error) => error);
  assert.ok(late instanceof TimeoutError);
  assert.equal(late.message, "no answer from shop@far to sell within 1 ms");
  assert.match(late.stack!, /^TimeoutError: no answer .*\n {4}at async buyer \(/);
  async function loser() {
    await near.ask(shop.ref, { type: "sell" });
  }
  const lost = loser().catch((error) => error);
  const alsoLost = near.ask(shop.ref, { type: "sell" }).catch((error: Error) => error.stack);
  near.disconnected(far.id, new DisconnectedError("far was lost", { cause: "rain" }));
  const { name, message, cause, stack } = await lost;
  assert.deepEqual([name, message, cause], ["DisconnectedError", "far was lost", "rain"]);
  assert.match(stack, /^DisconnectedError: far was lost\n {4}at async loser \(/);
  assert.doesNotMatch(String(await alsoLost), /loser/);
});
