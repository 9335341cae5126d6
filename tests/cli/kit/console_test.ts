import assert from "node:assert/strict";
import { explainLoss, explainSilence, watchSilence } from "../../../cli/kit/console.ts";
import { MemoryStore } from "../../../registry/local_store.ts";
import type { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { ping } from "../../../runtime/ensemble/remote.ts";
import { DisconnectedError, EnsembleError, TimeoutError } from "../../../runtime/errors.ts";
import type { OwnEntry } from "../../../runtime/server/registry_protocol.ts";
import { ownKernel } from "../../../runtime/own_process.ts";
import { type Address, formatAddressUrl, hostName } from "../../../runtime/wire/address.ts";
import type { Listener } from "../../../runtime/wire/stream.ts";
import { listenAt } from "../../../runtime/wire/transport.ts";
import { stopClock } from "../../fake_clock.ts";
import { LINUX, testWith } from "../../requirements.ts";
import { eventually } from "../../runtime/server/captured_logs.ts";
import { LocalEnsemble, refTo } from "../../runtime/server/local_ensemble.ts";

/** Accepts connections at an address and sends nothing, until it is closed. */
async function keepSilent(address: Address): Promise<Listener & AsyncDisposable> {
  const listener = await listenAt(address);
  const streams: Disposable[] = [];
  const taking = (async () => {
    for (let next; (next = await listener.accept());) {
      const { stream } = next;
      streams.push({ [Symbol.dispose]: () => stream.close() });
    }
  })();
  return {
    address: listener.address,
    accept: () => listener.accept(),
    close: () => listener.close(),
    async [Symbol.asyncDispose]() {
      await listener.close();
      await taking;
      for (const each of streams) each[Symbol.dispose]();
    },
  };
}

/** The error of an unanswered ask. */
async function failure(asking: Promise<unknown>): Promise<TimeoutError | DisconnectedError> {
  const error = await asking.then(() => assert.fail("it was answered"), (error) => error);
  assert.ok(error instanceof TimeoutError || error instanceof DisconnectedError, String(error));
  return error;
}

function entry(id: string, options: Partial<OwnEntry>): OwnEntry {
  const server = id;
  return {
    id: server,
    instance: new Uint8Array(32),
    addresses: [],
    roles: [],
    state: "up",
    ...options,
  };
}

function impatientPing(actors: ActorSystem, id: string): Promise<unknown> {
  return actors.ask(refTo(id, "server"), { type: "ping" }, { timeout: 20 });
}

/**
 * The error of a ping that timed out in the handshake. On a busy machine it takes a while to get
 * there.
 */
async function failureInHandshake(actors: ActorSystem, id: string): Promise<TimeoutError> {
  let error: TimeoutError | DisconnectedError;
  do {
    error = await failure(impatientPing(actors, id));
    assert.ok(error.silence, error.message);
  } while (error.silence.stage !== "handshake");
  return error;
}

testWith([LINUX], {
  name: "explainSilence names the process that does not answer, and says what to do",
  async fn() {
    await using ensemble = new LocalEnsemble();
    const store = new MemoryStore();
    await ensemble.startRegistry(store);
    await using silent = await keepSilent(ensemble.socket("silent"));
    const known = new Map([["silent", [silent.address]]]);
    const { actors } = await ensemble.start("console", { listen: [], register: false, known });
    await ping(actors, "registry");
    const process = new Deno.Command("sleep", { args: ["60"] }).spawn();
    const { pid } = process;
    const place = { addresses: [silent.address], pid, host: hostName(), kernel: ownKernel() };
    try {
      let revision = 0;
      const explained = async (options: Partial<OwnEntry> = {}) => {
        revision = (await store.put(entry("silent", { ...place, ...options }), revision))!;
        const error = await failureInHandshake(actors, "silent");
        assert.deepEqual(error.silence, {
          server: "silent",
          stage: "handshake",
          address: formatAddressUrl(silent.address),
        });
        return (await explainSilence(error, actors) as Error).message;
      };
      const who = `silent \\(pid ${pid} on host ${hostName()}\\)`;
      assert.match(
        await explained(),
        new RegExp(
          "^no answer from server@silent to ping within 20 ms: it accepts connections at unix:\\S+ but does not " +
            `answer the handshake; ${who} is busy in code that does not yield, .* kill ${pid}, .* kill -9 ${pid}`,
        ),
      );
      process.kill("SIGSTOP");
      const isStopped = () =>
        / T /.test(Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\)/s, ""));
      await eventually(isStopped, "it is stopped");
      assert.match(
        await explained(),
        new RegExp(`; ${who} is stopped: continue it with kill -CONT ${pid}, `),
      );
      // The command cannot report what this host does not see.
      assert.match(
        await explained({ host: "elsewhere", kernel: undefined }),
        new RegExp(
          `; silent \\(pid ${pid} on host elsewhere\\) is stopped, or busy .*: on that host, ` +
            `continue it with kill -CONT ${pid} .* kill -9 ${pid}`,
        ),
      );
      assert.match(
        await explained({ pid: undefined, host: undefined }),
        /; silent is stopped, or busy in code .*: check its process on its host$/,
      );
    } finally {
      process.kill("SIGKILL");
      await process.status;
    }
  },
});

Deno.test("explainSilence distinguishes a server that answers from one that does not", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const server = await ensemble.start("a");
  server.actors.spawn("busy", () => new Promise(() => {}));
  const { actors } = await ensemble.startConsole();
  await ping(actors, server.id);
  const error = await failure(actors.ask(refTo("a", "busy"), { type: "x" }, { timeout: 20 }));
  assert.equal(error.silence?.stage, "request");
  assert.equal(
    (await explainSilence(error, actors) as Error).message,
    "no answer from busy@a to x within 20 ms; a itself answers: wait longer with --timeout <seconds>",
  );
  const refused = await failure(impatientPing(actors, "nosuch"));
  assert.equal(await explainSilence(refused, actors), refused);
  const loss = new EnsembleError("lost");
  for (const id of ["a", "nosuch"]) {
    assert.equal(await explainLoss(loss, { actors, server: id }), loss);
  }
});

Deno.test("explainSilence names the registry when the registry is what does not answer", async () => {
  await using ensemble = new LocalEnsemble();
  await using registry = await keepSilent(ensemble.socket("registry"));
  const { actors } = await ensemble.startConsole();
  const error = await failureInHandshake(actors, "a");
  const address = formatAddressUrl(registry.address);
  assert.deepEqual(error.silence, { server: "registry", stage: "handshake", address });
  assert.match(
    (await explainSilence(error, actors) as Error).message,
    /: the registry, which knows where a is, accepts connections at unix:\S+ but does not answer the handshake; registry /,
  );
});

Deno.test("a server that stops accepting connections is reported as silent, not as gone", async () => {
  await using ensemble = new LocalEnsemble();
  const { path } = ensemble.socket("full") as { path: string };
  using _listener = Deno.listen({ transport: "unix", path });
  const waiting: Deno.UnixConn[] = [];
  try {
    while (true) waiting.push(await Deno.connect({ transport: "unix", path }));
  } catch (error) {
    assert.ok(error instanceof Deno.errors.WouldBlock);
  }
  const console = await ensemble.startConsole();
  const error = await failure(console.connect("full", [ensemble.socket("full")]));
  assert.deepEqual(error.silence, { server: "full", stage: "connect", address: `unix:${path}` });
  for (const each of waiting) each.close();
});

Deno.test("watchSilence reports once that a server does not answer, and explainLoss says so when it is lost", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  const { actors } = await ensemble.startConsole();
  await ping(actors, a.id);
  // Like a server whose code loops: it is connected, and answers nothing.
  const control = a.actors.find("server")!;
  control.exit();
  await control.ended;
  a.actors.spawn("server", () => new Promise(() => {}));
  using clock = stopClock(
    "setTimeout",
    "clearTimeout",
    "setInterval",
    "clearInterval",
    "performance",
  );
  const lines: string[] = [];
  using _watch = watchSilence(actors, a.id, (line) => void lines.push(line));
  await clock.tickAsync(5_000);
  await clock.tickAsync(2_000);
  // The registry is asked for the server's process.
  await eventually(() => lines.length > 0);
  await clock.tickAsync(30_000);
  assert.equal(lines.length, 1, lines.join("\n"));
  assert.match(lines[0]!, /^\.\.\. still waiting: a \(pid \d+ on host \S+\) is /);
  const explaining = explainLoss(new EnsembleError("lost a"), { actors, server: a.id });
  await clock.tickAsync(2_000);
  assert.match((await explaining).message, /^lost a; a \(pid \d+ on host \S+\) is /);
});

Deno.test("watchSilence prints nothing about a server that answers", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  const { actors } = await ensemble.startConsole();
  using clock = stopClock("setInterval", "clearInterval");
  const lines: string[] = [];
  using _watch = watchSilence(actors, a.id, (line) => void lines.push(line));
  for (let look = 0; look < 3; look++) {
    clock.tick(5_000);
    // It answers after the message that it sent.
    await ping(actors, a.id);
  }
  assert.deepEqual(lines, []);
});
