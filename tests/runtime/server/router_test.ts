import assert from "node:assert/strict";
import type { ActorServer } from "../../../runtime/server/actor_server.ts";
import { on, onShutdown } from "../../../runtime/actor/cases.ts";
import { moveClock } from "../../fake_clock.ts";
import { CapturedLogs, eventually } from "./captured_logs.ts";
import { anyPort, LocalEnsemble, refTo } from "./local_ensemble.ts";
import { Proxy } from "./proxy.ts";

/** Starts an actor that keeps the `n` of every message that it is told. */
function collect(server: ActorServer): number[] {
  const got: number[] = [];
  server.actors.spawn(
    "sink",
    (self) => self.loop([on("n", ({ n }: { n: number }) => got.push(n)), onShutdown()]),
  );
  return got;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Tells a server's sink the numbers up to `count`, in bursts; some as asks for good measure. */
async function talk(from: ActorServer, to: string, count: number): Promise<void> {
  const sink = refTo(to, "sink");
  for (let n = 0; n < count; n++) {
    from.actors.tell(sink, { type: "n", n });
    if (Math.random() < 0.2) await pause(Math.random() * 2);
  }
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

Deno.test("two servers that dial each other at once end with one connection and lose nothing", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  await Promise.all(Array.from({ length: 60 }, async (_, round) => {
    const [one, other] = [`one${round}`, `other${round}`];
    const pair = await Promise.all([ensemble.start(one), ensemble.start(other)]);
    const [a, b] = pair;
    const [atA, atB] = [collect(a), collect(b)];
    const head = Math.random() * 3 - 1.5;
    await Promise.all([
      pause(Math.max(0, head)).then(() => talk(a, other, 20)),
      pause(Math.max(0, -head)).then(() => talk(b, one, 20)),
    ]);
    await eventually(() => atA.length >= 20 && atB.length >= 20, `round ${round}`);
    assert.deepEqual(atA, numbers(20));
    assert.deepEqual(atB, numbers(20));
    assert.deepEqual(LocalEnsemble.peers(a), [other, "registry"]);
    assert.deepEqual(LocalEnsemble.peers(b), [one, "registry"]);
    await Promise.all(pair.map((server) => ensemble.stop(server)));
  }));
  assert.deepEqual(logs.complaints, []);
});

/** Makes every proof take a while, as on a machine that is busy. */
function slowProofs(): Disposable {
  const { subtle } = crypto;
  const sign = subtle.sign;
  subtle.sign = async (...parameters: Parameters<SubtleCrypto["sign"]>) => {
    await pause(Math.random() * 25);
    return await sign.apply(subtle, parameters);
  };
  return { [Symbol.dispose]: () => void (subtle.sign = sign) };
}

/** Lets pairs of servers meet over ways of their own that are cut between the rounds. */
async function meetOverAndOver(
  options: { pairs: number; rounds: number; delay: number; head: number },
): Promise<void> {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const delay = () => Math.random() < 0.5 ? 0 : Math.random() * options.delay;
  await Promise.all(Array.from({ length: options.pairs }, async (_, pairNumber) => {
    const [one, other] = [`one${pairNumber}`, `other${pairNumber}`];
    const way = (id: string) =>
      Proxy.start({ at: ensemble.socket(`${id}.way`), target: ensemble.socket(id), delay });
    using toOne = await way(one);
    using toOther = await way(other);
    const [a, b] = await Promise.all([
      ensemble.start(one, { announce: [toOne.address] }),
      ensemble.start(other, { announce: [toOther.address] }),
    ]);
    const [atA, atB] = [collect(a), collect(b)];
    for (let round = 0; round < options.rounds; round++) {
      const head = (Math.random() - 0.5) * options.head;
      await Promise.all([
        pause(Math.max(0, head)).then(() => talk(a, other, 10)),
        pause(Math.max(0, -head)).then(() => talk(b, one, 10)),
      ]);
      await eventually(
        () => atA.length >= 10 && atB.length >= 10,
        `pair ${pairNumber} round ${round}: ${atA} | ${atB}`,
      );
      await pause(5);
      assert.deepEqual(atA.splice(0), numbers(10), `round ${round}`);
      assert.deepEqual(atB.splice(0), numbers(10), `round ${round}`);
      await eventually(() => toOne.connections + toOther.connections === 1, "one connection");
      assert.deepEqual(LocalEnsemble.peers(a), [other, "registry"]);
      assert.deepEqual(LocalEnsemble.peers(b), [one, "registry"]);
      toOne.cut();
      toOther.cut();
      await eventually(
        () => a.connections().length === 1 && b.connections().length === 1,
        "both see that the way is cut",
      );
    }
    await Promise.all([ensemble.stop(a), ensemble.stop(b)]);
  }));
  assert.deepEqual(logs.complaints, []);
}

Deno.test("the same over ways that are slow at random, hundreds of times", async () => {
  await meetOverAndOver({ pairs: 12, rounds: 25, delay: 4, head: 16 });
});

Deno.test("the same while proofs take their time", async () => {
  using _ = slowProofs();
  await meetOverAndOver({ pairs: 12, rounds: 15, delay: 1, head: 60 });
});

Deno.test("the connection is made when it is needed, and by whoever needs it", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  assert.deepEqual(LocalEnsemble.peers(a), ["registry"]);
  assert.deepEqual(await a.actors.ask(refTo("b", "server"), { type: "ping" }), "OK");
  assert.deepEqual(LocalEnsemble.peers(a), ["b", "registry"]);
  assert.deepEqual(LocalEnsemble.peers(b), ["a", "registry"]);
  // Connecting again, from either side, is no more than that.
  await Promise.all([a.connect(b.id), b.connect(a.id)]);
  assert.equal(a.connections().length, 2);
});

Deno.test("a thousand messages sent before there is a connection arrive in order", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  const got = collect(b);
  for (let n = 0; n < 1000; n++) a.actors.tell(refTo("b", "sink"), { type: "n", n });
  await eventually(() => got.length >= 1000, "all arrive");
  assert.deepEqual(got, numbers(1000));
});

Deno.test("an ask of an actor that is not there is answered at once", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  await assert.rejects(
    a.actors.ask(refTo("b", "nosuch"), { type: "ping" }),
    { name: "ActorError", message: "unknown actor: nosuch@b" },
  );
});

Deno.test("a lost connection fails what waits for an answer, at once and by its name", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  using way = await Proxy.start({ at: ensemble.socket("way"), target: ensemble.socket("b") });
  const [a, b] = await Promise.all([
    ensemble.start("a"),
    ensemble.start("b", { announce: [way.address] }),
  ]);
  b.actors.serve("slow", { wait: () => new Promise(() => {}) }, { concurrent: true });
  await a.connect(b.id);
  const asks = [1, 2, 3].map(() =>
    assert.rejects(
      a.actors.ask(refTo("b", "slow"), { type: "wait" }, { timeout: Infinity }),
      { name: "DisconnectedError", message: "the connection to b was lost: the peer closed it" },
    )
  );
  await a.actors.ask(refTo("b", "slow"), { type: "ping" });
  way.cut();
  await Promise.all(asks);
  // And the next one connects again.
  assert.equal(await a.actors.ask(refTo("b", "slow"), { type: "ping" }), "OK");
});

Deno.test("whoever hears of a loss may send at once, and that is tried anew", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  const tried: unknown[] = [];
  const actor = a.actors.spawn("watcher", async (self) => {
    self.monitor(refTo("b", "server"));
    // In the reaction itself: no turn of the event loop later than the news.
    await self.receive([
      on(
        "down",
        () => self.ask(refTo("b", "server"), { type: "ping" }).catch((e) => tried.push(e)),
      ),
    ]);
  });
  await actor.ended;
  assert.match(
    `${tried[0]}`,
    /^DisconnectedError: cannot reach b: the registry knows no server b$/,
  );
});

Deno.test("what was only told and cannot be sent costs one line in the log", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  for (let n = 0; n < 100; n++) a.actors.tell(refTo("nosuch", "sink"), { type: "n", n });
  await eventually(() => logs.complaints.length > 0, "a line");
  await pause(50);
  assert.equal(logs.complaints.length, 1, logs.complaints.join("\n"));
  assert.match(
    logs.complaints[0]!,
    /^WARN server: cannot reach nosuch: the registry knows no server nosuch; messages for it are dropped$/,
  );
});

Deno.test("addresses are believed until they fail, and then asked for again", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  let b = await ensemble.start("b", { listen: [anyPort()] });
  await a.connect(b.id);
  await ensemble.stop(b);
  b = await ensemble.start("b", { listen: [anyPort()] });
  assert.equal(await a.actors.ask(refTo("b", "server"), { type: "ping" }), "OK");
});

Deno.test("an address where another server answers by now is as good as none", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  const b = await ensemble.start("b", { listen: [anyPort()] });
  const [address] = b.entry.addresses;
  await a.connect(b.id);
  await ensemble.stop(b);
  await ensemble.start("c", { listen: [address!] });
  await ensemble.start("b", { listen: [anyPort()] });
  await a.connect(b.id);
  assert.deepEqual(LocalEnsemble.peers(a), ["b", "registry"]);
});

Deno.test("of several addresses the first that works is used, and all that failed are named", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  const [dead] = [ensemble.socket("gone")];
  const b = await ensemble.start("b", { announce: [dead, ensemble.socket("b")] });
  await a.connect(b.id);
  await ensemble.start("c", {
    announce: [dead, { kind: "unix", host: "elsewhere", path: "/c" }, ensemble.socket("b")],
  });
  await assert.rejects(a.connect(refTo("c", "").server), (error: Error) => {
    assert.equal(error.name, "DisconnectedError");
    assert.match(
      error.message,
      /^cannot reach c: unix:\S+\/gone: no such socket; unix:\S+\/b: (this is server b, not c|server b answers there, not c)$/,
    );
    return true;
  });
});

Deno.test("a server whose addresses are all of another host: the error says so", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  await ensemble.start("b", { announce: [{ kind: "unix", host: "elsewhere", path: "/b" }] });
  await assert.rejects(a.connect(refTo("b", "").server), {
    message: "cannot reach b: the registry knows no address of it that leads there from here",
  });
});

Deno.test("a server that restarts under its id is reached, by those who knew the old one too", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  for (let life = 0; life < 3; life++) {
    const b = await ensemble.start("b");
    b.actors.serve("life", { get: () => life });
    assert.equal(await a.actors.ask(refTo("b", "life"), { type: "get" }), life);
    assert.deepEqual(LocalEnsemble.peers(a), ["b", "registry"]);
    await ensemble.stop(b);
  }
});

Deno.test("nobody takes the id of a server that lives and is connected", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const b = await ensemble.start("b");
  const { instance } = b.entry;
  await assert.rejects(
    ensemble.start("b", { listen: [anyPort()] }),
    /: cannot reach registry: unix:\S+: another instance is registered as b \(pid \d+ on host \S+\): [0-9a-f]{16}$/,
  );
  assert.equal(logs.complaints.length, 1);
  assert.match(
    logs.complaints[0]!,
    /^WARN server: refused a connection from unix:.* another instance is registered as b/,
  );
  assert.deepEqual(LocalEnsemble.peers(registry), ["b"]);
  const entry = await b.actors.ask<{ instance: Uint8Array }>(
    refTo("registry", "registry"),
    { type: "lookup", id: "b" },
  );
  assert.deepEqual(entry.instance, instance);
});

Deno.test("a server that cannot reach the registry says where it tried, and what to do", async () => {
  await using ensemble = new LocalEnsemble();
  const expected =
    /^DisconnectedError: cannot reach registry: unix:\S+\/registry: no such socket; start a registry with: gxensemble registry$/;
  await assert.rejects(ensemble.start("a"), expected);
  const console = await ensemble.startConsole();
  await assert.rejects(
    console.actors.ask(refTo("registry", "registry"), { type: "list" }),
    expected,
  );
  await assert.rejects(
    console.connect(refTo("b", "").server),
    /: cannot reach b: cannot reach registry: unix:\S+\/registry: no such socket; start a registry with: gxensemble registry$/,
  );
});

Deno.test("a registry of another ensemble is not one to be started", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  await assert.rejects(
    ensemble.start("a", { cookie: new Uint8Array(32) }),
    /: cannot reach registry: unix:\S+: authentication failed between registry and a: their cookies differ$/,
  );
});

Deno.test("a server that is not registered answers on the connection that it opened", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  const console = await ensemble.startConsole();
  const atConsole = collect(console);
  await console.connect(a.id);
  a.actors.tell(refTo("console", "sink"), { type: "n", n: 1 });
  await eventually(() => atConsole.length === 1, "the message");
});

Deno.test("a server that connects while it is looked up in vain is connected", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const a = await ensemble.start("a");
  const console = await ensemble.startConsole();
  const atConsole = collect(console);
  // The registry answers only when the console has come by itself.
  registry.actors.find("registry")!.exit();
  await registry.actors.find("registry")!.ended;
  const come = Promise.withResolvers<void>();
  registry.actors.serve("registry", { lookup: () => come.promise, remove: () => true });
  a.actors.tell(refTo("console", "sink"), { type: "n", n: 1 });
  await pause(10);
  await console.connect(a.id, [ensemble.socket("a")]);
  await eventually(() => atConsole.length === 1, "the first message");
  come.resolve();
  await pause(20);
  assert.deepEqual(LocalEnsemble.peers(a), ["console", "registry"]);
  a.actors.tell(refTo("console", "sink"), { type: "n", n: 2 });
  await eventually(() => atConsole.length === 2, "the second message");
});

Deno.test("addresses given for the registry do not expire either", async () => {
  await using ensemble = new LocalEnsemble();
  const port = await ensemble.startRegistry(undefined, { listen: [anyPort()] });
  const console = await ensemble.startConsole();
  await console.connect(port.id, [...port.entry.addresses]);
  await console.actors.ask(refTo("registry", "registry"), { type: "list" });
  using _ = moveClock(6 * 60 * 1000);
  await ensemble.stop(port);
  await eventually(() => console.connections().length === 0, "the registry is gone");
  await assert.rejects(
    console.connect(port.id),
    /^DisconnectedError: cannot reach registry: tcp:\S+: connection refused/,
  );
});
