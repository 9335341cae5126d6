import assert from "node:assert/strict";
import {
  continuesInput,
  InputLines,
  isIncomplete,
  splitInputs,
} from "../../../cli/repl/continuation.ts";

/** Texts that further lines can complete. */
const INCOMPLETE = [
  // Operators and operands.
  ...["1 +", "a ?", "a ? b", "a ? b :", "a ??", "a ||=", "a **", "x instanceof", "a in", "let a ="],
  ...["x.", "x?.", "a?.[", "x[", "!", "typeof", "delete", "void", "new", "await", "1..", "x as"],
  ...["x satisfies", "import.", "this.", "new.", "a\n  .b("],
  // Brackets.
  ...[
    "(",
    "((",
    "[1,2",
    "[,",
    "[...",
    "foo(",
    "new A(",
    "import(",
    "a < b > (",
    "f<",
    "f<string>(",
  ],
  ...["f<string>({", "f<{ a: 1"],
  // Objects and blocks.
  ...["{", "{ a", "{ a:", "{ a: 1", "{ a: 1,", "{ if", "{ get", "{ const a = 1;", "({", "({ a"],
  ...["({ get a() {", "a = b ? {", "const {a", "{ a: <T>(x: T) => {"],
  // Tokens that span lines.
  ...["`abc", "`a${b}\n", "`${", "`${a", "`${a}", "x`\\u{", "foo(`abc", "/* abc", "/*", "'abc\\"],
  ...["f('abc\\", '"a\\', "x = `a\n'b"],
  // Statements.
  ...["if", "if (", "if (x)", "if (x) {", "if (x) {} else", "while", "while (1)", "do", "do x()"],
  ...["do { } while", "do { } while (x", "for", "for (", "for (;;", "for (const", "for (const x"],
  ...["for (const x of", "for (const x of y)", "switch", "switch (x)", "switch (x) {", "label:"],
  ...["switch (x) { case", "try {", "try {}", "try {} catch", "using x =", "var", "export"],
  ...["import", "import a", "import { a", "import { a } from", "import * as", "import type {A"],
  ...["export {", "export * from", "export default"],
  // Functions and classes.
  ...["function", "function*", "function f", "function f(a, a", "function f() {", "async function"],
  ...["function f()", "async function f()", "function f(): void", "(a, b) =>", "a =>", "a => {"],
  ...["async (", "async () => {", "x => x => {", "f(async (a) => {", "f((a: number) => {"],
  ...["class", "class A", "class A extends", "class A {", "class A { #a", "abstract class A"],
  ...["class A { private m = (a: number) => {", "class A { m<T>(a: T) {"],
  // Types.
  ...["const m: Map<string,", "type A", "type A =", "type A = {", "interface A", "interface A {"],
  ...[
    "enum A",
    "enum A {",
    "namespace A",
    "namespace A {",
    "let a: ",
    "let a: {",
    "let a: string |",
  ],
  ...["function f(a:", "function f(): Map<", "let x = <", "let x = <string", "let x = <string>"],
  ...["x = y as Map<string,", "class A<T> extends B<T> { m(): Map<"],
  ...["const f = (a: number): number =>", "const f = (a): a is string => {", "<div>"],
  ...["const f = ({ a }: {", "const f = ({ a }: { a: number }) => {", "(a: number,"],
  // Where the parser tries two readings.
  ...["<T>(", "<T>(a: T) =>", "const f = <T>(a: T) => {", "const f = async <T>(a: T) => {"],
  ...["const f = <T,>(a: T) => {", "<T>(a: T) => f(`a", "f(<T>(a: T) => {\n  return g(a,"],
  ...["f(<T>(a) => {\n  if (a) {", "f(<T>(a) => {\n  while (a", "({ a: <T>(x: T) => { return {"],
  // Columns are not bytes.
  ...["const é = 'ü' +", "'日本' + f(", "'😀' + f("],
];

/** Texts that no further line can complete. */
const WRONG = [
  ...[
    "a = 3.5e",
    "1.e",
    "1e+",
    "0x",
    "0b",
    "0b2",
    "1_",
    "08",
    "1a",
    "3.5e\n",
    "f(3.5e",
    "{ a: 3.5e",
  ],
  ...["'abc", "f('abc", '"\\u{', "'\\x", "'\\u00", "'a\nb'", '"a\\\n', "`${'", "`\\u{"],
  ...["/abc", "/[/", "/a\\", "/a/gg", "/(/", "\\", "\\u", "a\\", "\u201c", "a\u0000"],
  ...["}", "]", ")", "a b", "a = ;", "a..b", "...", "(]", "f(1;", "[1}", "const a = ; `abc"],
  ...["else", "case", "default", "catch", "finally", "break", "return", "yield", "new.target"],
  ...[
    "throw",
    "if (a) throw",
    "const a",
    "export const a",
    "let let",
    "let",
    "static",
    "interface",
    "const a = 1, a = 2",
  ],
  ...["a.#b", "function f(a { ", "x ? (a: number) : b => {", "<!--", "-->"],
  ...[
    "<T>(a) => 3.5e",
    "f(<T>(a) => { b = 3.5e",
    "f(<T>(a) => { const x = ; ",
    "@dec",
    "@dec\nclass A {",
  ],
];

/** Texts that are complete, though more could follow. */
const WHOLE = [
  ...[
    "1",
    "1.",
    "1n",
    "a",
    "a\n  .b",
    "let x",
    "if (x) {}",
    "new A",
    "async",
    "get",
    "of",
    "debugger",
  ],
  ...[
    "// c",
    "/** d */",
    "#!x",
    "x!",
    "f<string>",
    "declare function f(): void",
    "function f(): void;",
  ],
  ...[
    "{}",
    "{ a: 1 }",
    "{ a: 1 }.a",
    "{ const a = 1 }",
    "import { a } from 'x'",
    "type A = string",
  ],
  ...[
    "`a\nb`",
    "'a\\\nb'",
    "/* a\n*/",
    "/[/]/",
    "a / b",
    "<T>(a: T) => a",
    "const f = <T>(a: T) => {}",
  ],
];

Deno.test("isIncomplete is true only if further lines can complete the text", async () => {
  for (const text of INCOMPLETE) assert.equal(await isIncomplete(text), true, text);
  for (const text of [...WRONG, ...WHOLE]) assert.equal(await isIncomplete(text), false, text);
});

Deno.test("isIncomplete is true for every beginning of an input up to a line break", async () => {
  const inputs = [
    "const sum = <T extends number>(\n  ...values: T[]\n): number => {\n  let all = 0;\n" +
    "  for (const value of values) {\n    all += value;\n  }\n  return all;\n};",
    "class A<T>\n  extends B<T> {\n  #n = {\n    a: `\n${\n1\n}\n`,\n  };\n\n  get n() {\n" +
    "    return this\n      .#n;\n  }\n}",
    "function f(\n  a: {\n    b: string;\n  },\n)\n{\n  return a\n    ?.b;\n}",
  ];
  for (const input of inputs) {
    const lines = input.split("\n");
    for (let count = 1; count < lines.length; count++) {
      const beginning = lines.slice(0, count).join("\n");
      assert.equal(await isIncomplete(beginning), true, beginning);
    }
    assert.equal(await isIncomplete(input), false, input);
  }
});

Deno.test("continuesInput is true for a line that is valid only after the input", async () => {
  const cases: [input: string, line: string, expected: boolean][] = [
    ["foo", "  .bar()", true],
    ["foo", "  ?.bar()", true],
    ["foo()", "? a", true],
    ["const a = 1", "  || b", true],
    ["a", "instanceof b", true],
    ["x", "== 3", true],
    ["if (x) {}", "else {", true],
    ["try {} catch {}", "finally {", true],
    ["{ a: 1 }", ".a", true],
    ["'日本'", "  .length", true],
    ["a", ".5", false],
    ["a", "?.5:1", true],
    ["a", ")", false],
    ["(a)", "=> b", false],
    ["a", "+ b", false],
    ["a", "...b", false],
    ["a", "else", false],
    ["class A {}", ".b", false],
    ["a = 3.5e", ".b", false],
    ["a", "// c", false],
    ["a", "", false],
  ];
  for (const [input, line, expected] of cases) {
    assert.equal(await continuesInput(input, line), expected, `${input}\n${line}`);
  }
});

/** The inputs in lines, and those that each added line ended. */
async function inputsOf(lines: string[]): Promise<string[]> {
  const collected = new InputLines();
  const inputs: string[] = [];
  for (const line of lines) inputs.push(...await collected.add(line));
  return [...inputs, ...collected.flush()];
}

Deno.test("InputLines joins lines that are valid only together", async () => {
  const cases: string[][] = [
    ["a"],
    ["a", "b"],
    ["const a = 1", "a + 1"],
    ["words\n  .map((word) => word.length)\n  ?.at(0)", "b"],
    ["const a = b\n  ? c\n  : d", "e"],
    ["if (a) {\n  b\n}\nelse {\n  c\n}"],
    ["a\n  || b\n  && c"],
    ["a", "+ b"],
    ["a", "[0]", "(b)", "`c`"],
    ["a", ".5"],
    ["f(\n1,\n2)"],
    ["a", "...b"],
    ["`\n,(not a command)\n  .text\n`", "b"],
    [",(load a)", ".b", ",q"],
    ["const a = 3.5e", "b"],
    ["[\n1\n,2\n]"],
    // Brackets in strings, comments and regular expressions.
    ["f(\n  1, // (\n  /[(]/,\n  `(`,\n)", "b"],
    ['f({\n  a: \')}\',\n  b: "]\\")",\n  c: [1],\n}) // )', "b"],
    ["f(\n  `)\n)`,\n  /[)]/,\n  // )\n  /*\n) */ 1,\n)", "b"],
    ["[\n'it\\'s ]',\n]", "b"],
    ["f(() => {\n  a()\n})\n  .b()", "c"],
  ];
  for (const inputs of cases) {
    assert.deepEqual(await inputsOf(inputs.join("\n").split("\n")), inputs, inputs.join("\n"));
  }
});

Deno.test("InputLines allows blank lines within a chain", async () => {
  assert.deepEqual(await inputsOf(["", "a", "  ", "  .b()", "", "c", ""]), ["a\n  .b()", "c"]);
});

Deno.test("InputLines returns an input when the next line cannot continue it or there is none", async () => {
  const lines = new InputLines();
  assert.deepEqual(await lines.add("a"), []);
  assert.deepEqual(await lines.add("b"), ["a"]);
  assert.deepEqual(await lines.add(",(h)"), ["b", ",(h)"]);
  assert.deepEqual(await lines.add("f("), []);
  assert.equal(lines.isIncomplete, true);
  assert.deepEqual(await lines.add(")"), []);
  assert.equal(lines.isIncomplete, false);
  assert.deepEqual(lines.flush(), ["f(\n)"]);
  assert.deepEqual(lines.flush(), []);
});

Deno.test("InputLines reads a list of thousands of lines without reparsing it at each line", async () => {
  const lines = Array.from({ length: 20_000 }, (_, line) => `  { a: ${line}, b: "(" },`);
  assert.deepEqual(await inputsOf(["f([", ...lines, "])", "b"]), [
    `f([\n${lines.join("\n")}\n])`,
    "b",
  ]);
});

Deno.test("splitInputs returns a text without control commands as one input", async () => {
  assert.deepEqual(await splitInputs("a\nb\n\n"), ["a\nb"]);
  assert.deepEqual(await splitInputs("a\n.b\n,(h)\nc"), ["a\n.b", ",(h)", "c"]);
  assert.deepEqual(await splitInputs("[\n,2\n]"), ["[\n,2\n]"]);
  assert.deepEqual(await splitInputs("`\n,(h)\n`\n,(h)"), ["`\n,(h)\n`", ",(h)"]);
  assert.deepEqual(await splitInputs(""), [""]);
});
