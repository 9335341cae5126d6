import assert from "node:assert/strict";
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import type { Actor } from "../../../runtime/actor/actor.ts";
import type { Case } from "../../../runtime/actor/mailbox.ts";
import { ActorExit, on, onPing, onShutdown } from "../../../runtime/actor/cases.ts";
import { Envelope } from "../../../runtime/actor/messaging.ts";
import { ActorRef } from "../../../runtime/actor/references.ts";
import {
  ActorError,
  DisconnectedError,
  EnsembleError,
  InvalidInputError,
  NotAuthorizedError,
  TimeoutError,
} from "../../../runtime/errors.ts";
import { UnsendableError } from "../../../runtime/wire/encoder.ts";
import { CapturedLogs } from "../server/captured_logs.ts";
import { FakeTime, LinkedSystems, settle, startSystem } from "./linked_systems.ts";

/** Starts an actor that collects its messages. */
function startCollector(system: ActorSystem, name?: string) {
  const envelopes: Envelope[] = [];
  const any: Case = {
    matches: () => true,
    react: (_message, envelope) => void envelopes.push(envelope),
  };
  return { envelopes, actor: system.spawn(name, (self) => self.loop([any])) };
}

function startEcho(system: ActorSystem, name: string): Actor {
  return system.spawn(
    name,
    (self) =>
      self.loop([{
        matches: () => true,
        react: (message, envelope) => envelope.reply(message),
      }]),
  );
}

async function stop(...systems: ActorSystem[]): Promise<void> {
  const actors = systems.flatMap((system) => system.actors());
  for (const actor of actors) actor.exit();
  await Promise.all(actors.map(({ ended }) => ended));
}

Deno.test("an actor is found by name, number, reference and as an object", async () => {
  const system = startSystem();
  const actor = startEcho(system, "echo");
  assert.equal(`${actor.ref}`, "echo@here");
  assert.equal(system.find("echo"), actor);
  assert.equal(system.find(actor.serial), actor);
  const byNumber = new ActorRef(system.id, actor.serial);
  for (const dest of ["echo", actor.serial, actor.ref, byNumber, actor]) {
    assert.equal(await system.ask(dest, "hello"), "hello");
  }
  const nameless = system.spawn(undefined, (self) => self.loop([onPing]));
  assert.equal(nameless.ref.actor, nameless.serial);
  assert.equal(await system.ask(nameless.ref, { type: "ping" }), "OK");
  assert.deepEqual(system.actors(), [actor, nameless]);
  await stop(system);
  assert.deepEqual(system.actors(), []);
});

Deno.test("spawn refuses invalid names", () => {
  const system = startSystem();
  for (const name of ["", " ", "a b", "5", "5a", "a\tb", "a\n", "\u00a0a", "x".repeat(129)]) {
    assert.throws(() => system.spawn(name, () => {}), (error) => {
      assert.ok(error instanceof InvalidInputError);
      assert.ok(error.message.startsWith(`not an actor name: ${JSON.stringify(name)}: `));
      return true;
    });
  }
  assert.deepEqual(system.actors(), []);
});

Deno.test("spawn accepts names with any other characters", async () => {
  const system = startSystem();
  for (const name of ["a", "x".repeat(128), "ü", "-a", "__proto__", "constructor", "a5/b:c"]) {
    const actor = startEcho(system, name);
    assert.equal(await system.ask(name, 1), 1);
    assert.equal(actor.name, name);
  }
  await stop(system);
});

Deno.test("a name belongs to one living actor, and is free once the actor has ended", async () => {
  const system = startSystem();
  const first = startEcho(system, "name");
  assert.throws(() => system.spawn("name", () => {}), (error) => {
    assert.ok(error instanceof EnsembleError);
    assert.equal(error.message, "cannot start actor name: one of that name is running in here");
    return true;
  });
  assert.equal(await system.ask("name", 1), 1);
  await stop(system);
  const second = startEcho(system, "name");
  assert.notEqual(second.serial, first.serial);
  assert.equal(await system.ask("name", 2), 2);
  await assert.rejects(
    system.ask(new ActorRef(system.id, first.serial), 3),
    /unknown actor: \d+@here/,
  );
  await stop(system);
});

Deno.test("a body starts after spawn returns, and the actor gets messages sent before", async () => {
  const system = startSystem();
  let begun = false;
  const received: unknown[] = [];
  const actor = system.spawn("late", async (self) => {
    begun = true;
    received.push(await self.receive([on("a", (message) => message)]));
  });
  assert.equal(begun, false);
  system.tell("late", { type: "a" });
  await actor.ended;
  assert.deepEqual(received, [{ type: "a" }]);
});

Deno.test("a body that throws at once fails the actor, not spawn", async () => {
  const system = startSystem();
  const error = new Error("at once");
  const actor = system.spawn("a", () => {
    throw error;
  });
  assert.equal(await actor.ended, error);
  await settle();
  assert.equal(system.find("a"), undefined);
});

Deno.test("tell returns a unique nonce, and undefined for a missing actor", async () => {
  const system = startSystem();
  const { actor, envelopes } = startCollector(system, "a");
  const nonces = [1, 2, 3].map((n) => system.tell("a", n)!);
  assert.equal(new Set(nonces).size, 3);
  await settle();
  assert.deepEqual(envelopes.map(({ nonce }) => nonce), nonces);
  assert.equal(envelopes[0]!.replyExpected, false);
  assert.equal(`${envelopes[0]!.source}`, "server@here");
  await stop(system);
  for (const dest of ["a", "nobody", 999, actor, actor.ref]) {
    assert.equal(system.tell(dest, 1), undefined);
  }
});

Deno.test("an envelope names its sender", async () => {
  const system = startSystem();
  const { envelopes } = startCollector(system, "a");
  const sender = system.spawn("sender", (self) => {
    self.tell("a", 1);
    self.ask("a", 2).catch(() => {});
  });
  await sender.ended;
  await settle();
  assert.deepEqual(envelopes.map(({ source }) => `${source}`), ["sender@here", "sender@here"]);
  assert.deepEqual(envelopes.map(({ replyExpected }) => replyExpected), [false, true]);
  await stop(system);
  system.close();
});

Deno.test("an ask resolves with any answer", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const echo = startEcho(far, "echo");
  for (const system of [near, far]) {
    for (const value of [undefined, null, false, 0, "", [1n], new Map([[1, new Error("x")]])]) {
      assert.deepEqual(await system.ask(echo.ref, value), value);
    }
  }
  await stop(far);
});

Deno.test("an ask rejects with the name and message of a failure", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const { ref } = far.spawn("fails", (self) =>
    self.loop([{
      matches: () => true,
      react: (message, envelope) => envelope.fail(message),
    }]));
  const cases: [unknown, string, string][] = [
    [new TypeError("wrong"), "wrong", "TypeError"],
    ["a text", "a text", "Error"],
    [{ code: 5 }, "{ code: 5 }", "Error"],
    [undefined, "undefined", "Error"],
  ];
  for (const system of [near, far]) {
    for (const [thrown, message, name] of cases) {
      await assert.rejects(system.ask(ref, thrown), (error) => {
        assert.ok(error instanceof ActorError);
        assert.deepEqual([error.message, error.remoteName], [message, name]);
        return true;
      });
    }
  }
  await stop(far);
});

Deno.test("an ask settles for any malformed failure from a peer", async () => {
  using time = new FakeTime();
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const { actor, envelopes } = startCollector(far, "rogue");
  for (const failure of [null, undefined, 5, "text", [], { message: null }]) {
    const answer = near.ask(actor.ref, "question");
    const rejected = assert.rejects(answer, ActorError);
    await settle();
    const { nonce } = envelopes.pop()!;
    near.deliver(new Envelope(failure, "server", actor.ref, 5, nonce, undefined, false, true));
    await rejected;
  }
  assert.equal(time.referenced, 0);
  await stop(far);
});

Deno.test("a promise as answer is awaited, within a server and between servers", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const refuse = () => {
    throw new RangeError("refused");
  };
  const answers: [unknown, string][] = [
    [Promise.resolve("value"), "value"],
    [Promise.reject(new RangeError("refused")), "RangeError: refused"],
    [Object.defineProperty({}, "then", { get: refuse }), "RangeError: refused"],
  ];
  for (const [answer, expected] of answers) {
    const { ref } = far.spawn(undefined, (self) =>
      self.loop([{
        matches: () => true,
        react: (_message, envelope) => envelope.reply(answer),
      }]));
    for (const system of [far, near]) {
      const got = await system.ask(ref, "question")
        .catch(({ remoteName, message }: ActorError) => `${remoteName}: ${message}`);
      assert.equal(got, expected);
    }
  }
  await stop(far);
});

Deno.test("an ask times out when its answer is a promise that never settles", async () => {
  using time = new FakeTime();
  const system = startSystem();
  system.spawn("a", (self) =>
    self.loop([{
      matches: () => true,
      react: (_message, envelope) => envelope.reply(new Promise(() => {})),
    }]));
  const rejected = assert.rejects(system.ask("a", "question", { timeout: 100 }), TimeoutError);
  await time.pass(100);
  await rejected;
  await stop(system);
});

Deno.test("an ask of a missing actor is refused at once, on the same server and on another", async () => {
  using time = new FakeTime();
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  for (const dest of ["nobody", 999]) {
    for (const system of [near, far]) {
      await assert.rejects(system.ask(new ActorRef(far.id, dest), 1), {
        name: "ActorError",
        message: `unknown actor: ${dest}@far`,
      });
    }
    await assert.rejects(near.ask(dest, 1), { message: `unknown actor: ${dest}@near` });
  }
  assert.equal(time.referenced, 0);
});

Deno.test("a message to a missing actor on another server is dropped silently", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  assert.notEqual(near.tell(new ActorRef(far.id, "nobody"), 1), undefined);
  await settle();
  assert.equal(systems.sent.length, 1);
});

Deno.test("an ask of an unreachable server is refused at once", async () => {
  const systems = new LinkedSystems();
  const near = systems.start("near");
  const ref = new ActorRef("nosuch", "a");
  await assert.rejects(near.ask(ref, 1), (error) => {
    assert.ok(error instanceof DisconnectedError);
    assert.equal(error.message, "nosuch cannot be reached");
    return true;
  });
  assert.equal(near.tell(ref, 1), undefined);
});

Deno.test("an ask times out without an answer, and its error names the actor", async () => {
  using time = new FakeTime();
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const { actor } = startCollector(far, "silent");
  const outcomes: string[] = [];
  const ask = (system: ActorSystem, timeout?: number) =>
    system.ask(actor.ref, 1, { timeout }).catch((error) => {
      assert.ok(error instanceof TimeoutError);
      outcomes.push(error.message);
    });
  ask(near);
  ask(far);
  ask(near, 20);
  const patient = near.ask(actor.ref, 1, { timeout: Infinity });
  await time.pass(19);
  assert.deepEqual(outcomes, []);
  await time.pass(1);
  assert.deepEqual(outcomes, ["no answer from silent@far within 20 ms"]);
  await time.pass(4979);
  assert.equal(outcomes.length, 1);
  await time.pass(1);
  const late = "no answer from silent@far within 5000 ms";
  assert.deepEqual(outcomes.slice(1), [late, late]);
  await time.pass(1e9);
  assert.equal(outcomes.length, 3);
  assert.equal(time.timers, 0);
  near.close();
  await assert.rejects(patient, DisconnectedError);
  await stop(far);
});

Deno.test("an expired request is dropped unread", async () => {
  using time = new FakeTime();
  const system = startSystem();
  const gate = Promise.withResolvers<void>();
  const taken: unknown[] = [];
  system.spawn("busy", async (self) => {
    await gate.promise;
    await self.loop([{ matches: () => true, react: (message) => void taken.push(message) }]);
  });
  const answer = system.ask("busy", "stale", { timeout: 10 });
  system.ask("busy", "patient", { timeout: Infinity }).catch(() => {});
  await assert.rejects(Promise.all([answer, time.pass(10)]), TimeoutError);
  gate.resolve();
  await settle();
  assert.deepEqual(taken, ["patient"]);
  await stop(system);
  system.close();
});

Deno.test("a late answer is not put into a mailbox", async () => {
  using time = new FakeTime();
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  for (const system of [near, far]) {
    const { actor: slow, envelopes } = startCollector(system, "slow");
    const asker = startCollector(near, "asker");
    await settle();
    const answer = asker.actor.ask(slow.ref, "question", { timeout: 10 });
    await assert.rejects(Promise.all([answer, time.pass(10)]), TimeoutError);
    envelopes[0]!.reply("too late");
    envelopes[0]!.fail("too late");
    await settle();
    assert.deepEqual(asker.envelopes, []);
    assert.equal(asker.actor.mailboxLength, 0);
    await stop(near, far);
  }
});

Deno.test("a second answer to an ask is dropped", async () => {
  const system = startSystem();
  const asker = startCollector(system, "asker");
  system.spawn("twice", (self) =>
    self.receive([{
      matches: () => true,
      react: (_message, envelope) => {
        envelope.reply("first");
        envelope.reply("second");
      },
    }]) as Promise<void>);
  assert.equal(await asker.actor.ask("twice", "question"), "first");
  await settle();
  assert.deepEqual(asker.envelopes, []);
  await stop(system);
});

Deno.test("an answer from a server that was not asked is ignored", async () => {
  const systems = new LinkedSystems();
  const [near, far, foe] = ["near", "far", "foe"].map((name) => systems.start(name));
  const { actor, envelopes } = startCollector(far!, "slow");
  const answer = near!.ask(actor.ref, "question", { timeout: Infinity });
  await settle();
  const { nonce } = envelopes[0]!;
  for (const replyTo of [nonce, nonce - 2, nonce + 2, NaN, 0]) {
    for (const failed of [true, false]) {
      const source = new ActorRef(foe!.id, "slow");
      near!.deliver(
        new Envelope("a lie", "server", source, 5, replyTo, undefined, false, failed),
      );
    }
  }
  envelopes[0]!.reply("the truth");
  assert.equal(await answer, "the truth");
  await stop(far!);
});

Deno.test("an ask can be aborted before it is sent and while it waits", async () => {
  using time = new FakeTime();
  const system = startSystem();
  const { envelopes } = startCollector(system, "silent");
  const reason = new Error("enough");
  await assert.rejects(system.ask("silent", 1, { signal: AbortSignal.abort(reason) }), reason);
  await settle();
  assert.equal(envelopes.length, 0, "nothing was sent");
  const controller = new AbortController();
  const answer = system.ask("silent", 2, { signal: controller.signal });
  await settle();
  controller.abort(reason);
  await assert.rejects(answer, reason);
  assert.equal(time.referenced, 0);
  envelopes[0]!.reply("too late");
  await stop(system);
});

Deno.test("an ask that is aborted while it is sent does not wait", async () => {
  const system = startSystem();
  const controller = new AbortController();
  const reason = new Error("enough");
  system.spawn("guarded", (self) =>
    self.loop([{
      matches: () => {
        controller.abort(reason);
        return false;
      },
      react: () => {},
    }]));
  await settle();
  await assert.rejects(
    system.ask("guarded", 1, { signal: controller.signal, timeout: Infinity }),
    reason,
  );
  await stop(system);
});

Deno.test("a signal that outlives its asks holds no reference to them", async () => {
  const system = startSystem();
  startEcho(system, "echo");
  let listeners = 0;
  const { signal } = new AbortController();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: unknown[]) => {
    listeners++;
    addEventListener.apply(signal, args as never);
  };
  signal.removeEventListener = (...args: unknown[]) => {
    listeners--;
    removeEventListener.apply(signal, args as never);
  };
  for (let i = 0; i < 10; i++) await system.ask("echo", i, { signal });
  await assert.rejects(system.ask("nobody", 1, { signal }));
  assert.equal(listeners, 0);
  await stop(system);
});

Deno.test("an actor that ends answers the requests in its mailbox with its reason", async () => {
  const system = startSystem();
  for (
    const [error, expected] of [
      [undefined, "a@here has ended"],
      [new Error("broken"), "a@here has ended: broken"],
    ] as const
  ) {
    const gate = Promise.withResolvers<void>();
    system.spawn("a", async () => {
      await gate.promise;
      if (error) throw error;
    });
    const answers = Promise.allSettled([1, 2, 3].map((n) => system.ask("a", n)));
    system.tell("a", 4);
    await settle();
    gate.resolve();
    for (const answer of await answers) {
      const { reason } = answer as PromiseRejectedResult;
      assert.ok(reason instanceof ActorError);
      assert.equal(reason.message, expected);
    }
    await assert.rejects(system.ask("a", 5), /unknown actor: a@here/);
  }
});

Deno.test("an actor that ends while it waits for an answer affects no other", async () => {
  const system = startSystem();
  const { envelopes } = startCollector(system, "slow");
  const asker = system.spawn("asker", (self) => {
    self.ask("slow", "question").catch(() => {});
  });
  await asker.ended;
  await settle();
  envelopes[0]!.reply("answer");
  await stop(system);
});

Deno.test("reply answers an ask and a tell that expects an answer, and nothing else", async () => {
  const system = startSystem();
  const asker = startCollector(system, "asker");
  system.spawn("a", (self) =>
    self.loop([{
      matches: () => true,
      react: (message, envelope) => envelope.reply(message),
    }]));
  await settle();
  asker.actor.tell("a", 1);
  assert.equal(await asker.actor.ask("a", 2), 2);
  const nonce = asker.actor.tell("a", 3, { replyExpected: true });
  await settle();
  assert.deepEqual(asker.envelopes.map(({ message, replyTo }) => [message, replyTo]), [[3, nonce]]);
  // The nonces of asks are even, so an answer to this one is not an answer to an ask.
  assert.equal(asker.envelopes[0]!.nonce % 2, 1);
  await stop(system);
});

Deno.test("a value that cannot be sent to another server is refused at the sender", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const { actor } = startCollector(far, "a");
  const message = { list: [() => 1] };
  assert.throws(() => near.tell(actor.ref, message), UnsendableError);
  await assert.rejects(near.ask(actor.ref, message), UnsendableError);
  assert.equal(systems.sent.length, 0);
  await stop(far);
});

Deno.test("a message within a server is the sender's own value", async () => {
  const system = startSystem();
  const { envelopes } = startCollector(system, "a");
  const message = { run: () => 1 };
  system.tell("a", message);
  await settle();
  assert.equal(envelopes[0]!.message, message);
  await stop(system);
});

Deno.test("a reference, or an object with one, is a destination, even on another server", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  startEcho(near, "echo");
  const { actor, envelopes } = startCollector(far, "echo");
  near.tell({ ref: actor.ref }, "for the far one");
  near.tell(actor, "for the far one too");
  await settle();
  assert.equal(envelopes.length, 2);
  await stop(near, far);
});

Deno.test("a lost server fails its own asks only", async () => {
  using time = new FakeTime();
  const systems = new LinkedSystems();
  const [near, far, other] = ["near", "far", "other"].map((name) => systems.start(name));
  const [lost, kept] = [far!, other!].map((system) => startCollector(system, "a"));
  const failing = [1, 2].map((n) => near!.ask(lost!.actor.ref, n));
  const fine = near!.ask(kept!.actor.ref, 3);
  await settle();
  const reason = new DisconnectedError("far was lost");
  near!.disconnected(far!.id, reason);
  for (const each of await Promise.allSettled(failing)) {
    assert.deepEqual((each as PromiseRejectedResult).reason, reason);
  }
  kept!.envelopes[0]!.reply("fine");
  assert.equal(await fine, "fine");
  assert.equal(time.referenced, 0);
  await stop(far!, other!);
});

Deno.test("a closing system fails everything that waits", async () => {
  const system = startSystem();
  startCollector(system, "silent");
  const answers = Promise.allSettled([1, 2].map((n) => system.ask("silent", n)));
  await settle();
  system.close();
  for (const each of await answers) {
    const { reason } = each as PromiseRejectedResult;
    assert.ok(reason instanceof DisconnectedError);
    assert.equal(reason.message, "here is stopping");
  }
  await stop(system);
});

Deno.test("stopActors sends shutdown to all actors except those kept, and ends the rest after the grace", async () => {
  using time = new FakeTime();
  const system = startSystem();
  const order: string[] = [];
  const polite = system.spawn(
    "polite",
    (self) => self.loop([onShutdown(() => void order.push("cleaned up"))]),
  );
  const deaf = system.spawn("deaf", (self) => self.loop([onPing]));
  const kept = system.spawn("kept", (self) => self.loop([onShutdown()]));
  await settle();
  const stopped = system.stopActors(1000, new Set([kept])).then(() => order.push("stopped"));
  await time.pass(999);
  assert.deepEqual(order, ["cleaned up"]);
  assert.equal(polite.activity, "dead");
  assert.equal(deaf.activity, "receiving");
  await time.pass(1);
  await stopped;
  await deaf.ended;
  await settle();
  assert.equal(deaf.activity, "dead");
  assert.equal(kept.activity, "receiving");
  assert.deepEqual(system.actors(), [kept]);
  assert.equal(time.timers, 0);
  await stop(system);
});

Deno.test("stopActors returns when the last actor has ended", async () => {
  using time = new FakeTime();
  const system = startSystem();
  for (let i = 0; i < 3; i++) system.spawn(undefined, (self) => self.loop([onShutdown()]));
  await settle();
  await system.stopActors(1e9, new Set());
  assert.equal(time.timers, 0);
  await settle();
  assert.deepEqual(system.actors(), []);
});

Deno.test("kill ends an actor that does not receive, and fails its asks at once", async () => {
  const system = startSystem();
  const gate = Promise.withResolvers<void>();
  const { actor: watcher, envelopes } = startCollector(system, "watcher");
  const received: unknown[] = [];
  const stuck = system.spawn("stuck", (self) =>
    self.loop([{
      matches: () => true,
      async react(message, envelope) {
        received.push(message);
        await gate.promise;
        envelope.reply("too late");
      },
    }]));
  const monitor = watcher.monitor(stuck.ref);
  const answers = Promise.allSettled([1, 2, 3].map((n) => system.ask("stuck", n)));
  await settle();
  assert.deepEqual(received, [1]);
  const { signal } = stuck;
  using logs = await CapturedLogs.start();

  assert.equal(system.kill("stuck"), true);
  assert.equal(stuck.activity, "dead");
  assert.equal(system.find("stuck"), undefined);
  assert.equal(system.find(stuck.serial), undefined);
  assert.ok(!system.root.actors.includes(stuck));
  assert.equal(stuck.mailboxLength, 0);
  assert.ok(signal.aborted);
  assert.ok(await stuck.ended instanceof ActorExit);
  for (const answer of await answers) {
    const { reason } = answer as PromiseRejectedResult;
    assert.equal(reason.message, "stuck@here has ended: killed");
  }
  await settle();
  assert.deepEqual(envelopes.map(({ message }) => message), [
    { type: "down", monitor, ref: stuck.ref, reason: "killed" },
  ]);

  assert.deepEqual(logs.complaints, ["WARN actor: stuck@here is killed"]);
  // The name belongs to another actor now, even when the first one's body ends.
  const second = startCollector(system, "stuck");
  gate.resolve();
  await settle();
  system.tell("stuck", "to the second");
  await settle();
  assert.deepEqual(second.envelopes.map(({ message }) => message), ["to the second"]);
  assert.equal(envelopes.length, 1);
  assert.deepEqual(received, [1]);
  await assert.rejects(stuck.receive([]), ActorExit);
  assert.equal(system.kill("nobody"), false);
  await stop(system);
});

Deno.test("a killed actor's name is free at once, and stays with the next actor", async () => {
  const system = startSystem();
  startCollector(system, "name");
  await settle();
  system.kill("name");
  const { actor, envelopes } = startCollector(system, "name");
  await settle();
  assert.equal(system.find("name"), actor);
  system.tell("name", "to the second");
  await settle();
  assert.equal(envelopes.length, 1);
  await stop(system);
});

Deno.test("a request is answered once, even if its actor is killed or fails afterwards", async () => {
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  const body = (after: () => Promise<never>) => (self: Actor) =>
    self.loop([{
      matches: () => true,
      react: (_message, envelope) => {
        envelope.reply("answered");
        return after();
      },
    }]);
  const failing = far.spawn(undefined, body(() => Promise.reject(new Error("afterwards"))));
  const stuck = far.spawn(undefined, body(() => new Promise(() => {})));
  for (const { ref } of [failing, stuck]) assert.equal(await near.ask(ref, 1), "answered");
  far.kill(stuck.serial);
  await settle();
  assert.equal(failing.activity, "dead");
  assert.equal(systems.sent.filter(({ to }) => to === near.id).length, 2);
});

Deno.test("kill ends an actor that waits in a receive", async () => {
  const system = startSystem();
  const caught: unknown[] = [];
  const actor = system.spawn("deaf", async (self) => {
    await self.receive([]).catch((error) => caught.push(error));
    throw new Error("after its end");
  });
  await settle();
  system.kill(actor.serial);
  await actor.ended;
  await settle();
  assert.deepEqual(caught.map(String), ["ActorExit: killed"]);
  assert.deepEqual(system.actors(), []);
});

Deno.test("a ping and a shutdown are handled before the messages that wait", async () => {
  const system = startSystem();
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const jobs: number[] = [];
  const handlers = {
    job: ({ n }: { n: number }) => {
      jobs.push(n);
      return gates[n]!.promise;
    },
  };
  const actor = system.serve("jobs", handlers);
  await settle();
  for (let n = 0; n < 1000; n++) system.tell("jobs", { type: "job", n });
  let answered = "";
  const pinged = system.ask<string>("jobs", { type: "ping" }).then((answer) => answered = answer);
  await settle();
  assert.equal(answered, "", "it takes no message while it handles one");
  gates[0]!.resolve();
  await pinged;
  assert.equal(answered, "OK");
  const down = system.ask("jobs", { type: "shutdown" });
  gates[1]!.resolve();
  assert.equal(await down, "OK");
  assert.equal(await actor.ended, undefined);
  assert.deepEqual(jobs, [0, 1]);
});

Deno.test("a shutdown that an actor handles itself precedes its backlog, which the actor can still process", async () => {
  const system = startSystem();
  const done: number[] = [];
  const gate = Promise.withResolvers<void>();
  const actor = system.spawn("careful", async (self) => {
    await gate.promise;
    const jobs = [on("job", ({ n }: { n: number }) => void done.push(n))];
    const shutdown = onShutdown(async () => {
      done.push(-1);
      let waiting = true;
      while (waiting) await self.receive(jobs, { timeout: 0, else: () => void (waiting = false) });
    });
    await self.loop([...jobs, shutdown]);
  });
  for (let n = 0; n < 3; n++) system.tell(actor, { type: "job", n });
  system.tell(actor, { type: "of no use" });
  const answer = system.ask(actor, { type: "shutdown" });
  gate.resolve();
  assert.equal(await answer, "OK");
  assert.equal(await actor.ended, undefined);
  assert.deepEqual(done, [-1, 0, 1, 2]);
});

Deno.test("an actor with a long backlog yields to the event loop", async () => {
  const { setTimeout } = globalThis;
  for (const how of ["loop", "receive"]) {
    using time = new FakeTime();
    const system = startSystem();
    let handled = 0;
    // Each takes 1 ms, as if it were computing.
    const cases = [on("job", () => {
      handled++;
      time.now++;
    })];
    const actor = system.spawn("busy", async (self) => {
      if (how === "loop") return await self.loop(cases);
      while (true) await self.receive(cases);
    });
    for (let n = 0; n < 2000; n++) system.tell(actor, { type: "job" });
    for (let turn = 1; turn <= 10; turn++) {
      const before = handled;
      await new Promise((resolve) => setTimeout(resolve));
      const inTurn = handled - before;
      assert.ok(inTurn <= 64, `${inTurn} messages in one turn`);
      assert.ok(turn === 1 || inTurn >= 25, `${inTurn} messages in one turn`);
    }
    const before = handled;
    actor.exit();
    await actor.ended;
    assert.equal(handled, before, "it takes no more once it is made to end");
  }
});

Deno.test("an actor without a backlog does not yield to the event loop", async () => {
  using time = new FakeTime();
  const system = startSystem();
  let handled = 0;
  const actor = system.spawn("quick", (self) =>
    self.loop([on("job", () => {
      handled++;
      time.now += 20;
    })]));
  await settle();
  for (let n = 1; n <= 100; n++) {
    system.tell(actor, { type: "job" });
    await settle();
    assert.equal(handled, n);
  }
  await stop(system);
});

Deno.test("a message that throws when it is read fails only its sender", async () => {
  const system = startSystem();
  const { envelopes } = startCollector(system, "a");
  await settle();
  const touchy = Object.defineProperty({}, "type", {
    get: () => {
      throw new Error("not to be looked at");
    },
  });
  assert.throws(() => system.tell("a", touchy), /not to be looked at/);
  await assert.rejects(system.ask("a", touchy, { timeout: Infinity }), /not to be looked at/);
  system.tell("a", "fine");
  await settle();
  assert.deepEqual(envelopes.map(({ message }) => message), ["fine"]);
  await stop(system);
});

Deno.test("a mailbox that grows long logs a warning that names the actor", async () => {
  using logs = await CapturedLogs.start();
  const system = startSystem();
  const actor = system.spawn("slow", (self) => self.loop([on("other", () => {})]));
  await settle();
  for (let n = 0; n < 20_000; n++) system.tell("slow", { type: "job" });
  assert.deepEqual(logs.complaints, [
    "WARN actor: slow@here does not keep up: 10000 messages wait in its mailbox",
    "WARN actor: slow@here does not keep up: 20000 messages wait in its mailbox",
  ]);
  actor.exit();
  await actor.ended;
});

Deno.test("a request without a timeout never expires", async () => {
  const system = startSystem();
  const { actor, envelopes } = startCollector(system, "a");
  const answers = [100, Infinity].map((timeout) => system.ask(actor, "question", { timeout }));
  await settle();
  assert.deepEqual(envelopes.map(({ timeout }) => timeout), [100, undefined]);
  for (const envelope of envelopes) envelope.reply();
  await Promise.all(answers);
  await stop(system);
});

Deno.test("tell and ask refuse an invalid destination, and ask an invalid timeout", async () => {
  const system = startSystem();
  for (const dest of [null, {}, [], new Date()] as unknown as Actor[]) {
    const refused = /^InvalidInputError: not an actor, nor the name of one: /;
    assert.throws(() => system.tell(dest, 1), refused);
    await assert.rejects(system.ask(dest, 1), refused);
  }
  for (const timeout of [null, "5", "x", NaN, -1, {}] as number[]) {
    await assert.rejects(
      system.ask("a", 1, { timeout }),
      /^InvalidInputError: not a timeout in ms: /,
    );
  }
});

Deno.test("a system without a route reaches no other server", async () => {
  const system = new ActorSystem("alone");
  const there = new ActorRef("there", "x");
  assert.equal(system.tell(there, "news"), undefined);
  await assert.rejects(system.ask(there, "a question"), DisconnectedError);
});

Deno.test("deliver accepts a shutdown from another server only if the guard allows it", async () => {
  const system = startSystem();
  const answers: unknown[] = [];
  system.route = {
    send: (_server, { message }) => answers.push((message as { message?: string }).message) > 0,
    silence: () => undefined,
  };
  const [job, part] = ["job", "part"].map((name) =>
    system.spawn(name, (self) => self.loop([onShutdown()]))
  );
  const source = new ActorRef("there", "x");
  const shutDown = (dest: string) =>
    system.deliver(
      new Envelope({ type: "shutdown" }, dest, source, 3, undefined, undefined, true, false),
    );
  system.guard = {
    allows: () => false,
    attempt: () => {
      throw new NotAuthorizedError("you may not");
    },
  };
  shutDown("job");
  system.guard = { allows: () => true, attempt: (_envelope, { work }) => work() };
  system.essential.add(part!);
  shutDown("part");
  shutDown("job");
  await job!.ended;
  assert.equal(part!.activity, "receiving");
  assert.deepEqual(answers, [
    "you may not",
    "part@here is a part of the server: shut the server down with: gxensemble shutdown here",
    undefined,
  ]);
  part!.exit();
});

Deno.test("ActorSystem.spawn and serve refuse a body or a handler that is no function", () => {
  const system = startSystem();
  for (const body of [undefined, null, 5, {}]) {
    assert.throws(() => system.spawn("a", body as never), {
      message: /^not the body of an actor: /,
      code: "INVALID_INPUT",
    });
    assert.throws(() => system.serve("a", { add: body } as never), {
      message: /^not a handler of a service: add is /,
    });
  }
  for (const handlers of [undefined, null, 5]) {
    assert.throws(
      () => system.serve("a", handlers as never),
      /^InvalidInputError: not the handlers/,
    );
  }
  assert.deepEqual(system.actors(), []);
});

Deno.test("ActorSystem.kill refuses a reason that is no text, and ends nothing", async () => {
  const system = startSystem();
  const actor = system.serve("a", { get: () => 1 });
  for (const reason of [5, null, Symbol("why"), {}]) {
    assert.throws(() => system.kill("a", reason as never), { code: "INVALID_INPUT" });
  }
  assert.equal(await system.ask("a", { type: "get" }), 1);
  system.kill("a", "why");
  await actor.ended;
});

Deno.test("ActorSystem.close ends the actors that are left, and starts none", async () => {
  const system = startSystem();
  const left = system.spawn("left", () => new Promise(() => {}));
  const waits = system.ask("left", { type: "any" }, { timeout: Infinity });
  const failed = assert.rejects(waits, { code: "SERVER_STOPPING" });
  system.close();
  await Promise.all([failed, left.ended]);
  assert.equal(left.signal.aborted, true);
  assert.throws(() => system.spawn("late", () => {}), {
    message: "cannot start actor late: here has stopped",
    code: "SERVER_STOPPING",
  });
  await assert.rejects(system.ask("a@elsewhere", {}), { code: "SERVER_STOPPING" });
});
