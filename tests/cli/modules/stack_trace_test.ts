import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
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
    "plain.js":
      `\uFEFF#!/usr/bin/env deno\nexport const fail = () => { throw new Error(import.meta.url); };`,
  });
  const store = await openStore(project);
  const places = {
    "same_line.ts": ["1:63"],
    "stripped.ts": ["3:35"],
    "transformed.ts": ["7:11", "10:52"],
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
