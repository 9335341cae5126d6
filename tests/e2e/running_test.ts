import assert from "node:assert/strict";
import { hashText } from "../../runtime/code/unit.ts";
import { testWith } from "../requirements.ts";
import { RunningEnsemble, WAITING } from "./running_ensemble.ts";

const MOD = JSON.stringify(new URL("../../mod.ts", import.meta.url).href);

/** The runtime's module, for programs that start their server themselves. */
const OWN_PROGRAM = `import { runServer, currentServer, 
  runProgram, startServer } from "@gxensemble/ensemble";`;

/** Arguments of programs that look like options of `run`. */
const OPTIONS = ["1", "-x", "--log", "3"];

/** An ensemble for the tests that allow other servers. */
let ensemble: RunningEnsemble;

Deno.test.beforeAll(async () => {
  ensemble = await RunningEnsemble.start();
});

Deno.test.afterAll(async () => await ensemble[Symbol.asyncDispose]());

Deno.test("run handles a main that returns, throws or is missing, and a program that starts its own server", async () => {
  await using ensemble = await RunningEnsemble.start();
  const cases: [name: string, text: string, code: number, stderr: RegExp][] = [
    [
      "returns",
      "export const main = (...words) => console.log(words.join());",
      0,
      /has stopped\n$/,
    ],
    [
      "throws",
      "export function main() {\n throw new TypeError('no luck', { cause: 'rain' }); }",
      1,
      /error: main of \S+ failed: no luck, at \S+throws\.ts:2:\d+\n {2}Caused by: "rain"\n$/,
    ],
    [
      "rejects",
      "export const main = () => Promise.reject('no luck');\nif (import.meta.main) main();",
      1,
      /error: .*"no luck"\n.*uses import\.meta\.main: .* use deno run/,
    ],
    ["none", "export const nomain = 1;", 1, /error: \S+none\.ts does not export a function main\n/],
    [
      "fails",
      "\nthrow new Error('while loading');",
      1,
      /error: \S+fails\.ts:2:\d+: Error: while loading\n/,
    ],
    ["syntax", "export const = 1;", 1, /error: \S+syntax\.ts:1:\d+: /],
    // Separate programs, run with deno run.
    [
      "itself",
      `${OWN_PROGRAM} await runServer("itself", async (server) => {
         const { roles, addresses } = await server.lookup({ id: server.id });
         console.log(Deno.args.join(), import.meta.main, server === currentServer(), roles, addresses.length);
       }, { roles: ["own"], listen: ["tcp://127.0.0.1:0"] });
       if (import.meta.main) console.log("after");`,
      0,
      /has stopped\n$/,
    ],
    [
      "main2",
      `${OWN_PROGRAM} export async function main() {
         const server = await startServer("main2");
         console.log(import.meta.main, server === currentServer());
         await server.stop();
       }`,
      0,
      /has stopped\n$/,
    ],
    [
      "called",
      `${OWN_PROGRAM} Deno.exit(await runProgram((...all) => {
         console.log(all.join(), currentServer().id);
       }, { roles: ["own"] }));`,
      0,
      /has stopped\n$/,
    ],
    [
      "threeways",
      `${OWN_PROGRAM} export const main = (...all) => console.log(all.join(), currentServer().roles);
       if (import.meta.main) Deno.exit(await runProgram(main, { roles: ["own"] }));`,
      0,
      /has stopped\n$/,
    ],
    [
      "uncalled",
      `${OWN_PROGRAM} export const main = (...all) => console.log(all.join(), currentServer().roles);
       export const start = () => runProgram(main, { roles: ["own"] });`,
      0,
      /has stopped\n$/,
    ],
    [
      "failing",
      `${OWN_PROGRAM} await runServer("failing", () => { throw Error("of its own"); });`,
      1,
      /error: \S+failing\.ts:\d+:\d+: Error: of its own\n/,
    ],
    [
      "named",
      `${OWN_PROGRAM} await startServer("other"); Deno.exit(9);`,
      1,
      /cannot start server other: gxensemble run has started this process as server named; pass it the id/,
    ],
  ];
  const output: Record<string, string> = {
    returns: "1,-x,--log,3\n",
    itself: '1,-x,--log,3 true true [ "blue", "own" ] 2\nafter\n',
    main2: "false true\n",
    called: "1,-x,--log,3 called\n",
    threeways: '1,-x,--log,3 [ "blue", "own" ]\n',
    uncalled: '1,-x,--log,3 [ "blue" ]\n',
  };
  await Promise.all(cases.map(async ([name, text, code, pattern]) => {
    const file = await ensemble.write(`${name}.ts`, text);
    const outcome = await ensemble.run("run", "--roles", "blue", name, file, ...OPTIONS);
    assert.equal(outcome.code, code, `${name}: ${outcome.stderr}`);
    assert.equal(outcome.stdout, output[name] ?? "");
    assert.match(outcome.stderr, pattern, name);
  }));
  assert.match(await ensemble.failure("run", "a", ensemble.path("nosuch.ts")), /nosuch\.ts/);
  assert.match(
    await ensemble.failure("run", "registry", ensemble.path("returns.ts")),
    /gxensemble registry/,
  );
  assert.deepEqual(await ensemble.listed(), ["registry"]);
  assert.deepEqual(ensemble.sockets(), ["registry"]);
});

Deno.test("run compiles only what has changed since the last run, unless it may not write", async () => {
  await using ensemble = await RunningEnsemble.start();
  const analyses = `${ensemble.places.gerbilPath}/ensemble/analyses`;
  const main = await ensemble.write(
    "word.ts",
    'import { word } from "./words.ts"; export const main = () => console.log(word);',
  );
  await ensemble.write("words.ts", 'export const word: string = "compiled";');
  const run = async (...options: string[]) => {
    const { code, stdout, stderr } = await ensemble.run("run", ...options, "word", main);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  assert.equal(await run("--deny", "write,run,ffi"), "compiled\n");
  await assert.rejects(Deno.stat(analyses), Deno.errors.NotFound);
  assert.equal(await run(), "compiled\n");
  const [{ name }] = await Array.fromAsync(Deno.readDir(analyses)) as [Deno.DirEntry];
  const file = `${analyses}/${name}`;
  // What is kept shows that it is used.
  const kept = (await Deno.readTextFile(file)).split("\n")[1]!
    .replace('= \\"compiled\\";","mappings"', '= \\"kept\\";","mappings"');
  await Deno.writeTextFile(file, `${await hashText(kept)}\n${kept}`);
  assert.equal(await run(), "kept\n");
  await ensemble.write("words.ts", 'export const word: string = "changed";');
  assert.equal(await run(), "changed\n");
});

Deno.test("run refuses an id that is running, and leaves the running server alone", async () => {
  const server = await ensemble.startServer(
    "a",
    [],
    `
    import { currentServer } from "@gxensemble/ensemble";
    globalThis.first = true;
    export const main = () => currentServer().stopped;
  `,
  );
  const program = await ensemble.write("second.ts", WAITING);
  assert.equal(
    await ensemble.failure("run", "a", program),
    `cannot listen at unix:${ensemble.socket("a")}: a server with that id is already running here`,
  );
  assert.match(
    await ensemble.failure("registry"),
    /^cannot listen at unix:\S+\/registry: a server with that id is already running here$/,
  );
  // Nor does code loaded from elsewhere get the server that main could have.
  const own = await ensemble.write(
    "own.ts",
    `${OWN_PROGRAM} await startServer("a");`,
  );
  assert.match(await ensemble.failure("load", "a", own), /: this process already runs it, and/);
  assert.deepEqual(await ensemble.lines("eval", "a", "globalThis.first"), ["true"]);
  assert.equal(server.matching(/ ERROR /).length, 0);
});

Deno.test("run --no-loader refuses load, eval and repl, with the reason", async () => {
  await ensemble.startServer("closed", ["--no-loader"]);
  const reason =
    "closed does not accept code: it was started without a loader (--no-loader), so nothing " +
    "can be loaded into it or evaluated in it";
  const program = await ensemble.write("late.ts", WAITING);
  for (
    const command of [["eval", "closed", "1"], ["load", "-f", "closed", program], [
      "repl",
      "closed",
    ]]
  ) {
    assert.equal(await ensemble.failure(...command), reason);
  }
  assert.deepEqual(await ensemble.lines("ping", "closed"), ["OK"]);
});

Deno.test("run -l and -a make a server reachable at its port, and announce the given address", async () => {
  await using ensemble = await RunningEnsemble.start("-l", "tcp://127.0.0.1:0");
  const server = await ensemble.startServer("a", ["-l", "tcp://127.0.0.1:0"]);
  const [, port] = await server.logged(/a listens at tcp:\/\/127\.0\.0\.1:(\d+)$/);
  const unix = `(unix: "${Deno.hostname()}" "${ensemble.socket("a")}")`;
  const tcp = `(tcp: "127.0.0.1:${port}")`;
  assert.deepEqual(await ensemble.lines("lookup", "a"), [`(a ${unix} ${tcp})`]);

  await ensemble.startServer("b", ["-l", "tcp://127.0.0.1:0", "-a", tcp]);
  assert.deepEqual(await ensemble.lines("lookup", "b"), [`(b ${tcp})`]);
  // Server a listens at the announced port, so b is not reached there, and a is not mistaken for
  // it.
  assert.match(
    await ensemble.failure("ping", "b"),
    /^cannot reach b: tcp:\S+: this is server a, not b$/,
  );

  const c = await ensemble.startServer("c", ["-l", '((tcp: "127.0.0.1:0"))', "-a", unix]);
  await c.logged(/c listens at tcp:/);
  assert.deepEqual(await ensemble.lines("lookup", "c"), [`(c ${unix})`]);
});

Deno.test("a registry on a port serves servers with other socket directories", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.run("cookie");
  const registry = await ensemble.startRegistry("-l", "tcp://127.0.0.1:0");
  const [, address] = await registry.logged(/registry listens at (tcp:\S+)$/);
  await using other = new RunningEnsemble();
  await Deno.mkdir(`${other.places.gerbilPath}/ensemble`, { recursive: true });
  await Deno.copyFile(ensemble.places.cookiePath, other.places.cookiePath);
  await Deno.chmod(other.places.cookiePath, 0o600);
  await Deno.writeTextFile(
    `${other.places.gerbilPath}/ensemble/known-servers`,
    `registry ${address}\n`,
  );
  await other.startServer("far", ["-l", "tcp://127.0.0.1:0"]);
  await ensemble.startServer("near", ["-l", "tcp://127.0.0.1:0"]);
  assert.deepEqual(await ensemble.lines("ping", "far"), ["OK"]);
  assert.deepEqual(await other.lines("ping", "near"), ["OK"]);
  const lines = await ensemble.lines("shutdown", "-f", "--registry", address!);
  assert.deepEqual(lines.sort().at(-1), "... shutting down registry");
  assert.deepEqual(other.sockets(), []);
});

testWith(["mkfifo"], {
  name: "SIGHUP does not end a server that is starting",
  async fn() {
    const module = ensemble.path("slow.ts");
    await ensemble.write("early.ts", `export { main } from "./slow.ts";`);
    await new Deno.Command("mkfifo", { args: [module] }).output();
    const server = ensemble.spawn("run", "early", ensemble.path("early.ts"));
    // Opens when the server reads the module.
    using file = await Deno.open(module, { write: true });
    server.signal("SIGHUP");
    await file.write(new TextEncoder().encode(WAITING));
    file.close();
    await server.logged(/early is in the registry$/);
  },
});

Deno.test("--log-file - writes the log to the server's directory, reopens it after a rename, and respects --log", async () => {
  await using ensemble = await RunningEnsemble.start();
  const program = await ensemble.write("main.ts", WAITING);
  const server = ensemble.spawn("run", "--log", "DEBUG", "--log-file", "-", "a", program);
  const quiet = ensemble.spawn("run", "--log", "ERROR", "b", program);
  await server.until(() => ensemble.answers("a"), "reached");
  await quiet.until(() => ensemble.answers("b"), "reached");
  const file = `${ensemble.places.gerbilPath}/ensemble/server/a/log`;
  await Deno.rename(file, `${file}.1`);
  server.signal("SIGHUP");
  const isReopened = () => Deno.stat(file).then(({ size }) => size > 0, () => false);
  await server.until(isReopened, "logging to a new file");
  await Deno.rename(file, `${file}.2`);
  await Deno.mkdir(file);
  server.signal("SIGHUP");
  await server.logged(/^the log stays in its file: cannot write the log file \S+\/log: /);
  await Deno.remove(file);
  await Deno.rename(`${file}.2`, file);
  await ensemble.lines("shutdown", "-f");
  assert.equal(await server.exit(), 0);
  assert.equal(await quiet.exit(), 0);
  assert.deepEqual([server.log.length, ...quiet.log], [1]);
  const rotated = await Deno.readTextFile(`${file}.1`);
  assert.match(rotated, /^\S+Z INFO server: a listens at unix:\S+\n/);
  assert.match(rotated, / DEBUG /);
  const log = await Deno.readTextFile(file);
  assert.match(log, /^\S+Z INFO server: a has read its certificates again\n/);
  assert.match(
    log,
    /INFO server: a has read its cookie and the administrators' public key again\n/,
  );
  assert.match(log, /INFO server: a has stopped\n$/);
});

Deno.test("runServer makes a program a server", async () => {
  const program = await ensemble.write(
    "program.ts",
    `
    import * as ensemble from ${MOD};
    const { runServer } = ensemble;
    let total = 0;
    const result = await runServer("counter", async (server) => {
      server.serve("counter", { add: ({ amount }: { amount: number }) => total += amount });
      console.log("serving");
      await server.stopped;
      return total;
    }, { roles: ["counter"], library: { "@gxensemble/ensemble": ensemble } });
    console.log("result", result);
  `,
  );
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const process = ensemble.spawnDeno("run", "-A", `--config=${config}`, program);
  await process.until(() => ensemble.answers("counter"), "reached");
  const handler = await ensemble.write(
    "handler.ts",
    `
    import { currentServer } from "@gxensemble/ensemble";
    export const answer = await currentServer().ask("counter", { type: "add", amount: 3 });
  `,
  );
  await ensemble.lines("load", "counter", handler);
  assert.deepEqual(
    await ensemble.lines("eval", "counter", "ensemble.ask('counter', { type: 'add', amount: 4 })"),
    ["7"],
  );
  await ensemble.lines("shutdown", "counter");
  assert.equal(await process.exit(), 0);
  assert.deepEqual(process.output, ["serving", "result 7"]);
});
