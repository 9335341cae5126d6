import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { makeExecutable } from "../../cli/executables/executable.ts";
import { freePort } from "../free_port.ts";
import { findProgram } from "../requirements.ts";
import { TemporaryEnsemble } from "../temporary_ensemble.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

const HTTPD_SVC = fileURLToPath(new URL("../../examples/httpd/httpd_svc.ts", import.meta.url));

const HANDLER = HTTPD_SVC.replace("httpd_svc.ts", "handler.ts");

const hello = (text: string) => `console.log(${JSON.stringify(text)});`;

/**
 * A stand-in for the runtime into which `deno compile` puts a program: a small file of the same
 * kind, which is fast to copy, and does not run its contents.
 */
const SMALL_RUNTIME = findProgram("true")!;

Deno.test("compile refuses a program that cannot be compiled, with the reason", async () => {
  await using ensemble = new RunningEnsemble();
  const main = await ensemble.write("main.ts", hello("one"));
  const page = await ensemble.write("index.html", "<p>");
  const nothing = await ensemble.write(
    "nothing.ts",
    `export const text = "import.meta.main"; export enum Color { Red } // export function main() {}`,
  );
  const loop = ensemble.path("loop");
  await Deno.mkdir(loop);
  await Deno.symlink(".", `${loop}/again`);
  await ensemble.write("bad/deno.json", '{ "unstable": ["nosuch"] }');
  const bad = await ensemble.write("bad/main.ts", hello("one"));
  const taken = await ensemble.write("main.js", "");
  const output = ensemble.path("out");
  const cases: [args: string[], reason: RegExp][] = [
    [["-o", main, main], /^cannot write to .*main\.ts: it is the program's module/],
    [["-o", loop, main], /^cannot write to .*loop: it is a directory; name a file in it$/],
    [["-o", `${output}/`, main], /out\/: it is a directory; pass a file name$/],
    [["-o", "/dev/null", main], /^cannot write to \/dev\/null: it is not a file$/],
    [["-o", `${output}/nosuch/out`, main], /nosuch: there is no such directory$/],
    [["-o", output, `${main}on`], /^no such file: /],
    [["-o", output, "https://x.test/main.ts"], /is not a file on this host, and only files can/],
    [
      ["-o", output, ensemble.path("bad/deno.json")],
      /^cannot bundle .*deno\.json: it is not a module$/,
    ],
    [
      ["-o", output, nothing],
      /nothing\.ts has nothing to run: it does not export a function main, and its top level does nothing$/,
    ],
    [["-o", output, page], /^cannot bundle .*index\.html: it is not a module$/],
    [
      ["-o", output, "--include", loop, main],
      /loop\/again: it is a link to a directory that contains it$/,
    ],
    [["-o", output, "--include", "/dev/null", main], /below the directory of the program's module/],
    [["-o", output, "--include", `${loop}/nosuch`, main], /nosuch: it does not exist$/],
    [["-o", output, "--include", taken, main], /a file of the program itself has its name/],
    [
      ["-o", output, bad],
      /^wrong "unstable" setting of the project in .*bad: .*nosuch[^]*(?<!<unknown>)$/,
    ],
  ];
  await Promise.all(cases.map(async ([args, reason]) => {
    assert.match(await ensemble.failure("compile", ...args), reason);
  }));
  const left = Array.from(Deno.readDirSync(ensemble.path("")), ({ name }) => name).sort();
  assert.deepEqual(left, ["bad", "index.html", "loop", "main.js", "main.ts", "nothing.ts"]);
});

Deno.test("compile leaves nothing behind when it is interrupted", async () => {
  await using ensemble = new RunningEnsemble();
  const main = await ensemble.write("main.ts", hello("one"));
  const names = () => Array.from(Deno.readDirSync(ensemble.path("")), ({ name }) => name).sort();
  ensemble.places.environment.DENORT_BIN = SMALL_RUNTIME;
  const process = ensemble.spawn("compile", "-o", ensemble.path("out"), main);
  await process.until(() => Promise.resolve(names().length > 1), "compiling");
  process.signal("SIGTERM");
  assert.equal(await process.exit(), 143);
  assert.deepEqual(names(), ["main.ts"]);
});

Deno.test("a compiled module with main takes the options of run, and loaded code shares its modules", async () => {
  await using ensemble = await RunningEnsemble.start();
  const output = ensemble.path("web");
  const deno = await ensemble.writeDeno();
  // Like the project's own executables.
  const lazyBuiltins = ["node:fs", "node:child_process", "node:process"];
  await makeExecutable({ entry: HTTPD_SVC, output, portable: true, deno, lazyBuiltins });
  const outcome = (...args: string[]) => ensemble.places.external(output, ...args).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

  const port = String(freePort());
  const server = ensemble.spawnProgram(
    // Nothing can be written beside the tests' Deno.
    "env",
    `DENO_DIR=${ensemble.path("cache")}`,
    output,
    "--roles",
    "(httpd)",
    "--log",
    "debug",
    // It restarts, and still undoes what its header has set.
    "--deny",
    "env",
    "web1",
    port,
  );
  await server.logged(/web1 is in the registry$/);
  const [help, version, wrong] = await Promise.all([
    outcome("--help"),
    outcome("--version"),
    outcome("--role", "httpd", "web1"),
  ]);
  assert.match(text(help.stdout), /^Usage: web \[command-option \.\.\.\] <server-id> <main-args>/);
  assert.match(text(version.stdout), /^web \S+ \(portable, \S+\)\ngxensemble \S+\ndeno /);
  assert.deepEqual([wrong.code, text(wrong.stdout)], [2, ""]);
  assert.match(text(wrong.stderr), /^web: error: unknown option '--role' .*\nsee web --help\n$/);

  await server.until(() => ensemble.answers("web1"), "reached");
  assert.deepEqual(await ensemble.lines("lookup", "--role", "httpd"), [
    `(web1 (unix: "${Deno.hostname()}" "${ensemble.socket("web1")}"))`,
  ]);
  const loaded = await ensemble.lines("load", "web1", HANDLER);
  assert.deepEqual(loaded.filter((line) => line.startsWith("...")), [
    `... already loaded ${HANDLER.replace("handler", "httpd")}`,
    `... loading code object file ${HANDLER}`,
  ]);
  const response = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(await response.text(), "the world is not flat but round!\n");
  server.signal("SIGTERM");
  assert.equal(await server.exit(), 0);
});

Deno.test("compile with DENORT_BIN runs Deno's compiler, and includes all parts", async () => {
  using places = new TemporaryEnsemble();
  const at = (name: string) => `${places.directory}/${name}`;
  await Deno.writeTextFile(at("main.ts"), `console.log("the start", await import("./part.ts"));`);
  await Deno.writeTextFile(at("part.ts"), `export const part: string = "the part";`);
  await Deno.writeTextFile(at("page.txt"), "the page");
  const command = ["compile", "-o", at("program"), "--include", at("page.txt"), at("main.ts")];
  places.environment.DENORT_BIN = SMALL_RUNTIME;
  const { code, stdout, stderr } = await places.runProcess(...command);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(stdout, /^\.\.\. compiled \S+\/program \(compiled, \d+ bytes\)\n[0-9a-f]{64}\n$/);
  const written = new TextDecoder("latin1").decode(await Deno.readFile(at("program")));
  for (const text of ["the start", "the part", "the page"]) assert.ok(written.includes(text), text);
});
