import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import fc from "npm:fast-check@^4.10.2";
import { colorValue, visibleValue } from "../../../cli/kit/output.ts";
import { hasControls } from "../../../runtime/safe_text.ts";
import { LINUX, testWith } from "../../requirements.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";
import { onTerminal } from "../../terminal.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const OUTPUT = new URL("../../../cli/kit/output.ts", import.meta.url).href;

/** Prints something in a separate process whose standard output and standard error are pipes. */
async function print(statement: string): Promise<{ stdout: string; stderr: string }> {
  using ensemble = new TemporaryEnsemble();
  const { code, stdout, stderr } = await ensemble.evaluate(
    `import * as output from ${JSON.stringify(OUTPUT)}; output.${statement};`,
  );
  assert.equal(code, 0, stderr);
  return { stdout, stderr };
}

const READABLE = "שלום\u00a0سلام 👩‍🚀\t日本";

Deno.test("every way to print escapes control characters, and keeps other text", async () => {
  const text = JSON.stringify(`a\nb\r\x1b[1m\x9b\u202e${READABLE}`);
  const lines = String.raw`b\r\u001b[1m\u009b\u202e` + READABLE;
  const printed = {
    [`printLine(${text})`]: [String.raw`a\n${lines}`.replace("\t", "\\t") + "\n", ""],
    [`printText(${text})`]: [`a\n${lines}`, ""],
    [`printValue(${text})`]: [`a\n${lines}\n`, ""],
    [`printNotice(${text})`]: ["", `a\n${lines}\n`],
    [`printErrorText(${text})`]: ["", `a\n${lines}`],
  };
  await Promise.all(
    Object.entries(printed).map(async ([statement, [stdout, stderr]]) =>
      assert.deepEqual(await print(statement), { stdout, stderr })
    ),
  );
});

Deno.test("printJson prints only visible characters, and JSON.parse restores the value exactly", async () => {
  const value = { [`k\x9b\u{e0041}`]: [`a\n\x7f\u202e\ud800${READABLE}`] };
  for (const options of ["{ oneLine: true }", "{}"]) {
    const { stdout } = await print(`printJson(${JSON.stringify(value)}, ${options})`);
    assert.deepEqual(JSON.parse(stdout), value);
    assert.ok(stdout.includes(String.raw`k\u009b\udb40\udc41`), stdout);
    assert.ok(stdout.includes(READABLE.replace("\t", "\\t")), stdout);
    assert.ok(!hasControls(stdout.replaceAll("\n", "")), stdout);
  }
});

Deno.test("visibleValue colors the characters that it escapes", () => {
  assert.equal(
    visibleValue('"\x1b[31m\u202e"', { colors: true }),
    '\x1b[32m"\\u001b[31m\\u202e"\x1b[39m',
  );
});

Deno.test("printValue uses color on a terminal, unless NO_COLOR is set", async () => {
  using ensemble = new TemporaryEnsemble();
  const script = `import { printValue } from ${JSON.stringify(OUTPUT)}; printValue("[ 1 ]");`;
  const command = [Deno.execPath(), "eval", script];
  const coloured = await onTerminal(ensemble, command);
  assert.ok(coloured.raw.includes("[ \x1b[33m1\x1b[39m ]"), coloured.raw);
  const plain = await onTerminal(ensemble, ["env", "NO_COLOR=1", ...command]);
  assert.ok(plain.raw.includes("[ 1 ]"), plain.raw);
});

Deno.test("only output.ts prints in cli, and the REPL's terminal prints what output.ts has escaped", async () => {
  const printing =
    /console\.(?:log|info|warn|error|debug)\(|std(?:out|err)\.write|Deno\.std(?:out|err)\b(?!\.isTerminal)|write(?:Output|Errors)\(/;
  const found: string[] = [];
  for await (const path of sourcesBelow("cli")) {
    const text = await Deno.readTextFile(`${ROOT}${path}`);
    // Examples print.
    if (printing.test(text.replaceAll(/^ *\*.*$/gm, ""))) found.push(path);
  }
  assert.deepEqual(found.sort(), [
    "cli/kit/command_line.ts", // Reads the width of the terminal.
    "cli/kit/deno_command.ts", // Contains the text of a program that it runs.
    "cli/kit/output.ts",
    "cli/kit/progress.ts", // Writes a line of its own text.
    "cli/kit/prompts.ts", // Writes one fixed escape sequence.
    "cli/repl/terminal.ts",
    "cli/start.mjs", // Writes one fixed text, before it imports anything.
    "cli/top/full_screen.ts", // Draws what rows.ts and top.ts have escaped.
  ]);
});

async function* sourcesBelow(directory: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}${directory}`)) {
    if (isDirectory) yield* sourcesBelow(`${directory}/${name}`);
    else if (/\.m?[jt]s$/.test(name)) yield `${directory}/${name}`;
  }
}

Deno.test("a command does not fail when its reader stops early", async () => {
  using ensemble = new TemporaryEnsemble();
  // More than a pipe holds, so that the second half is written after the reader has stopped.
  const program = `
    import { printLine, printNotice } from ${JSON.stringify(OUTPUT)};
    printLine("first");
    for (let line = 0; line < 20_000; line++) printLine("another line of the result");
    printNotice("done");
  `;
  const child = ensemble.command("eval", program).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  assert.ok(new TextDecoder().decode(value).startsWith("first\n"));
  await reader.cancel();
  const stderr = await new Response(child.stderr).text();
  assert.deepEqual({ code: (await child.status).code, stderr }, { code: 0, stderr: "done\n" });
});

testWith([LINUX], {
  name: "a command fails when its output can no longer be written",
  async fn() {
    using ensemble = new TemporaryEnsemble();
    const shell = new Deno.Command("sh", {
      args: ["-c", '"$@" >/dev/full', "sh", ...ensemble.program, "help"],
      env: ensemble.environment,
    });
    const { code, stderr } = await shell.output();
    assert.equal(code, 1);
    assert.match(
      new TextDecoder().decode(stderr),
      /^gxensemble: error: cannot write the output: No space left on device.*\n$/,
    );
  },
});

const OPTIONS = { depth: 4, iterableLimit: 100 };

function assertAsInspected(value: unknown): void {
  const plain = Deno.inspect(value, { ...OPTIONS, colors: false });
  assert.equal(colorValue(plain), Deno.inspect(value, { ...OPTIONS, colors: true }));
}

Deno.test("colorValue uses the colors of Deno.inspect", () => {
  class Point {
    x = 1;
    static origin = 2;
    get length() {
      return 3;
    }
  }
  const circular: { a: { b: unknown[] } } = { a: { b: [] } };
  circular.a.b.push(circular);
  const values: unknown[] = [
    ...["a", "", 'a"b', `a"'b`, "a`\"'", "a\\", "a\nb", "a: 1, b", "[ 1 ]", "null"],
    ...[0, -0, 1.5, -1e-7, 1e21, NaN, -Infinity, 12n, true, false, null, undefined],
    ...[Symbol("a b"), Symbol("ab"), Symbol(), Symbol.iterator],
    ...[new Date(0), new Date(NaN), /a\/b[/\]]/gi, [/x/, new Date(0)]],
    ...[() => 1, function named() {}, async () => {}, class {}, Point, new Point()],
    Object.assign(Array(7), { 0: 1, 2: 3, 5: 4 }),
    { a: 1, "b-c": "d", 5: null, true: true, null: undefined, undefined: null, NaN: NaN },
    {
      [Symbol("k")]: 1,
      get g() {
        return 1;
      },
      set s(value: number) {
        assert.ok(value);
      },
      f() {},
      async g2() {},
      *h() {},
      c: class extends Point {},
    },
    new Map<unknown, unknown>([["a", 1], [{ x: 1 }, new Set([1, null, "b"])], [null, undefined]]),
    ...[new Uint8Array([1, 200]), new ArrayBuffer(3), new DataView(new ArrayBuffer(2))],
    ...[Promise.resolve("a"), new Promise(() => {}), new WeakMap(), new WeakRef({})],
    ...[new Number(3), new String("a"), new Boolean(false), Object(1n)],
    ...[Object.create(null), Object.assign(Object.create(null), { a: "b" }), circular],
    ...[[[[[[[1]]]]]], { a: { b: { c: { d: { e: { f: 1 } } } } } }, Array(200).fill(7)],
    ...[new URL("http://a/b?c=1"), new Headers({ a: "b" }), Deno.version, Math, globalThis.JSON],
    ..."x".repeat(200).match(/.{20}/g)!.map((text, index) => ({ text, index })),
  ];
  for (const value of values) assertAsInspected(value);
});

Deno.test("colorValue uses the colors of Deno.inspect for any plain value", () => {
  const arbitrary = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withSparseArray: true,
    withNullPrototype: true,
    withTypedArray: true,
    maxDepth: 3,
  });
  fc.assert(fc.property(arbitrary, assertAsInspected), { numRuns: 300 });
});

Deno.test("colorValue adds colors and changes nothing else", () => {
  // deno-lint-ignore no-control-regex -- colours are what has to be found
  const colours = /\x1b\[(?:1|22|3[1-9]|90)m/g;
  const parts = fc.constantFrom(
    ..."[]{}<>()/\\\"'`:,=.- \n",
    "1",
    "null",
    "a",
    "Symbol(",
    "ref *1",
  );
  fc.assert(fc.property(fc.string({ unit: parts }), (text) => {
    assert.equal(colorValue(text).replaceAll(colours, ""), text);
  }));
});

Deno.test("colorValue takes time linear in the length of the text", () => {
  const units = [
    ", /[",
    ", Symbol(",
    ", [Function: ",
    ', "',
    ", 'a\"`",
    ", /a",
    ", 1e+",
    ", [",
  ];
  for (const unit of units) colorValue(unit.repeat(30_000));
  colorValue(" ".repeat(2_000_000));
});
