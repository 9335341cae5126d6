import assert from "node:assert/strict";
import { type EntryPoint, findEntryPoint } from "../../../cli/modules/entry_point.ts";
import { ModuleReader } from "../../../cli/modules/module_reader.ts";
import { buildUnits } from "../../../cli/modules/unit_building.ts";
import { filesOf, TemporaryProject } from "./temporary_project.ts";

async function entryPointOf(text: string, entry = "main.ts"): Promise<EntryPoint> {
  const files = text.startsWith("==") ? filesOf(text) : { [entry]: text };
  await using project = await TemporaryProject.make(files);
  return await findEntryPoint(await ModuleReader.open(project.path(entry)));
}

/** Modules by the way to run them, each with its file if that is not `main.ts`. */
const MODULES: Record<keyof typeof EXPECTED, (string | [text: string, entry: string])[]> = {
  main: [
    `export function main() {}`,
    `export async function main(port: string) { console.log(port); }`,
    `export const main = () => 1;`,
    `export const { main, ...rest } = { main() {}, other: 1 };`,
    `export let [one, { main = () => 1 }] = [1, {}];`,
    `function start() {} export { start as main };`,
    `function start() {} export { start as "main" };`,
    `export class main {}`,
    `import { createServer } from "node:http"; createServer(); export function main() {}`,
    `// import.meta.main\nexport const main = () => "import.meta.main", text = \`import.meta.main\`;`,
    `export function main() { return [import.meta.url, import.meta["dirname"], import.meta?.filename]; }`,
    `const { url, dirname: here } = import.meta; export const main = () => [url, here];`,
    `const own = { meta: { main: true } }; export const main = () => own.meta.main;`,
    `== main.ts\nexport * from "./a.ts";\n== a.ts\nexport * from "./b.ts"; export * from "./main.ts";\n` +
    `== b.ts\nexport { start as main } from "./c.ts";\n== c.ts\nexport const start = () => 1;\n`,
    `== main.ts\nexport { main } from "./a.ts";\n== a.ts\nexport const main = () => import.meta.main;\n`,
    [`export const main = () => 1;`, "main.js"],
    [`exports.main = () => 1;`, "main.cjs"],
    [`module.exports = { main() { /* require.main */ } };`, "main.cjs"],
  ],
  commonJs: [
    [`exports.main = () => 1; if (require.main === module) exports.main();`, "main.cjs"],
  ],
  commonJsItself: [
    [`if (require.main === module) console.log(1);`, "main.cjs"],
  ],
  mainAndItself: [
    `export function main() {} if (import.meta.main) main();`,
    `export function main() {} if (import . meta ["main"]) main();`,
    `export function main() {} import.meta?.main && main();`,
    `export function main() {} const { main: isMain } = import.meta; if (isMain) main();`,
    `export function main() {} const { url, ...rest } = import.meta; if (rest.main) main();`,
    `export function main() {} const meta = import.meta; if (meta.main) main();`,
    `const runProgram = (run: () => void) => run(); export function main() {} if (import.meta.main) runProgram(main);`,
    `import { runServer } from "@gxensemble/ensemble"; export const main = () => 1;
     if (import.meta.main) await runServer("a", main);`,
    `export function main() {} function isMain(m: ImportMeta) { return m.main; } isMain(import.meta);`,
  ],
  itself: [
    `if (import.meta.main) console.log("one");`,
    `console.log("main");`,
    `await Promise.resolve();`,
    `const server = Deno.serve(() => new Response());`,
    `export const server = await Deno.connect({ port: 1 });`,
    `export default { fetch() {} }; Deno.serve(() => new Response());`,
    `(async () => { await 1; })();`,
    `class A { static { console.log(1); } }`,
    `class A { static one = Deno.pid(); }`,
    `namespace N { export const server = start(); } function start() {}`,
    `(function (options) { start(options); })({}); function start(_: unknown) {}`,
    `globalThis.onload = () => {};`,
    `export let main2 = 1; main2++;`,
    `import "npm:cowsay@1";`,
    `const text = String.raw\`main\`; export type main = string; console.log(text);`,
    `import { main } from "./a.ts"; main();`.replace(/^/, "== main.ts\n") +
    `\n== a.ts\nexport function main() {}\n`,
    `== main.ts\nimport "./a.ts";\n== a.ts\nconsole.log("a");\n`,
    `== main.ts\nexport * as main2 from "./a.ts";\n== a.ts\nsetTimeout(() => {}, 1);\n`,
  ],
  runProgram: [
    `import { runProgram } from "@gxensemble/ensemble"; export const main = () => 1;
     if (import.meta.main) await runProgram(main);`,
    `import { runProgram as run } from "@gxensemble/ensemble"; export const main = () => 1;
     if (import.meta.main) await run(main);`,
    `import * as ensemble from "@gxensemble/ensemble"; export const main = () => 1;
     if (import.meta.main) await ensemble.runProgram(main);`,
  ],
  nothing: [
    ``,
    `export const greeting = "hello";`,
    `export type main = () => void; export interface Other { main: main }`,
    `export enum Color { Red, Green = 3 } const enum Other { One = "a" } namespace N { export const x = 1; }`,
    `export default { fetch() { return new Response(); } };`,
    `export default function main() { console.log("import.meta.main"); }`,
    `export function start() { console.log("started"); } const many = new Map([[1, Symbol("one")]]);`,
    `export class Counter { static readonly none = Object.freeze({}); #total = compute(); } ` +
    `function compute() { return Math.max(1, 2); }`,
    `== main.ts\nimport { a } from "./a.ts"; export const b = [a];\n== a.ts\nexport const a = { b: 1 };\n`,
  ],
};

const EXPECTED = {
  main: { exportsMain: true, startsItself: false, usesRunProgram: false, asksRequire: false },
  commonJs: { exportsMain: true, startsItself: false, usesRunProgram: false, asksRequire: true },
  commonJsItself: {
    exportsMain: false,
    startsItself: true,
    usesRunProgram: false,
    asksRequire: true,
  },
  mainAndItself: {
    exportsMain: true,
    startsItself: true,
    usesRunProgram: false,
    asksRequire: false,
  },
  itself: { exportsMain: false, startsItself: true, usesRunProgram: false, asksRequire: false },
  nothing: { exportsMain: false, startsItself: false, usesRunProgram: false, asksRequire: false },
  runProgram: {
    exportsMain: true,
    startsItself: true,
    usesRunProgram: true,
    asksRequire: false,
  },
};

for (const [kind, expected] of Object.entries(EXPECTED)) {
  Deno.test(`findEntryPoint decides from the parsed module how to run it: ${kind}`, async () => {
    for (const each of MODULES[kind as keyof typeof EXPECTED]) {
      const [text, entry] = typeof each === "string" ? [each] : each;
      assert.deepEqual(await entryPointOf(text, entry), expected, text);
    }
  });
}

Deno.test("a ModuleReader reads each module once", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "main.ts": `export * from "./below.ts";`,
    "below.ts": `export const main = () => 1;`,
  });
  const reader = await ModuleReader.open(project.path("main.ts"));
  const { units } = await buildUnits(reader);
  for (const { path } of units) await Deno.remove(path);
  assert.equal((await findEntryPoint(reader)).exportsMain, true);
});
