import assert from "node:assert/strict";
import { on, onShutdown } from "../../../runtime/actor/cases.ts";
import { listServers } from "../../../runtime/ensemble/remote.ts";
import type { ActorServer } from "../../../runtime/server/actor_server.ts";
import { HANDSHAKE_TIMEOUT, MAX_HANDSHAKES } from "../../../runtime/wire/limits.ts";
import { RoguePeer } from "../../rogue_peer.ts";
import { CapturedLogs, eventually } from "./captured_logs.ts";
import { anyPort, LocalEnsemble, refTo } from "./local_ensemble.ts";
import { RawPeer } from "../../rogue_peer.ts";

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

async function registered(asker: ActorServer): Promise<string[]> {
  return (await listServers(asker.actors)).map(({ id }) => id);
}

Deno.test("strangers are refused with one line each that names where they came from", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([
    ensemble.start("a", { listen: [ensemble.socket("a"), anyPort()] }),
    ensemble.start("b"),
  ]);
  await b.connect(a.id);
  const said: [string, RegExp][] = [
    ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", /frame too large: 1195725856 bytes announced/],
    ["\0\0\0\x05hello", /malformed handshake: /],
    ["\0\0\0\xff", /the peer closed the connection during the handshake$/],
  ];
  for (const address of a.entry.addresses) {
    for (const [text, reason] of said) {
      {
        using peer = await RawPeer.connect(address);
        await peer.write(Uint8Array.from(text, (character) => character.charCodeAt(0)));
        if (!reason.source.startsWith("the peer closed")) await peer.closed();
      }
      await eventually(() => logs.complaints.length > 0, "a line");
      assert.equal(logs.complaints.length, 1, logs.complaints.join("\n"));
      const from = address.kind === "unix"
        ? /from unix:\S+\/a: /
        : /from tcp:\/\/127\.0\.0\.1:\d+: /;
      assert.match(logs.complaints[0]!, /^WARN server: refused a connection from /);
      assert.match(logs.complaints[0]!, from);
      assert.match(logs.complaints[0]!, reason);
      logs.lines.length = 0;
    }
  }
  assert.deepEqual(LocalEnsemble.peers(a), ["b", "registry"]);
  assert.equal(await b.actors.ask(refTo("a", "server"), { type: "ping" }), "OK");
});

Deno.test("a server is shown by its id, and not by all that it is made of", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  assert.equal(Deno.inspect(await ensemble.start("a")), "ActorServer(a)");
});

Deno.test("a port check that sends nothing is not logged as a refused connection", async () => {
  using logs = await CapturedLogs.start("debug");
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a", { listen: [ensemble.socket("a"), anyPort()] });
  for (const address of a.entry.addresses) {
    (await RawPeer.connect(address))[Symbol.dispose]();
    await eventually(
      () => logs.matching(/the peer closed the connection without sending anything$/).length > 0,
      "a line",
    );
    assert.deepEqual(logs.complaints, []);
    logs.lines.length = 0;
  }
});

Deno.test("a peer with another cookie is refused on both sides, by name", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  await ensemble.start("a");
  const spy = await ensemble.start("spy", {
    cookies: [new Uint8Array(32)],
    listen: [],
    register: false,
  });
  await assert.rejects(
    spy.connect("a", [ensemble.socket("a")]),
    /^DisconnectedError: cannot reach a: /,
  );
  const refusals = logs.complaints.filter((line) => line.includes("/a: "));
  assert.equal(refusals.length, 1, logs.lines.join("\n"));
  assert.match(refusals[0]!, /authentication failed between a and spy: their cookies differ$/);
});

Deno.test("hundreds of half-open connections do not block others", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a", { listen: [ensemble.socket("a"), anyPort()] });
  const [unix, tcp] = a.entry.addresses;
  using early = await RawPeer.connect(unix!);
  await early.write(new Uint8Array(1));
  for (const address of [tcp!, unix!]) {
    using flood = new DisposableStack();
    const count = MAX_HANDSHAKES + (address === unix ? 49 : 50);
    const peers: RawPeer[] = [];
    for (let i = 0; i < count; i++) {
      peers.push(flood.use(await RawPeer.connect(address)));
      await peers[i]!.write(new Uint8Array(1));
    }
    // The oldest ones at this listener are closed, and none at the other one.
    await peers[0]!.closed();
    const console = await ensemble.startConsole(`console-${address.kind}`);
    await console.connect(a.id, [unix!]);
    if (address === tcp) {
      assert.equal(await Promise.race([early.closed().then(() => "closed"), settled()]), "open");
    }
    flood.dispose();
    const source = address === tcp ? "tcp://127.0.0.1" : `unix:${ensemble.directory}/a`;
    a.actors.lines.close();
    await eventually(() => {
      a.actors.lines.close();
      return logs.matching(new RegExp(`lines were left out: refused connections of ${source}$`))
        .length > 0;
    }, "a line for those that were left out");
  }
  const refusals = logs.matching(/refused a connection from .*: too many handshakes at once$/);
  assert.ok(refusals.length > 0 && refusals.length <= 20, `${refusals.length} lines`);
});

Deno.test("none of many servers that connect at once is refused", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false });
  const { cookie } = ensemble;
  const peers = await Promise.all(
    Array.from(
      { length: 3 * MAX_HANDSHAKES },
      (_, at) => RoguePeer.join(ensemble.socket("a"), { cookie, id: `peer${at}` }),
    ),
  );
  assert.equal(a.connections().length, peers.length);
  for (const peer of peers) peer[Symbol.dispose]();
  assert.deepEqual(logs.matching(/too many handshakes/), []);
});

/** Resolves after what is under way in this process has had its turns. */
async function settled(): Promise<string> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  return "open";
}

/** Starts a server that is told to give up at some point; gives the reason, or undefined when it started. */
async function giveUpAt(
  ensemble: LocalEnsemble,
  point: "before" | "socket" | "prepare" | "register",
): Promise<unknown> {
  const controller = new AbortController();
  const reason = new Error("given up");
  if (point === "before") controller.abort(reason);
  const listen = Object.assign([ensemble.socket("a"), anyPort()], {
    *[Symbol.iterator]() {
      yield ensemble.socket("a");
      if (point === "socket") controller.abort(reason);
      yield anyPort();
    },
  });
  try {
    await ensemble.start("a", {
      listen,
      signal: controller.signal,
      // For ever: it is given up, or else the test's own deadline ends it.
      prepare: () => {
        assert.ok(["prepare", "register"].includes(point), "it goes on");
        if (point === "register") return void setTimeout(() => controller.abort(reason));
        controller.abort(reason);
        return new Promise<void>(() => {});
      },
    });
  } catch (error) {
    return error;
  }
  return undefined;
}

for (const point of ["before", "socket", "prepare", "register"] as const) {
  Deno.test(`ActorServer.start that is given up leaves no socket and no entry: ${point}`, async () => {
    await using ensemble = new LocalEnsemble();
    const registry = await ensemble.startRegistry();
    const outcome = await giveUpAt(ensemble, point);
    // It may have been in the registry before it was told.
    if (point !== "register") assert.equal((outcome as Error)?.message, "given up");
    if (outcome === undefined) return;
    const names = Array.from(Deno.readDirSync(ensemble.directory), ({ name }) => name).sort();
    assert.deepEqual(names, [".lock", "registry"]);
    assert.deepEqual((await registered(registry)).filter((id) => id !== "registry"), []);
    // The next one starts in its place.
    await ensemble.start("a");
  });
}

Deno.test("a handshake out of time is closed, and logged as that", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  await ensemble.start("a");
  const { setTimeout } = globalThis;
  globalThis.setTimeout =
    ((run: () => void, delay?: number) =>
      setTimeout(run, delay === HANDSHAKE_TIMEOUT ? 50 : delay)) as typeof setTimeout;
  try {
    using peer = await RawPeer.connect(ensemble.socket("a"));
    await peer.write(new Uint8Array([0, 0]));
    await peer.closed();
    await eventually(() => logs.complaints.length > 0, "a line");
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  assert.equal(logs.complaints.length, 1);
  assert.match(logs.complaints[0]!, /\/a: no handshake within 10000 ms$/);
});

Deno.test("a second server of an id does not start where the first one listens", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const a = await ensemble.start("a");
  await assert.rejects(
    ensemble.start("a"),
    /^EnsembleError: cannot listen at unix:\S+\/a: a server with that id is already running here$/,
  );
  assert.equal(await a.actors.ask(refTo("registry", "server"), { type: "ping" }), "OK");
  assert.deepEqual(await registered(registry), ["a"]);
  assert.ok(await exists(`${ensemble.directory}/a`));
});

Deno.test("of servers of one id that start at once one runs", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => ensemble.start("a")));
  const started = outcomes.filter(({ status }) => status === "fulfilled");
  assert.equal(started.length, 1);
  assert.deepEqual(await registered(registry), ["a"]);
});

Deno.test("a server that cannot start leaves no socket", async () => {
  await using ensemble = new LocalEnsemble();
  await assert.rejects(ensemble.start("a"), /cannot reach registry/);
  assert.equal(await exists(`${ensemble.directory}/a`), false);
  await ensemble.startRegistry();
  await assert.rejects(
    ensemble.start("a", {
      prepare() {
        throw new TypeError("not prepared");
      },
    }),
    /^TypeError: not prepared$/,
  );
  assert.equal(await exists(`${ensemble.directory}/a`), false);
  const taken = await ensemble.start("b", { listen: [anyPort()] });
  await assert.rejects(
    ensemble.start("a", { listen: [ensemble.socket("a"), ...taken.entry.addresses] }),
    /cannot listen at tcp:\S+: the address is in use$/,
  );
  assert.equal(await exists(`${ensemble.directory}/a`), false);
  await ensemble.start("a");
});

Deno.test("a server announces where it listens, on every interface by the name of the host", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a", { listen: [{ kind: "tcp", host: "0.0.0.0", port: 0 }] });
  const [address] = a.entry.addresses;
  assert.ok(address?.kind === "tcp" && address.port > 0);
  assert.equal(address.host, Deno.hostname());
  const b = await ensemble.start("b", { listen: [anyPort()], announce: [ensemble.socket("b")] });
  assert.deepEqual(b.entry.addresses, [ensemble.socket("b")]);
});

Deno.test("stop shuts actors down with clean-up, removes socket and entry, and notifies main", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  const events: string[] = [];
  const peer = { type: "note" };
  b.actors.serve("log", { note: () => void events.push("note") });
  a.actors.serve("service", {}, { cleanUp: () => void events.push("service cleaned up") });
  a.actors.spawn("actor", async (self) => {
    await self.receive([onShutdown(() => {
      // What an actor sends as it ends arrives, also where there is no connection yet.
      self.tell(refTo("b", "log"), peer);
      events.push("actor cleaned up");
    })]);
  });
  a.signal.addEventListener("abort", () => void events.push("signal"));
  await a.stop();
  assert.equal(await exists(`${ensemble.directory}/a`), false);
  assert.deepEqual(await registered(registry), ["b"]);
  await eventually(() => events.includes("note"), "the last message");
  assert.deepEqual(events.slice().sort(), [
    "actor cleaned up",
    "note",
    "service cleaned up",
    "signal",
  ]);
  assert.equal(events[0], "signal");
  assert.deepEqual(a.actors.actors().filter(({ activity }) => activity !== "dead"), []);
  assert.deepEqual(a.connections(), []);
  assert.deepEqual(logs.complaints, []);
  await assert.rejects(a.actors.ask(refTo("b", "log"), peer), { name: "DisconnectedError" });
  assert.equal(a.actors.tell(refTo("b", "log"), peer), undefined);
  // A second stop is the same one.
  await Promise.all([a.stop(), a.stop(), a.beginStop("me@a"), a.stopped]);
});

Deno.test("messages sent before the stop arrive, however many", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  let total = 0;
  b.actors.serve("sink", {
    bytes: ({ bytes }: { bytes: Uint8Array }) => void (total += bytes.length),
  });
  const bytes = new Uint8Array(1024 * 1024);
  for (let i = 0; i < 20; i++) a.actors.tell(refTo("b", "sink"), { type: "bytes", bytes });
  await a.stop();
  await eventually(() => total === 20 * bytes.length, `all arrives: ${total}`);
});

Deno.test("an actor that ignores the shutdown is made to end after the grace period", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const a = await ensemble.start("a");
  const actor = a.actors.spawn("deaf", async (self) => {
    await self.receive([on("never", () => {})]);
  });
  await a.stop({ grace: 50 });
  assert.equal(await actor.ended, undefined);
  assert.deepEqual(logs.complaints, [
    "WARN actor: deaf@a did not shut down in time and is made to end",
  ]);
  assert.deepEqual(await registered(registry), []);
});

Deno.test("a server stops also when the registry has gone, and when it does not answer", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  registry.actors.find("registry")!.exit();
  await registry.actors.find("registry")!.ended;
  registry.actors.serve("registry", { remove: () => new Promise(() => {}) });
  await a.stop();
  assert.match(
    logs.complaints.join(),
    /cannot leave the registry: no answer from registry@registry/,
  );
  logs.lines.length = 0;
  await registry.stop({ grace: 10 });
  await b.stop();
  assert.match(logs.complaints.join("\n"), /cannot leave the registry: /);
  assert.equal(await exists(`${ensemble.directory}/b`), false);
});

Deno.test("a stopping server refuses connections and requests, and answers those that it has begun", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a", { grace: 60_000 }), ensemble.start("b")]);
  const gate = Promise.withResolvers<string>();
  let signal: AbortSignal | undefined;
  a.actors.serve("slow", {
    wait(_request, context) {
      signal = context.signal;
      return gate.promise;
    },
  });
  await b.connect(a.id);
  const begun = b.actors.ask(refTo("a", "slow"), { type: "wait" }, { timeout: Infinity });
  await eventually(() => signal !== undefined, "the request has begun");
  const stopping = a.stop();
  const console = await ensemble.startConsole();
  await assert.rejects(console.connect(a.id, [ensemble.socket("a")]), {
    name: "DisconnectedError",
  });
  await eventually(() => signal!.aborted, "the handler is to hurry");
  await assert.rejects(b.actors.ask(refTo("a", "slow"), { type: "wait" }), {
    code: "SERVER_STOPPING",
    message: "a is stopping",
  });
  gate.resolve("done");
  assert.equal(await begun, "done");
  await stopping;
});

Deno.test("a stopping server fails what is unanswered at the end of the grace", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  let begun = 0;
  const never = () => new Promise(() => void begun++);
  const cleanedUp: string[] = [];
  const cleanUp = () => void cleanedUp.push("concurrent");
  a.actors.serve("sequential", { never });
  a.actors.serve("concurrent", { never }, { concurrent: true, cleanUp });
  const codes = ["sequential", "concurrent"].map((actor) =>
    b.actors.ask(refTo("a", actor), { type: "never" }, { timeout: Infinity })
      .catch(({ code }) => code)
  );
  await eventually(() => begun === 2, "both have begun");
  await a.stop({ grace: 40 });
  assert.deepEqual(await Promise.all(codes), ["ACTOR_ENDED", "ACTOR_ENDED"]);
  assert.deepEqual(cleanedUp, ["concurrent"]);
});

Deno.test("two servers that stop at once do not wait for each other", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  await a.connect(b.id);
  const before = performance.now();
  await Promise.all([a.stop(), b.stop()]);
  assert.ok(performance.now() - before < 900, `${performance.now() - before} ms`);
});

Deno.test("a server that cannot register leaves neither actors nor its socket", async () => {
  await using ensemble = new LocalEnsemble();
  let begun: ActorServer | undefined;
  const start = ensemble.start("a", {
    prepare(server) {
      begun = server;
      server.actors.serve("own", {});
    },
  });
  await assert.rejects(start, /cannot reach registry: .*start a registry with/);
  await eventually(() => begun!.actors.actors().length === 0, "no actors");
  await assert.rejects(Deno.lstat(`${ensemble.directory}/a`), Deno.errors.NotFound);
});

Deno.test("ActorServer.start takes a bound of mailboxes, which its own actors do not have", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a", { mailbox: { limit: 1 } });
  const never = new Promise(() => {});
  const service = a.serve("busy", { wait: () => never });
  const code = (type: string) =>
    a.ask("busy", { type }, { timeout: Infinity }).catch((error) => error.code);
  const first = code("wait");
  await a.ask("server", { type: "ping" });
  const second = code("wait");
  assert.equal(await code("wait"), "MAILBOX_FULL");
  const actors = Array.from({ length: 5 }, () => a.ask("server", { type: "listActors" }));
  assert.equal((await Promise.all(actors)).length, 5);
  await a.exit(service);
  assert.deepEqual(await Promise.all([first, second]), ["ACTOR_ENDED", "ACTOR_ENDED"]);
});
