import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { LINUX, testWith } from "../../requirements.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";
import { onTerminal } from "../../terminal.ts";
import { eventually } from "../server/captured_logs.ts";

const HOME = new URL("../../../runtime/home/", import.meta.url).href;

/** A program that runs statements with a server's console. */
function served(statements: string): string {
  return `
    import { installProgramOutput } from "${HOME}program_output.ts";
    import { startLogging } from "${HOME}logging.ts";
    import process from "node:process";
    installProgramOutput();
    startLogging({}, "a");
    ${statements}
  `;
}

const PRINTING = String.raw`
  import process from "node:process";
  console.log("text %s %d %o %c!", "x", 4.5, { a: 1 }, "color: red", [1, "two", new Map([["k", { deep: { er: {} } }]])]);
  console.info();
  console.debug(Symbol("s"), 1n, -0, null, undefined, class A {}, new Error("e").message);
  console.warn({ warn: new Set(["w"]) });
  console.error("error\nof two lines");
  console.group("group");
  console.log("in it\nand again");
  console.table([{ a: 1, b: "x" }]);
  console.groupEnd();
  console.dir({ a: { b: { c: { d: 1 } } } }, { depth: 1 });
  console.assert(1 > 2, "no");
  console.count();
  console.countReset("default");
  console.timeEnd("none");
  const { log } = console;
  log("alone");
  process.stdout.write("process\n");
  process.stdout.write("70726f63657373\n", "hex", () => process.stderr.write(new TextEncoder().encode("then\n")));
`;

Deno.test("a server's console prints as Deno's does", async () => {
  using ensemble = new TemporaryEnsemble();
  const [theirs, ours] = await Promise.all([
    ensemble.evaluate(PRINTING),
    ensemble.evaluate(served(PRINTING.replace(/import .*/, ""))),
  ]);
  assert.equal(theirs.code, 0);
  assert.deepEqual(ours, theirs);
});

Deno.test("a server's console uses color on a terminal", async () => {
  using ensemble = new TemporaryEnsemble();
  const command = [Deno.execPath(), "eval", "--ext=ts", served("console.log([1]);")];
  const { raw } = await onTerminal(ensemble, command);
  assert.ok(raw.includes("[ \x1b[33m1\x1b[39m ]"), raw);
});

Deno.test("a debugger, and a console that the program installs, still receive the output", async () => {
  using ensemble = new TemporaryEnsemble();
  const { stdout } = await ensemble.evaluate(
    `console.warn = (text) => console.log("the program's own", text);` + served(`
    import inspector from "node:inspector";
    const session = new inspector.Session();
    session.connect();
    const seen = Promise.withResolvers();
    session.on("Runtime.consoleAPICalled", ({ params }) => seen.resolve(params.args[0].value));
    session.post("Runtime.enable");
    console.log("printed");
    console.error("seen", await seen.promise);
    console.warn("warned");
  `).replace("console.error", "console.log"),
  );
  assert.deepEqual(stdout.split("\n").slice(0, 3), [
    "printed",
    "seen printed",
    "the program's own warned",
  ]);
});

Deno.test("a server continues when its readers stop, and its output is complete when they resume", async () => {
  using ensemble = new TemporaryEnsemble();
  const alive = `${ensemble.directory}/alive`;
  const child = ensemble.command(
    "eval",
    served(`
      import { writeErrors } from "${HOME}standard_stream.ts";
      for (let number = 0; number < 10_000; number++) {
        console.log("line " + number);
        console.error("line " + number);
      }
      process.stdout.write("the end\\n");
      writeErrors("the end\\n");
      setTimeout(() => Deno.writeTextFileSync("${alive}", ""), 1);
    `),
  ).spawn();
  await eventually(() => existsSync(alive), "it goes on");
  const expected = Array.from({ length: 10_000 }, (_, number) => `line ${number}`);
  expected.push("the end", "");
  const { code, stdout, stderr } = await child.output();
  for (const bytes of [stdout, stderr]) {
    assert.deepEqual(new TextDecoder().decode(bytes).split("\n"), expected);
  }
  assert.equal(code, 0);
});

testWith([LINUX], {
  name: "a server continues when its standard output is full, and logs the lost output",
  async fn() {
    using ensemble = new TemporaryEnsemble();
    const { stderr } = await ensemble.external(
      "sh",
      "-c",
      'exec "$@" >/dev/full',
      "sh",
      Deno.execPath(),
      "eval",
      served(`
      console.log("lost");
      console.table([{ lost: 1 }]);
      process.stdout.write("lost");
      console.error("goes on");
    `),
    ).output();
    assert.deepEqual(
      new TextDecoder().decode(stderr).replace(/^\S+Z /, "").split("\n"),
      [
        "WARN server: output to standard output is lost: No space left on device (os error 28)",
        "goes on",
        "",
      ],
    );
  },
});
