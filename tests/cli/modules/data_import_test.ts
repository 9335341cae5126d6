import assert from "node:assert/strict";
import { build, load, openStore, TemporaryProject } from "./temporary_project.ts";

Deno.test("JSON, text and bytes are imported as Deno imports them", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "data.json": `\uFEFF{ "__proto__": 1, "list": [1, 2] }\n`,
    "note.txt": 'one "line"\nand \\ another\u2028\n',
    "main.ts": `import data from "./data.json" with { type: "json" };\n` +
      `export { default as text } from "./note.txt" with {\n\n  type: "text" };\n` +
      `import * as note from "./note.txt" with { type: "bytes" }; export const late = () =>\n` +
      `  import("./data.json", { with: { type: "json" } });\n` +
      `export const own = Object.hasOwn(data, "__proto__");\n` +
      `export const bytes = note.default; export { data };\n` +
      `export const place = () => new Error("x").stack;\n`,
  });
  const store = await openStore(project);
  const { namespace, loaded } = await load(store, project.path("main.ts"));
  assert.deepEqual(namespace.data, JSON.parse('{ "__proto__": 1, "list": [1, 2] }'));
  assert.equal(namespace.own, true);
  const text = await Deno.readTextFile(project.path("note.txt"));
  assert.equal(namespace.text, text);
  assert.deepEqual(namespace.bytes, new TextEncoder().encode(text));
  const late = await (namespace.late as () => Promise<{ default: unknown }>)();
  assert.equal(late.default, namespace.data);
  assert.match((namespace.place as () => string)(), /main\.ts:9:28/);
  assert.deepEqual(loaded.map(({ module }) => module), [
    "data.json?json",
    "note.txt?text",
    "note.txt?bytes",
    "main.ts",
  ]);
});

Deno.test("a file can be imported as a module and as data at once", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "main.ts": `import source from "./main.ts" with { type: "text" };\nexport { source };\n`,
  });
  const store = await openStore(project);
  const { namespace } = await load(store, project.path("main.ts"));
  assert.equal(namespace.source, await Deno.readTextFile(project.path("main.ts")));
  assert.equal(store.namespace("main.ts?text")!.default, namespace.source);
});

Deno.test("the hash of a module covers the data that it imports", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "data.json": "1",
    "main.ts": `import data from "./data.json" with { type: "json" };\nexport { data };\n`,
  });
  const before = await build(project.path("main.ts"));
  await project.write("data.json", "2");
  assert.notEqual((await build(project.path("main.ts"))).request.entry, before.request.entry);
});
