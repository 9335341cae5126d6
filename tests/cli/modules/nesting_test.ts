import assert from "node:assert/strict";
import { ModuleError } from "../../../runtime/code/source_map.ts";
import { parseModule } from "../../../cli/modules/syntax.ts";
import { build, TemporaryProject } from "./temporary_project.ts";

/** Texts with something nested `n` levels deep. */
const KINDS: Record<string, (n: number) => string> = {
  sum: (n) => `export default ${`"a"+`.repeat(n)}"b";`,
  and: (n) => `export default ${"1 && ".repeat(n)}1;`,
  conditional: (n) => `export default ${"0 ? 1 : ".repeat(n)}1;`,
  negation: (n) => `export default ${"!".repeat(n)}1;`,
  parentheses: (n) => `export default ${"(".repeat(n)}1${")".repeat(n)};`,
  array: (n) => `export default ${"[".repeat(n)}${"]".repeat(n)};`,
  object: (n) => `export default ${"({a:".repeat(n)}1${"})".repeat(n)};`,
  arrow: (n) => `export default ${"()=>".repeat(n)}1;`,
  callback: (n) => `const f = () => {};\n${"f(()=>{".repeat(n)}${"})".repeat(n)};`,
  function: (n) => `export default ${"function(){return ".repeat(n)}1${"}".repeat(n)};`,
  class: (n) => `export default ${"class{a(){return ".repeat(n)}1${"}}".repeat(n)};`,
  block: (n) => `${"{".repeat(n)}${"}".repeat(n)}`,
  switch: (n) => `${"switch(0){case 1:".repeat(n)}${"}".repeat(n)}`,
  template: (n) => `export default ${"`${".repeat(n)}1${"}`".repeat(n)};`,
  call: (n) => `const f = (x) => x;\nexport default ${"f(".repeat(n)}1${")".repeat(n)};`,
  chain: (n) => `const f = () => f;\nexport default () => f${"()".repeat(n)};`,
  destructuring: (n) => `export default (${"[".repeat(n)}a${"]".repeat(n)}) => a;`,
  index: (n) => `const a = [0];\nexport default ${"a[".repeat(n)}0${"]".repeat(n)};`,
};

async function isTaken(text: string): Promise<boolean> {
  try {
    await parseModule(text, "/a.js");
    return true;
  } catch (error) {
    assert.ok(error instanceof ModuleError);
    assert.equal(
      error.message,
      "/a.js: expressions or blocks are nested too deep to be parsed",
    );
    return false;
  }
}

/** The deepest accepted nesting of a kind. */
async function deepest(text: (n: number) => string): Promise<number> {
  let [low, high] = [100, 10_000];
  while (high - low > low / 50) {
    const middle = (low + high) >> 1;
    if (await isTaken(text(middle))) low = middle;
    else high = middle;
  }
  return low;
}

Deno.test("parseModule parses what Deno can parse, and refuses what would end the process", async () => {
  const files: Record<string, string> = {};
  for (const [kind, text] of Object.entries(KINDS)) {
    files[`${kind}.mjs`] = text(await deepest(text));
    assert.ok(await isTaken(text(100)), kind);
  }
  await using project = await TemporaryProject.make(files);
  const importing = `for (const file of ${JSON.stringify(Object.keys(files))})
    await import("./" + file).catch((error) => { if (!(error instanceof RangeError)) throw error; });
  console.log("still here");`;
  await project.write("main.ts", importing);
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "-q", project.path("main.ts")],
  }).output();
  assert.equal(new TextDecoder().decode(stdout), "still here\n", new TextDecoder().decode(stderr));
});

Deno.test("a module that is nested too deeply is refused by file name, for every file type", async () => {
  const sum = `export default ${`"a"+`.repeat(6_000)}"b";`;
  const names = ["big.js", "big.ts", "big.tsx", "big.jsx", "big.cjs"];
  await using project = await TemporaryProject.make({
    "deno.json": {},
    ...Object.fromEntries(
      names.map((name) => [name, sum.replace("export default", "globalThis.x =")]),
    ),
  });
  for (const name of names) {
    await assert.rejects(build(project.path(name)), {
      name: "ModuleError",
      message: `${project.path(name)}: expressions or blocks are nested too deep to be parsed`,
    });
  }
});

Deno.test("a module that the parser does not understand is refused, since it may be nested too deeply", async () => {
  const deep = `globalThis.x = ${"!".repeat(20_000)}1;`;
  const tooDeep = /: expressions or blocks are nested too deep to be parsed$/;
  const cases: [file: string, text: string, message: RegExp][] = [
    ["decorated.js", `@d class A {}\n${deep}`, /decorated\.js:1:1: SyntaxError: Unexpected char/],
    ["sloppy.cjs", `with (exports) {}\n${deep}`, /sloppy\.cjs:1:1: SyntaxError: 'with' in strict/],
    ["defer.mjs", `import defer * as fs from "node:fs";\n${deep}`, tooDeep],
    ["defer.ts", `import defer * as fs from "node:fs";\n${deep}fs;`, tooDeep],
    ["data.mjs", `import "data:text/javascript,${deep}";`, tooDeep],
    ["typed.mjs", `import("data:application/typescript,let a: number; ${deep}");`, tooDeep],
    ["wrong.mjs", `import "data:text/javascript,const = 1";`, /wrong\.mjs:1:8: the module in this/],
    ["late.mjs", `import.source("npm:x");\n${deep}`, tooDeep],
  ];
  await using project = await TemporaryProject.make({ "deno.json": {} });
  for (const [file, text, message] of cases) {
    await project.write(file, text);
    await assert.rejects(build(project.path(file)), { name: "ModuleError", message });
    // The same text without the deep part is accepted, unless it is invalid by itself.
    await project.write(file, text.replace(/!+1/, "1"));
    if (message === tooDeep) await build(project.path(file));
  }
});
