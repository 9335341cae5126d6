import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { on, onShutdown } from "../../../runtime/actor/cases.ts";
import { MemoryStore } from "../../../registry/local_store.ts";
import { ActorRef, REGISTRY_ID } from "../../../runtime/actor/references.ts";
import type { HandlersOf } from "../../../runtime/actor/service.ts";
import { ping } from "../../../runtime/ensemble/remote.ts";
import {
  type ChangesQuery,
  type OwnEntry,
  registryClient,
  type RegistryEntry,
  type RegistryHandlers,
} from "../../../runtime/server/registry_protocol.ts";
import { FIRST_PAUSE, LONGEST_PAUSE, Peer } from "../../../runtime/server/peers.ts";
import type { ActorServer } from "../../../runtime/server/actor_server.ts";
import type { ActorServerOptions } from "../../../runtime/server/actor_server_options.ts";
import { Refusal } from "../../../runtime/server/handshake_messages.ts";
import {
  type Address,
  hostName,
  type InternetAddress,
  type UnixAddress,
} from "../../../runtime/wire/address.ts";
import { SOCKET_CHECK_INTERVAL } from "../../../runtime/wire/limits.ts";
import { listenAt } from "../../../runtime/wire/transport.ts";
import { RoguePeer } from "../../rogue_peer.ts";
import { moveClock, stopClock } from "../../fake_clock.ts";
import { FOLLOWED_TIME } from "../../../runtime/server/registry_view.ts";
import { CapturedLogs, eventually } from "./captured_logs.ts";
import { ChildServer } from "./child_server.ts";
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
    await using toOne = await way(one);
    await using toOther = await way(other);
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

Deno.test("the connection is opened on demand, by either side", async () => {
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
  await using way = await Proxy.start({ at: ensemble.socket("way"), target: ensemble.socket("b") });
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

Deno.test("a caller that is notified of a loss may send at once, and a new connection is tried", async () => {
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
    /^DisconnectedError: cannot reach b: no server b is registered$/,
  );
});

/** A registry that notes what it is asked, and knows no changes. */
function notingRegistry(
  { lookups = [], queries = [] }: { lookups?: string[]; queries?: ChangesQuery[] },
): Partial<ActorServerOptions> {
  return {
    prepare({ actors }) {
      const entries = new Map<string, RegistryEntry>();
      const handlers: HandlersOf<
        Pick<RegistryHandlers, "register" | "renew" | "remove" | "lookup" | "changes">
      > = {
        register({ entry }) {
          entries.set(entry.id, { ...entry, revision: 1 });
          return { revision: 1, lease: 15_000 };
        },
        renew: () => true,
        remove: ({ id }) => entries.delete(id),
        lookup({ id }, { sender }) {
          // The registry itself looks those up that connect to it.
          if (sender.server !== REGISTRY_ID) lookups.push(id);
          return { entry: entries.get(id), cursor: "noting:1" };
        },
        changes(query, context) {
          queries.push(query);
          return context.later;
        },
      };
      actors.serve("registry", handlers, { concurrent: true });
    },
  };
}

Deno.test("telling an absent server costs a lookup for each pause, and two lines in the log", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  const lookups: string[] = [];
  await ensemble.startRegistry(undefined, notingRegistry({ lookups }));
  const take = () => lookups.splice(0).filter((id) => id === "b").length;
  const a = await ensemble.start("a");
  using clock = stopClock("performance");
  const tell = (n: number) => a.actors.tell(refTo("b", "sink"), { type: "n", n });
  const attempt = async (n: number) => {
    const before = lookups.length;
    assert.notEqual(tell(n), undefined, "it is tried");
    await eventually(() => lookups.length > before, "a lookup");
    await eventually(() => tell(n) === undefined, "it has failed");
  };
  await attempt(0);
  for (let n = 0; n < 1000; n++) assert.equal(tell(n), undefined);
  assert.equal(take(), 1);
  clock.tick(FIRST_PAUSE);
  await attempt(1);
  assert.equal(take(), 1);
  assert.deepEqual(logs.complaints, [
    "WARN server: cannot reach b: no server b is registered; messages for it are dropped",
  ]);

  // An ask does not wait for the end of the pause, and neither does `connect`.
  const unknown = /^DisconnectedError: cannot reach b: no server b is registered$/;
  await assert.rejects(a.actors.ask(refTo("b", "server"), { type: "ping" }), unknown);
  await assert.rejects(a.connect("b"), unknown);
  assert.equal(take(), 2);
  const b = await ensemble.start("b");
  const got = collect(b);
  assert.equal(tell(2), undefined, "the pause goes on");
  const answer = a.actors.ask(refTo("b", "server"), { type: "ping" });
  assert.notEqual(tell(3), undefined, "an attempt is under way");
  assert.equal(await answer, "OK");
  assert.notEqual(tell(4), undefined);
  await eventually(() => got.length > 1, "it is reached");
  assert.deepEqual(got, [3, 4]);
  assert.match(
    logs.complaints[1]!,
    /^WARN server: b is reached again: 1\d\d\d messages for it were dropped in 0 s$/,
  );
  assert.equal(logs.complaints.length, 2);
});

Deno.test("a server that appears is found by senders that continue, and when it connects itself", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  using clock = stopClock("performance");
  const tell = (id: string) => a.actors.tell(refTo(id, "sink"), { type: "n", n: 1 });
  const failOften = async (id: string) => {
    for (let failure = 0; failure < 10; failure++) {
      clock.tick(LONGEST_PAUSE);
      tell(id);
      await eventually(() => tell(id) === undefined, "it is absent");
    }
  };
  await failOften("b");
  const b = await ensemble.start("b");
  const atB = collect(b);
  assert.equal(tell("b"), undefined);
  clock.tick(LONGEST_PAUSE);
  assert.notEqual(tell("b"), undefined);
  await eventually(() => atB.length === 1, "b is found");

  await failOften("c");
  const c = await ensemble.start("c");
  const atC = collect(c);
  assert.equal(tell("c"), undefined);
  await ping(c.actors, a.id);
  assert.notEqual(tell("c"), undefined);
  await eventually(() => atC.length === 1, "c has come");
});

Deno.test("messages lost with a connection are counted, and the next one is tried at once", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  await using child = await ChildServer.start(ensemble, "child");
  const sink = refTo("child", "sink");
  await a.connect(sink.server);
  child.signal("SIGSTOP");
  // More than the socket takes.
  const bytes = new Uint8Array(1024 * 1024);
  for (let n = 0; n < 20; n++) {
    a.actors.tell(sink, { type: "bytes", bytes });
    await pause(0);
  }
  const lost = new Promise((resolve) =>
    a.actors.spawn(undefined, async (self) => {
      self.monitor(refTo("child", "server"));
      await self.receive([on("down", resolve)]);
    })
  );
  child.signal("SIGKILL");
  await lost;
  assert.match(
    logs.complaints[0]!,
    /^WARN server: the connection to child was lost: .*; messages for it are dropped$/,
  );
  assert.notEqual(a.actors.tell(sink, { type: "bytes", bytes }), undefined, "it is tried at once");
  await eventually(() => a.actors.tell(sink, { type: "bytes", bytes }) === undefined, "in vain");
  assert.equal(logs.complaints.length, 1, logs.complaints.join("\n"));
  await ensemble.stop(a);
  assert.match(logs.complaints[1]!, /^WARN server: child was not reached again: \d+ messages /);
});

Deno.test("nothing is kept of a server once its connection or the attempt at one has ended", async () => {
  const tables = new Set<Map<unknown, Peer>>();
  const { set } = Map.prototype;
  Map.prototype.set = function (this: Map<unknown, unknown>, key: unknown, value: unknown) {
    if (value instanceof Peer) tables.add(this as Map<unknown, Peer>);
    return set.call(this, key, value) as never;
  };
  try {
    await using ensemble = new LocalEnsemble();
    await ensemble.startRegistry();
    const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
    await ping(b.actors, a.id);
    await Promise.all([
      assert.rejects(ping(a.actors, "nosuch")),
      assert.rejects(a.connect("nosuch", [ensemble.socket("nosuch")])),
    ]);
    await assert.rejects(ensemble.start("b", { listen: [] }));
    await ensemble.stop(b);
    const ids = () => [...tables].map((table) => [...table.keys()]).filter(({ length }) => length);
    // Of the registry and of a: each keeps the other.
    await eventually(() => ids().flat().sort().join() === "a,registry", `kept: ${ids()}`);
  } finally {
    Map.prototype.set = set;
  }
});

Deno.test("why the addresses that were given do not work is said beside what the registry says", async () => {
  await using ensemble = new LocalEnsemble();
  await using other = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  const stranger = await other.start("b", { register: false, listen: [anyPort()] });
  const c = await ensemble.start("c", { register: false });
  const id = "b";
  const unknown = "no server b is registered$";
  const tries: [Address, string][] = [
    [
      stranger.entry.addresses[0]!,
      "tcp:\\S+: authentication failed between b and a: their cookies differ",
    ],
    [
      c.entry.addresses[0]!,
      "unix:\\S+: (this is server c, not b|the server at this address is c, not b)",
    ],
    [ensemble.socket("nosuch"), "unix:\\S+: no such socket"],
  ];
  for (const [address, why] of tries) {
    await assert.rejects(
      a.connect(id, [address]),
      new RegExp(`: cannot reach b: ${why}; ${unknown}`),
    );
    // Later senders get the same error.
    await assert.rejects(ping(a.actors, id), new RegExp(`: cannot reach b: ${why}; ${unknown}`));
  }
  // An address that both name is tried and named once.
  const gone = await ensemble.start("b", { announce: [ensemble.socket("nosuch")] });
  await assert.rejects(a.connect(id), /: cannot reach b: unix:\S+: no such socket$/);
  await ensemble.stop(gone);
});

Deno.test("addresses that were given are tried first, for good, and the registry's when they fail", async () => {
  await using ensemble = new LocalEnsemble();
  const lookups: string[] = [];
  await ensemble.startRegistry(undefined, notingRegistry({ lookups }));
  const take = () => lookups.splice(0).filter((id) => id === "b").length;
  const a = await ensemble.start("a");
  const id = "b";
  const [given] = (await (async () => {
    const b = await ensemble.start("b", { register: false, listen: [anyPort()] });
    await a.connect(id, [...b.entry.addresses]);
    await ensemble.stop(b);
    return b.entry.addresses;
  })()) as [Address];
  await eventually(() => a.session(id) === undefined, "it is gone");
  using _ = moveClock(2 * FOLLOWED_TIME);
  take();
  let b = await ensemble.start("b", { register: false, listen: [given] });
  await ping(a.actors, id);
  assert.equal(take(), 0);
  await ensemble.stop(b);
  await eventually(() => a.session(id) === undefined, "it is gone again");
  b = await ensemble.start("b", { listen: [anyPort()] });
  await ping(a.actors, id);
  assert.deepEqual(a.session(id)!.address, b.entry.addresses[0]);
});

Deno.test("a server that stops while a peer comes in keeps no connection to it", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  const b = await ensemble.start("b", { register: false });
  const gate = Promise.withResolvers<void>();
  const { digest } = crypto.subtle;
  let calls = 0;
  // The second is b's, which has admitted a and does not use the connection yet.
  crypto.subtle.digest = async (...args) => {
    if (++calls === 2) await gate.promise;
    return await digest.apply(crypto.subtle, args);
  };
  try {
    const connecting = a.connect(b.id, [...b.entry.addresses]).catch(() => {});
    await eventually(() => calls === 2, "b has admitted a");
    await ensemble.stop(b);
    gate.resolve();
    await connecting;
    await eventually(() => a.session(b.id) === undefined, "it is gone");
  } finally {
    gate.resolve();
    crypto.subtle.digest = digest;
  }
});

Deno.test("a server is looked up once, since the registry tells of its changes", async () => {
  await using ensemble = new LocalEnsemble();
  const lookups: string[] = [];
  const queries: ChangesQuery[] = [];
  await ensemble.startRegistry(undefined, notingRegistry({ lookups, queries }));
  await using way = await Proxy.start({ at: ensemble.socket("way"), target: ensemble.socket("b") });
  const [a, b] = await Promise.all([
    ensemble.start("a"),
    ensemble.start("b", { announce: [way.address] }),
  ]);
  await ping(a.actors, b.id);
  assert.deepEqual(lookups.splice(0), ["b"]);
  await eventually(() => queries.length === 1, "a query for changes");
  const { wait: _, ...query } = queries[0]!;
  assert.deepEqual(query, { type: "changes", after: "noting:1", ids: ["b"], roles: [] });
  way.cut();
  await eventually(() => a.session(b.id) === undefined, "it is cut off");
  await ping(a.actors, b.id);
  assert.deepEqual(lookups, []);
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
  await assert.rejects(a.connect("c"), (error: Error) => {
    assert.equal(error.name, "DisconnectedError");
    assert.match(
      error.message,
      /^cannot reach c: unix:\S+\/gone: no such socket; unix:\/\/elsewhere\/c is a socket of host elsewhere, [^;]*; unix:\S+\/b: (this is server b, not c|the server at this address is b, not c)$/,
    );
    return true;
  });
});

Deno.test("a server whose addresses are all of another host: the error names both hosts", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  await ensemble.start("b", { announce: [{ kind: "unix", host: "elsewhere", path: "/b" }] });
  await assert.rejects(a.connect("b"), {
    message:
      "cannot reach b: unix://elsewhere/b is a socket of host elsewhere, and is not there on this " +
      `host, ${hostName()}: servers on other hosts are reached over tcp or tls, or by commands with --supervisor`,
  });
  await ensemble.start("c", { announce: [] });
  await assert.rejects(a.connect("c"), {
    message: "cannot reach c: the registry has no address for it",
  });
});

Deno.test("a server is reached at its announced socket after its host was renamed", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const [a, b] = await Promise.all(["a", "b"].map((id) => ensemble.start(id)));
  const [socket] = b!.entry.addresses as UnixAddress[];
  const announce = async (address: Address) => {
    await registryClient(registry.actors).register({
      entry: { ...b!.entry, addresses: [address] },
    });
  };
  // What a person gave says nothing of the file, and does not keep that of the registry from being tried.
  const renamed = { ...socket!, host: "renamed" };
  await announce(renamed);
  await a!.connect(b!.id, [{ ...renamed, file: undefined }]);
  assert.equal(a!.session(b!.id)?.instance.toHex(), b!.entry.instance.toHex());
  // In another container the same path may lead to another socket.
  const c = await ensemble.startConsole();
  for (const host of ["renamed", hostName()]) {
    await announce({ ...socket!, host, file: { ...socket!.file!, inode: 1 } });
    await assert.rejects(c.connect(b!.id), (error: Error) => {
      assert.match(error.message, new RegExp(`on (this )?host,? ${hostName()}\\b`));
      assert.match(error.message, new RegExp(`host ${host}\\b`));
      return true;
    });
  }
});

Deno.test("a server whose socket was made again is reached at the new one", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  using clock = stopClock("setInterval", "clearInterval");
  const b = await ensemble.start("b");
  const [socket] = b.entry.addresses as UnixAddress[];
  // Kept by a second name, so that its inode is not given to the new one.
  Deno.linkSync(socket!.path, `${socket!.path}.kept`);
  Deno.removeSync(socket!.path);
  clock.tick(SOCKET_CHECK_INTERVAL);
  const known = async () => (await registryClient(registry.actors).lookup({ id: b.id })).entry!;
  await eventually(
    async () => (await known()).addresses.some((each) => !isDeepStrictEqual(each, socket)),
    "the registry knows the new socket",
  );
  assert.deepEqual((await known()).addresses, b.entry.addresses);
  const console = await ensemble.startConsole();
  await console.connect(b.id);
  await ensemble.stop(b);
});

Deno.test("a server that restarts under its id is reached, also by servers that knew the old instance", async () => {
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

Deno.test("no server takes the id of a running, connected server", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const b = await ensemble.start("b");
  const { instance } = b.entry;
  await assert.rejects(
    ensemble.start("b", { listen: [anyPort()] }),
    {
      code: "ID_TAKEN",
      message:
        /^b is already running: pid \d+ on host \S+ at unix:\S+; this one is pid \d+ .*: stop that one, or choose another id$/,
    },
  );
  assert.equal(logs.complaints.length, 1);
  assert.match(
    logs.complaints[0]!,
    /^WARN server: refused a connection from unix:.* b is already running: pid/,
  );
  assert.deepEqual(LocalEnsemble.peers(registry), ["b"]);
  const { entry } = await registryClient(b.actors).lookup({ id: "b" });
  assert.deepEqual(entry?.instance, instance);
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
    console.connect("b"),
    /: cannot reach b: cannot reach registry: unix:\S+\/registry: no such socket; start a registry with: gxensemble registry$/,
  );
});

Deno.test("a registry of another ensemble is not one to be started", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  await assert.rejects(
    ensemble.start("a", { cookies: [new Uint8Array(32)] }),
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

/** Holds back the proofs of this process, one after the other, until the test lets them go. */
function heldProofs(): { held: PromiseWithResolvers<void>[] } & Disposable {
  const { subtle } = crypto;
  const { sign } = subtle;
  const held: PromiseWithResolvers<void>[] = [];
  subtle.sign = async (...parameters: Parameters<SubtleCrypto["sign"]>) => {
    // One of each proof's two.
    if (parameters[0] === "Ed25519") {
      const proof = Promise.withResolvers<void>();
      held.push(proof);
      await proof.promise;
    }
    return await sign.apply(subtle, parameters);
  };
  return {
    held,
    [Symbol.dispose]() {
      subtle.sign = sign;
      for (const { resolve } of held) resolve();
    },
  };
}

/** Lets a client prove itself, and waits until the server that it connects to is about to. */
async function untilAdmitted(held: PromiseWithResolvers<void>[]): Promise<void> {
  await eventually(() => held.length === 1, "the client proves itself");
  held[0]!.resolve();
  await eventually(() => held.length === 2, "it is admitted");
}

Deno.test("messages for a server that is connecting wait for it", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, console] = await Promise.all([ensemble.start("a"), ensemble.startConsole()]);
  const atConsole = collect(console);
  using proofs = heldProofs();
  const connecting = console.connect(a.id, [ensemble.socket("a")]);
  await untilAdmitted(proofs.held);
  // Others cannot find it, because it is not registered.
  a.actors.tell(refTo("console", "sink"), { type: "n", n: 1 });
  await a.actors.ask(refTo("registry", "registry"), { type: "lookup", id: "console" });
  proofs.held[1]!.resolve();
  await connecting;
  await eventually(() => atConsole.length === 1, "the message");
});

Deno.test("while a server connects, no other with its id is admitted, whether it can be reached or not", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const [a, console] = await Promise.all([ensemble.start("a"), ensemble.startConsole()]);
  registry.actors.find("registry")!.exit();
  await registry.actors.find("registry")!.ended;
  const lookup = Promise.withResolvers<void>();
  registry.actors.serve("registry", { lookup: () => lookup.promise, remove: () => true }, {
    concurrent: true,
  });
  const asked = assert.rejects(ping(a.actors, console.id), /cannot reach console/);
  let connecting: Promise<void>;
  {
    using proofs = heldProofs();
    connecting = console.connect(a.id, [ensemble.socket("a")]);
    await untilAdmitted(proofs.held);
    lookup.reject(new Error("unknown"));
    await asked;
    const other = RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie, id: "console" });
    await eventually(() => proofs.held.length === 3, "the other proves itself");
    proofs.held[2]!.resolve();
    const refused = assert.rejects(other, /another instance of console, .* is connected with a/);
    await pause(20);
    assert.equal(proofs.held.length, 3, "the other waits");
    proofs.held[1]!.resolve();
    await refused;
  }
  await connecting;
  assert.deepEqual(a.session(console.id)?.instance, console.entry.instance);
});

Deno.test("of two servers that dial each other the one with the lesser id wins", async () => {
  await using ensemble = new LocalEnsemble();
  const b = await ensemble.start("b", { register: false });
  for (const id of ["a", "c"]) {
    // It accepts what b opens, and answers nothing.
    const listener = await listenAt(ensemble.socket(id));
    const server = id;
    const dialling = b.connect(server, [ensemble.socket(id)]).catch(() => {});
    const { stream } = (await listener.accept())!;
    await stream.read(new Uint8Array(1024));
    const joining = RoguePeer.join(ensemble.socket("b"), { cookie: ensemble.cookie, id });
    if (id === "c") {
      await assert.rejects(joining, { refusal: Refusal.Duplicate });
      stream.close();
    } else {
      // As the greater one b waits how its own goes.
      stream.close();
      using joined = await joining;
      await joined.ask("server", { type: "ping" });
      assert.equal(b.session(server)?.instance.toHex(), joined.instance.publicKey.toHex());
    }
    await dialling;
    listener.close();
  }
});

/** Whether a port refuses connections. */
async function refuses({ host: hostname, port }: InternetAddress): Promise<boolean> {
  try {
    (await Deno.connect({ hostname, port })).close();
    return false;
  } catch (error) {
    return error instanceof Deno.errors.ConnectionRefused;
  }
}

Deno.test("addresses given for the registry do not expire either", async () => {
  await using ensemble = new LocalEnsemble();
  const port = await ensemble.startRegistry(undefined, { listen: [anyPort()] });
  const console = await ensemble.startConsole();
  await console.connect(port.id, [...port.entry.addresses]);
  await console.actors.ask(refTo("registry", "registry"), { type: "list" });
  using _ = moveClock(6 * 60 * 1000);
  await ensemble.stop(port);
  await eventually(() => console.connections().length === 0, "the registry is gone");
  // Just after its listener has closed, the system may still take a connection, and reset it.
  const [address] = port.entry.addresses as [InternetAddress];
  await eventually(() => refuses(address), "the port refuses");
  await assert.rejects(
    console.connect(port.id),
    /^DisconnectedError: cannot reach registry: tcp:\S+: connection refused/,
  );
});

Deno.test("sending to an invalid server id fails at once, and has no other effect", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  for (const server of ["", "../a", "a b", undefined, null, 5, {}]) {
    const ref = ActorRef.unchecked(server as string, "sink");
    assert.throws(() => a.actors.tell(ref, { type: "n" }), /^InvalidInputError: not a server id: /);
    await assert.rejects(a.actors.ask(ref, { type: "n" }), /^InvalidInputError: not a server id: /);
  }
  assert.deepEqual(LocalEnsemble.peers(a), ["registry"]);
});

Deno.test("an answer is dropped without a warning when the server that asked is gone", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  const lookups: string[] = [];
  await ensemble.startRegistry(undefined, notingRegistry({ lookups }));
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<number>();
  b.actors.serve("late", {
    get: () => {
      asked.resolve();
      return answer.promise;
    },
  });
  const failed = assert.rejects(a.actors.ask(refTo("b", "late"), { type: "get" }));
  await asked.promise;
  // It does not wait for the answer, as a console that is killed.
  await Promise.all([a.stop({ grace: 0 }), failed]);
  await eventually(() => b.session("a") === undefined, "a is gone");
  lookups.length = 0;
  answer.resolve(1);
  // What is looked up for the answer comes before this.
  await assert.rejects(ping(b.actors, "nosuch"), { code: "UNKNOWN_SERVER" });
  assert.deepEqual(lookups, ["nosuch"]);
  assert.deepEqual(logs.matching(/dropped/), []);
});

Deno.test("a server that the registry has as unreachable is not dialled", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry(new MemoryStore({ lease: 500 }));
  const a = await ensemble.start("a");
  const { instance } = a.entry;
  // It accepts, but its lease runs out.
  const listener = Deno.listen({ port: 0 });
  const { port } = listener.addr;
  let dials = 0;
  void (async () => {
    for await (const stream of listener) {
      dials++;
      stream.close();
    }
  })();
  const entry: OwnEntry = {
    id: "b",
    instance: instance.map((byte) => byte ^ 1),
    addresses: [{ kind: "tcp", host: "127.0.0.1", port }],
    roles: [],
    state: "up",
  };
  const client = registryClient(registry.actors);
  await client.register({ entry });
  await assert.rejects(ping(a.actors, "b"), /the peer closed the connection/);
  assert.ok(dials > 0);
  await eventually(
    async () => (await client.lookup({ id: "b" })).entry?.state === "unreachable",
    "its lease has run out",
  );
  dials = 0;
  await assert.rejects(ping(a.actors, "b"), {
    code: "DISCONNECTED",
    message: /^cannot reach b: it (is|has been) unreachable/,
  });
  assert.equal(dials, 0);
  listener.close();
});

Deno.test("while the registry is away, a server is reached where it was last, and the log says so", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  await using way = await Proxy.start({ at: ensemble.socket("way"), target: ensemble.socket("b") });
  const [a, b] = await Promise.all([
    ensemble.start("a"),
    ensemble.start("b", { announce: [way.address] }),
  ]);
  await ping(a.actors, b.id);
  await ensemble.stop(registry);
  for (let round = 0; round < 2; round++) {
    way.cut();
    await eventually(() => a.session(b.id) === undefined, "it is cut off");
    await ping(a.actors, b.id);
  }
  assert.equal(logs.matching(/WARN registry: .*servers are found where they were last/).length, 1);
  // Of one that it never asked for it knows nothing.
  await assert.rejects(ping(a.actors, "c"), { message: /cannot reach c: cannot reach registry/ });
});
