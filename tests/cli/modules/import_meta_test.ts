import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { build, load, openStore, TemporaryProject } from "./temporary_project.ts";

Deno.test("import.meta describes the author's file", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "a #1%/main.ts":
      `export const meta = import.meta;\nexport const { url, dirname } = import.meta;\n` +
      `export const same = import.meta === import\n  .meta; export const trace = () => new Error().stack;\n` +
      `export const unit$meta = "mine"; // import.meta at the end`,
  });
  const file = project.path("a #1%/main.ts");
  const store = await openStore(project);
  const { namespace } = await load(store, file);
  const meta = namespace.meta as ImportMeta;
  assert.equal(meta.url, pathToFileURL(file).href);
  assert.equal(meta.filename, file);
  assert.equal(meta.dirname, project.path("a #1%"));
  assert.equal(meta.main, false);
  assert.equal(meta.resolve("../x.ts"), pathToFileURL(project.path("x.ts")).href);
  assert.equal(meta.resolve("npm:chalk"), "npm:chalk");
  assert.deepEqual([namespace.url, namespace.dirname, namespace.same, namespace.unit$meta], [
    meta.url,
    meta.dirname,
    true,
    "mine",
  ]);
  assert.match((namespace.trace as () => string)(), /main\.ts:4:37/);
});

Deno.test("import.meta is set before any module runs, even in a cycle", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "a.ts": `import "./b.ts";\nexport function where() { return import.meta.filename; }\n`,
    "b.ts": `import { where } from "./a.ts";\nexport const there = where();\n`,
  });
  const store = await openStore(project);
  await load(store, project.path("a.ts"));
  assert.equal(store.namespace("b.ts")!.there, project.path("a.ts"));
});

Deno.test("from another checkout only modules that read import.meta, and their importers, are new", async () => {
  const files = {
    "deno.json": {},
    "here.ts": `export const here = import.meta.url;\n`,
    "plain.ts": `export const plain = {}; // import.meta\n`,
    "main.ts": `export { here } from "./here.ts";\nexport { plain } from "./plain.ts";\n`,
  };
  await using one = await TemporaryProject.make(files);
  await using two = await TemporaryProject.make(files);
  const store = await openStore(one);
  const first = await load(store, one.path("main.ts"));
  const second = await load(store, two.path("main.ts"));
  assert.equal(first.namespace.here, pathToFileURL(one.path("here.ts")).href);
  assert.equal(second.namespace.here, pathToFileURL(two.path("here.ts")).href);
  assert.equal(second.namespace.plain, first.namespace.plain);
  assert.deepEqual(second.loaded.map(({ module }) => module), ["here.ts", "main.ts"]);
  assert.deepEqual((await load(store, two.path("main.ts"))).loaded, []);
});

Deno.test("import.meta.main and require.main refer to the module that the process was started with", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "main.ts":
      `import { main as other } from "./other.ts";\nexport const mains = [import.meta.main, other];`,
    "other.ts": `export const main = import.meta.main;`,
    "main.cjs": `const other = require("./other.cjs");\n` +
      `exports.mains = [require.main === module, other.main];`,
    "other.cjs": `exports.main = require.main === module;`,
  });
  for (const name of ["main.ts", "main.cjs"]) {
    for (const asMain of [true, false]) {
      const store = await openStore(project);
      const program = await build(project.path(name));
      await store.add(program.units);
      const { namespace } = await store.load({ ...program.request, by: "tester@host" }, { asMain });
      assert.deepEqual(namespace.mains, [asMain, false], name);
    }
  }
});
