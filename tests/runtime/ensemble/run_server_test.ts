import assert from "node:assert/strict";
import { logUnhandledErrors } from "../../../runtime/ensemble/run_server.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";
import { CapturedLogs } from "../server/captured_logs.ts";

const RUNTIME = JSON.stringify(new URL("../../../mod.ts", import.meta.url).href);

/** The names of the sockets in the ensemble's directory. */
function sockets({ socketDirectory }: TemporaryEnsemble): string[] {
  const names = Array.from(Deno.readDirSync(socketDirectory), ({ name }) => name);
  return names.filter((name) => !name.startsWith("."));
}

/**
 * Stages at which a start waits for something that never happens, as code that calls `reached()`.
 */
const STAGES: Record<string, string> = {
  "while it prepares": `prepare: () => { reached(); return new Promise(() => {}); }`,
  "while it waits for the registry": `prepare: () => void reached()`,
};

for (const [stage, options] of Object.entries(STAGES)) {
  for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
    Deno.test(`runServer leaves no socket when ${signal} comes ${stage}`, async () => {
      using ensemble = new TemporaryEnsemble();
      await Deno.mkdir(`${ensemble.gerbilPath}/ensemble`, { recursive: true });
      await Deno.writeFile(ensemble.cookiePath, new Uint8Array(32), { mode: 0o600 });
      await Deno.mkdir(ensemble.socketDirectory, { mode: 0o700 });
      // A registry that accepts connections and never answers.
      const path = `${ensemble.socketDirectory}/registry`;
      using registry = Deno.listen({ transport: "unix", path });
      const connected = registry.accept();
      // A signal that the program ignores, and one that tells a server without a terminal to reload
      // its files.
      const hangup = signal === "SIGTERM" ? "--ignore-signal=HUP" : "--default-signal=HUP";
      const process = ensemble.external(
        "env",
        hangup,
        Deno.execPath(),
        "eval",
        "--no-check",
        `import { runServer } from ${RUNTIME};
         const reached = () => console.log("reached");
         await runServer("a", () => {}, { ${options} });`,
      ).spawn();
      try {
        const output = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
        assert.match((await output.read()).value ?? "", /reached/);
        if (stage === "while it waits for the registry") await connected;
        assert.deepEqual(sockets(ensemble).sort(), ["a", "registry"]);
        process.kill("SIGHUP");
        process.kill(signal);
        assert.equal((await process.status).code, code);
        assert.deepEqual(sockets(ensemble), ["registry"]);
        await output.cancel();
      } finally {
        await process.stderr.cancel();
        registry.close();
        await connected.then((stream) => stream.close(), () => {});
      }
    });
  }
}

/** The program's own part of the log, from the first line with a text to the last. */
function linesBetween(text: string, first: string, last: string): string[] {
  const lines = text.split("\n").map((line) => line.replace(/^\S+Z /, ""));
  return lines.slice(lines.indexOf(first) + 1, lines.indexOf(last));
}

Deno.test("runServer logs its program's errors to standard error, and prints them when the log is off", async () => {
  using ensemble = new TemporaryEnsemble();
  const source = (path: string) => JSON.stringify(new URL(`../../../${path}`, import.meta.url));
  const { code, stderr } = await ensemble.evaluate(`
    import { MemoryStore } from ${source("registry/local_store.ts")};
    import { serveRegistry } from ${source("registry/registry_actor.ts")};
    import { findPlaces } from ${source("runtime/home/paths.ts")};
    import { createCookie } from ${source("runtime/home/cookie.ts")};
    import { runServer } from ${RUNTIME};
    await createCookie(findPlaces());
    const prepare = async (server) => void await serveRegistry(server, new MemoryStore());
    const main = async (server) => {
      const actor = server.spawn("dies", () => { throw new RangeError("actor\\n2026"); });
      server.serve("shop", { sell() { throw new TypeError("handler", { cause: "rain" }); } });
      await actor.ended;
      server.tell("shop", { type: "sell" });
      await server.ask("shop", { type: "ping" });
      Promise.reject(new Error("floating"));
      setTimeout(() => { throw new Error("timer"); });
      await new Promise((resolve) => setTimeout(resolve, 5));
    };
    for (const [title, log] of [["default"], ["level", { level: "error" }], ["off", false]]) {
      console.error(title);
      await runServer("registry", main, { prepare, log });
    }
    console.error("end");
  `);
  assert.equal(code, 0, stderr);
  const errors = [
    "ERROR actor: dies@registry failed: actor\\n2026",
    "    RangeError: actor",
    "    2026",
    "ERROR actor: sell of server@registry failed in shop@registry: handler",
    "    TypeError: handler",
    '    Caused by: "rain"',
    "ERROR server: unhandled rejection: floating",
    "    Error: floating",
    "ERROR server: uncaught error: timer",
    "    Error: timer",
  ];
  const notFrames = (lines: string[]) => lines.filter((line) => !/^ +at /.test(line));
  const logged = linesBetween(stderr, "default", "level");
  assert.match(logged[0]!, /^INFO server: registry listens at /);
  assert.deepEqual(notFrames(logged).filter((line) => !line.startsWith("INFO")), errors);
  assert.ok(logged.some((line) => /^ {8}at (Object\.)?sell \(/.test(line)), stderr);
  assert.deepEqual(notFrames(linesBetween(stderr, "level", "off")), errors);
  assert.deepEqual(notFrames(linesBetween(stderr, "off", "end")), [
    "unhandled rejection: Error: floating",
    "uncaught error: Error: timer",
  ]);
});

/** Dispatches an unhandled error as the runtime does, and returns whether it was handled. */
function throwNowhere(error: unknown): boolean {
  return !dispatchEvent(new ErrorEvent("error", { error, cancelable: true }));
}

function rejectNowhere(reason: unknown): boolean {
  const promise = Promise.resolve();
  const event = new PromiseRejectionEvent("unhandledrejection", {
    reason,
    promise,
    cancelable: true,
  });
  return !dispatchEvent(event);
}

Deno.test("logUnhandledErrors logs unhandled errors, and keeps the process alive", async () => {
  using logs = await CapturedLogs.start();
  {
    using _errors = logUnhandledErrors();
    const error = new RangeError("broken");
    error.stack = "RangeError: broken\n    at somewhere";
    assert.ok(throwNowhere(error));
    assert.ok(rejectNowhere({ code: 5 }));
  }
  assert.deepEqual(logs.lines, [
    "ERROR server: uncaught error: broken\n    RangeError: broken\n        at somewhere",
    "ERROR server: unhandled rejection: { code: 5 }",
  ]);
});

Deno.test("logUnhandledErrors logs values that throw when inspected, and shortens others", async () => {
  using logs = await CapturedLogs.start();
  {
    using _errors = logUnhandledErrors();
    const refuse = () => {
      throw new Error("not to be looked at");
    };
    assert.ok(rejectNowhere(new Proxy({}, { get: refuse, getPrototypeOf: refuse })));
    assert.ok(rejectNowhere(new Error("x".repeat(1_000_000))));
  }
  assert.match(logs.lines[0]!, /unhandled rejection: something that cannot be shown$/);
  assert.ok(logs.lines[1]!.length < 22_000);
});

Deno.test("logUnhandledErrors counts repetitions of an error that it left out, and logs others", async () => {
  using logs = await CapturedLogs.start();
  {
    using _errors = logUnhandledErrors();
    for (let i = 0; i < 1000; i++) rejectNowhere("again");
    rejectNowhere("another");
  }
  assert.equal(logs.matching(/ERROR .* "again"$/).length, 5);
  assert.equal(logs.matching(/ERROR .* "another"$/).length, 1);
  assert.deepEqual(logs.matching(/WARN/), [
    'WARN server: 995 more lines were left out: unhandled rejection: "again" of this program',
  ]);
});
