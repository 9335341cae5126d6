import assert from "node:assert/strict";
import { InputLines, splitInputs } from "../../../cli/repl/input_lines.ts";

/** The inputs that lines are, and what each line ended when it was added. */
async function inputsOf(lines: string[]): Promise<string[]> {
  const collected = new InputLines();
  const inputs: string[] = [];
  for (const line of lines) inputs.push(...await collected.add(line));
  return [...inputs, ...collected.flush()];
}

Deno.test("InputLines puts lines together that make sense only together", async () => {
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
    // Brackets that are none.
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

Deno.test("InputLines lets blank lines stand between a chain and what it goes on with", async () => {
  assert.deepEqual(await inputsOf(["", "a", "  ", "  .b()", "", "c", ""]), ["a\n  .b()", "c"]);
});

Deno.test("InputLines gives an input when the next line cannot go on with it, or none follows", async () => {
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

Deno.test("InputLines reads a list of thousands of lines without parsing it at each", async () => {
  const lines = Array.from({ length: 20_000 }, (_, line) => `  { a: ${line}, b: "(" },`);
  assert.deepEqual(await inputsOf(["f([", ...lines, "])", "b"]), [
    `f([\n${lines.join("\n")}\n])`,
    "b",
  ]);
});

Deno.test("splitInputs leaves a text as one input that has no control commands", async () => {
  assert.deepEqual(await splitInputs("a\nb\n\n"), ["a\nb"]);
  assert.deepEqual(await splitInputs("a\n.b\n,(h)\nc"), ["a\n.b", ",(h)", "c"]);
  assert.deepEqual(await splitInputs("[\n,2\n]"), ["[\n,2\n]"]);
  assert.deepEqual(await splitInputs("`\n,(h)\n`\n,(h)"), ["`\n,(h)\n`", ",(h)"]);
  assert.deepEqual(await splitInputs(""), [""]);
});
