import assert from "node:assert/strict";
import { basename } from "node:path";
import { findDanglingImports } from "../../../cli/modules/module_graph.ts";
import { ModuleReader } from "../../../cli/modules/module_reader.ts";
import { build, load, openStore, TemporaryProject } from "./temporary_project.ts";

type Late = () => Promise<Record<string, unknown>>;

Deno.test("dynamic imports are shipped, and evaluated when they run", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "hidden.ts": "",
    "leaf.ts": `export const leaf = {};\n`,
    "late.ts": `import { leaf } from "./leaf.ts";\nglobalThis.lateEvaluations = ` +
      `(globalThis.lateEvaluations ?? 0) + 1;\nexport { leaf };\ndeclare global { var lateEvaluations: number }\n`,
    "main.ts":
      `/** import("./nothing.ts") */\nexport const late = () => import(/* soon */ "./late.ts");\n` +
      `export const other = (name: string) => import(name);\n`,
  });
  const store = await openStore(project);
  const { namespace, shipped } = await load(store, project.path("main.ts"));
  const evaluations = () => (globalThis as { lateEvaluations?: number }).lateEvaluations;
  assert.equal(shipped, 3);
  assert.equal(evaluations(), undefined);
  assert.equal(store.namespace("late.ts"), undefined);

  const [first, second] = await Promise.all([
    (namespace.late as Late)(),
    (namespace.late as Late)(),
  ]);
  assert.equal(first, second);
  assert.equal(evaluations(), 1);
  const late = await load(store, project.path("late.ts"));
  assert.equal(late.shipped, 0);
  assert.deepEqual(late.loaded, []);
  assert.equal(late.namespace, first);
  assert.equal(evaluations(), 1);
  // An unknown specifier is looked up by the server.
  const other = namespace.other as (name: string) => Promise<Record<string, unknown>>;
  assert.equal(typeof (await other("node:path")).join, "function");
  await assert.rejects(other("./" + "hidden.ts"), {
    name: "TypeError",
    message:
      `${project.path("main.ts")}: import("./hidden.ts") leads to a module that is not there, ` +
      "or was not shipped: for a local module, write a literal specifier, or a template that starts " +
      "with its directory, as in import(`./pages/${name}.ts`)",
    code: "ERR_MODULE_NOT_FOUND",
  });
});

Deno.test("the hash of a module covers what it imports dynamically", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "late.ts": `export const value = 1;\n`,
    "main.ts": `export const late = () => import("./late.ts");\n`,
  });
  const before = await build(project.path("main.ts"));
  await project.write("late.ts", `export const value = 2;\n`);
  assert.notEqual((await build(project.path("main.ts"))).request.entry, before.request.entry);
});

Deno.test("a cycle through dynamic imports gets one hash, but its modules are evaluated separately", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "router.ts": `export const pages: string[] = [];\n` +
      `export const open = async (page: "a" | "b") =>\n` +
      `  page === "a" ? await import("./a.ts") : await import("./b.ts");\n`,
    "a.ts": `import { pages } from "./router.ts";\npages.push("a");\n`,
    "b.ts": `import { open, pages } from "./router.ts";\npages.push("b");\n` +
      `export const next = await open("a");\n`,
  });
  const store = await openStore(project);
  const { namespace, shipped } = await load(store, project.path("router.ts"));
  assert.equal(shipped, 3);
  assert.deepEqual(namespace.pages, []);
  const b = await (namespace.open as (page: string) => Promise<Record<string, unknown>>)("b");
  assert.deepEqual(namespace.pages, ["b", "a"]);
  assert.equal(b.next, store.namespace("a.ts"));
  assert.deepEqual((await load(store, project.path("a.ts"))).loaded, []);
});

Deno.test("a failed dynamic import rejects with the thrown error, and can be retried", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "late.ts": `const flags = globalThis as { lateIsReady?: boolean };\n` +
      `if (!flags.lateIsReady) throw new RangeError("not yet");\nexport const value = 1;\n`,
    "main.ts": `export const late = () => import("./late.ts");\n`,
  });
  const store = await openStore(project);
  const { namespace } = await load(store, project.path("main.ts"));
  await assert.rejects((namespace.late as Late)(), { name: "RangeError", message: "not yet" });
  (globalThis as { lateIsReady?: boolean }).lateIsReady = true;
  assert.equal((await (namespace.late as Late)()).value, 1);
});

Deno.test("a computed import resolves libraries, errors and absolute paths only when it runs", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "pages/good.ts": `export const good = 1;\n`,
    "pages/lacking.ts": `import "npm:@gxensemble-nosuch/nosuch@1";\nimport "node:nosuch";\n`,
    "pages/broken.ts": `const a: = 1;\n`,
    "main.ts": `export const open = (name: string) => import(\`./pages/\${name}.ts\`);\n`,
  });
  await project.write(
    "absolute.ts",
    `const page = "file://${
      project.path("pages/good.ts")
    }";\nexport const open = () => import(page);\n`,
  );
  const store = await openStore(project);
  const { namespace, shipped } = await load(store, project.path("main.ts"));
  assert.equal(shipped, 4);
  const open = namespace.open as (name: string) => Promise<Record<string, unknown>>;
  assert.equal((await open("good")).good, 1);
  await assert.rejects(open("lacking"), /nosuch/);
  await assert.rejects(open("broken"), {
    name: "TypeError",
    code: "ERR_MODULE_NOT_FOUND",
    message: new RegExp(
      `^${RegExp.escape(project.path("pages/broken.ts"))}:1:10: Unexpected token`,
    ),
  });
  assert.equal((await load(store, project.path("absolute.ts"))).shipped, 1);
});

Deno.test("a missing target of import() fails only when the import runs", async () => {
  const late = ["./nosuch.ts", "optional", "./broken.ts", "./lacking.ts", "./view.css"];
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "broken.ts": `const a: = 1;\n`,
    "lacking.ts": `import "./nosuch.ts";\n`,
    "view.css": "",
    "bad.json": "{",
    "library.ts": `import "node:nosuch";\n`,
    "main.ts": `export const late = [\n` +
      late.map((specifier) => `  () => import("${specifier}"),\n`).join("") +
      `  () => import("./bad.json", { with: { type: "json" } }),\n` +
      `  () => import("./library.ts"),\n];\n`,
  });
  const { failures } = await build(project.path("main.ts"));
  const places = failures.map(({ location: { path, line } }) => `${basename(path)}:${line}`);
  assert.deepEqual(places.sort(), [
    "bad.json:1",
    "broken.ts:1",
    "lacking.ts:1",
    "main.ts:2",
    "main.ts:3",
    "view.css:undefined",
  ]);
  const store = await openStore(project);
  const { namespace } = await load(store, project.path("main.ts"));
  for (const [index, specifier] of late.entries()) {
    await assert.rejects((namespace.late as Late[])[index]!(), {
      name: "TypeError",
      code: "ERR_MODULE_NOT_FOUND",
    }, specifier);
  }
  await assert.rejects((namespace.late as Late[]).at(-2)!(), { name: "SyntaxError" });
  await assert.rejects((namespace.late as Late[]).at(-1)!(), /node:nosuch/);
});

Deno.test("findDanglingImports returns missing modules that are imported dynamically", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "main.ts": `import "./below/part.ts";\nimport "./there.ts";\n` +
      `await import("./local.ts"); await import("optional"); await import("./other.ts");\n`,
    "there.ts": `export {};\n`,
    // Two modules have the same specifier; only one of them exists.
    "below/part.ts": `await import("./other.ts"); await import("./there.ts");\n`,
    "below/other.ts": `export {};\n`,
  });
  const dangling = await findDanglingImports(await ModuleReader.open(project.path("main.ts")));
  assert.deepEqual(dangling.sort(), ["./local.ts", "optional"]);
  await project.write("main.ts", "const = 1;");
  const reader = await ModuleReader.open(project.path("main.ts"));
  assert.deepEqual(await findDanglingImports(reader), []);
});
