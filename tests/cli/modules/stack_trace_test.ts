import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { toJavaScript } from "../../../cli/modules/javascript.ts";
import { load, openStore, TemporaryProject } from "./temporary_project.ts";

Deno.test("stack traces name the author's file, line and column", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "a.ts": `export const a = 1;\n`,
    // An import on the same line gets another specifier on the server.
    "same_line.ts":
      `import { a } from "./a.ts"; export const fail = () => { throw new Error(\`\${a}\`); };`,
    "stripped.ts": `type Name = string;\nexport function fail(name: Name): never {\n` +
      `  const own = name as Name; throw new Error(own);\n}\n`,
    "transformed.ts": `import { a } from "./a.ts";\nenum Color { Red, Green }\n` +
      `export class Painter {\n  constructor(readonly color: Color) {}\n\n` +
      `  paint(): never {\n    throw new Error(Color[this.color] + a);\n  }\n}\n` +
      `export const fail = () => new Painter(Color.Green).paint();\n`,
    "separators.ts": "/* a\u2028 */ const text: string = `b\u2029c\r\nd`; // e\u2028" +
      "export const fail = (): never => { throw new Error(text); };\n",
    "separators.tsx": "/* a\u2028 */ const text: string = `b\u2029c`; // e\u2028" +
      "export const fail = (): never => { throw new Error(text); };\n",
    "separated.js": "/* a\u2028 */ const text = `b\u2029c`; // e\u2028" +
      "export const fail = () => { throw new Error(text); };\n",
    "plain.js":
      `\uFEFF#!/usr/bin/env deno\nexport const fail = () => { throw new Error(import.meta.url); };`,
  });
  const store = await openStore(project);
  const places = {
    "same_line.ts": ["1:63"],
    "stripped.ts": ["3:35"],
    "transformed.ts": ["7:11", "10:52"],
    "separators.ts": ["5:42"],
    "separators.tsx": ["4:42"],
    "separated.js": ["4:35"],
    "plain.js": ["2:35"],
  };
  for (const [file, expected] of Object.entries(places)) {
    const path = project.path(file);
    const { namespace } = await load(store, path);
    assert.throws(namespace.fail as () => never, ({ stack }: Error) => {
      const url = pathToFileURL(path).href;
      const found = stack!.matchAll(new RegExp(String.raw`${RegExp.escape(url)}:(\d+:\d+)`, "g"));
      assert.deepEqual(Array.from(found, ([, place]) => place), expected, stack);
      assert.ok(!stack!.includes("loader.d"), stack);
      return true;
    });
  }
});

Deno.test("toJavaScript names the line of a syntax error behind every line terminator", async () => {
  const options = { compilerOptions: {}, module: "a.ts" };
  for (const terminator of ["\n", "\r\n", "\r", "\u2028", "\u2029"]) {
    const source = `/* a${terminator} */${terminator}let b: = 1;`;
    await assert.rejects(toJavaScript(source, "/a.ts", options), ({ message }: Error) => {
      assert.match(message, /^\/a\.ts:3:8: /, JSON.stringify(terminator));
      return true;
    });
  }
});
