import assert from "node:assert/strict";
import { batches } from "../../../cli/modules/loading.ts";
import type { ModuleError } from "../../../runtime/code/source_map.ts";
import type { Unit } from "../../../runtime/code/unit.ts";
import { build, load, openStore, TemporaryProject } from "./temporary_project.ts";

const ROUTER = `
import { log } from "./log.ts";
export const routes = new Map<string, string>();
export function register(path: string, answer: string): void { log("register"); routes.set(path, answer); }
`;
const LOG =
  `export const lines: string[] = []; export const log = (line: string) => lines.push(line);`;
const HANDLER = `import { register } from "./router.ts";\nregister("/", "hello");\n`;
const SERVICE =
  `import { routes } from "./router.ts";\nexport const answer = (p: string) => routes.get(p);\n`;

Deno.test("a module is shipped once, and shares modules that already run", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "router.ts": ROUTER,
    "log.ts": LOG,
    "handler.ts": HANDLER,
    "service.ts": SERVICE,
  });
  const store = await openStore(project);
  const service = await load(store, project.path("service.ts"));
  assert.equal(service.shipped, 3);
  const answer = service.namespace.answer as (path: string) => string | undefined;
  assert.equal(answer("/"), undefined);

  const handler = await load(store, project.path("handler.ts"));
  assert.equal(handler.shipped, 1);
  assert.deepEqual(handler.loaded.map(({ module }) => module), ["handler.ts"]);
  assert.deepEqual(handler.already.map(({ module }) => module), ["log.ts", "router.ts"]);
  assert.equal(answer("/"), "hello");

  const again = await load(store, project.path("handler.ts"));
  assert.equal(again.shipped, 0);
  assert.deepEqual(again.loaded, []);
  assert.deepEqual(store.history().map(({ module }) => module), [
    "handler.ts",
    "log.ts",
    "router.ts",
    "service.ts",
  ]);
  assert.equal(store.namespace("handler.ts"), again.namespace);
});

Deno.test("a module that exports then is not treated as a promise", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "main.ts": `export function then() {}\nexport const here = 1;\n`,
    "user.ts": `export { here } from "./main.ts";\n`,
    "all.ts": `export * from "./main.ts";\n`,
  });
  const store = await openStore(project);
  assert.equal((await load(store, project.path("main.ts"))).namespace.here, 1);
  assert.equal((await load(store, project.path("user.ts"))).namespace.here, 1);
  assert.equal((await load(store, project.path("all.ts"))).namespace.here, 1);
});

Deno.test("cycles of two and three modules are evaluated as Deno evaluates them", async () => {
  for (const size of [2, 3]) {
    const files: Record<string, string> = {};
    for (let index = 0; index < size; index++) {
      const next = (index + 1) % size;
      files[`m${index}.ts`] = `import { name as next } from "./m${next}.ts";\n` +
        `export function name(): string { return "m${index}"; }\n` +
        `export const chain = () => name() + next();\n`;
    }
    await using project = await TemporaryProject.make({ "deno.json": {}, ...files });
    const store = await openStore(project);
    const { namespace, shipped } = await load(store, project.path("m0.ts"));
    assert.equal(shipped, size);
    assert.equal((namespace.chain as () => string)(), "m0m1");
    const other = await load(store, project.path("m1.ts"));
    assert.equal(other.shipped, 0);
    assert.equal((other.namespace.chain as () => string)(), `m1m${2 % size}`);
  }
});

Deno.test("a cycle is evaluated from the module that its importer imports", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "base.ts": `import { leaf } from "./leaf.ts";\nexport class Base { make = () => leaf(); }\n`,
    "leaf.ts": `import { Base } from "./base.ts";\nexport const leaf = () => new Base();\n` +
      `export class Leaf extends Base {}\n`,
    "main.ts": `import "./leaf.ts";\n`,
  });
  const store = await openStore(project);
  // If base.ts were evaluated first, Leaf would extend a Base that does not exist yet.
  await load(store, project.path("main.ts"));
});

Deno.test("a module that throws while loading is named by file and line, and can be loaded again", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "leaf.ts": `interface Unused {\n  x: number;\n}\n` +
      `const flags = globalThis as { [key: string]: unknown };\n` +
      `init();\n` +
      `function init(): void {\n  if (!flags.loadingTestReady) throw new TypeError("not ready");\n}\n`,
    "main.ts": `import "./leaf.ts";\nexport const ok = true;\n`,
  });
  const store = await openStore(project);
  const location = { path: project.path("leaf.ts"), line: 7, column: 38 };
  for (let attempt = 0; attempt < 2; attempt++) {
    await assert.rejects(load(store, project.path("main.ts")), (error: ModuleError) => {
      assert.deepEqual(error.location, location);
      assert.equal(error.message, `${location.path}:7:38: TypeError: not ready`);
      return true;
    });
    assert.deepEqual(store.history(), []);
  }
  (globalThis as { loadingTestReady?: boolean }).loadingTestReady = true;
  const { namespace, shipped } = await load(store, project.path("main.ts"));
  assert.equal(shipped, 0);
  assert.equal(namespace.ok, true);
});

Deno.test("positions refer to the author's file, even when types were rewritten", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "main.ts": `interface A {\n  x: number;\n}\nenum Color { Red, Green }\n\n` +
      `function fail(a: A): never {\n  throw new Error("at " + Color.Green + a.x);\n}\nfail({ x: 1 });\n`,
  });
  const store = await openStore(project);
  await assert.rejects(load(store, project.path("main.ts")), {
    message: `${project.path("main.ts")}:7:9: Error: at 11`,
  });
});

Deno.test("an error of the runtime is reported at the author's file and line", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "broken.js": `const a = 1;\nconst b = ;\n`,
    "types.ts": `export interface Shape { x: number }\n`,
    "link.ts": `const a = 1;\nexport { Shape } from "./types.ts";\nexport const s = { x: a };\n`,
    "thrown.ts": `throw "a string";\n`,
  });
  const store = await openStore(project);
  await assert.rejects(load(store, project.path("broken.js")), {
    message: `${project.path("broken.js")}:2:11: SyntaxError: Unexpected token`,
  });
  await assert.rejects(load(store, project.path("link.ts")), {
    message: `${project.path("link.ts")}:2:10: SyntaxError: The requested module '` +
      `${project.path("types.ts")}' does not provide an export named 'Shape' ` +
      `(if it is a type, import it with "import type")`,
  });
  await assert.rejects(load(store, project.path("thrown.ts")), {
    message: `${project.path("thrown.ts")}: threw "a string"`,
  });
});

Deno.test("concurrent loads share one evaluation, and one failure", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "count.ts": `await new Promise((done) => setTimeout(done, 0));\n` +
      `const counts = globalThis as { loadingTestCount?: number };\n` +
      `counts.loadingTestCount = (counts.loadingTestCount ?? 0) + 1;\n`,
    "a.ts": `import "./count.ts";\nexport const a = 1;\n`,
    "b.ts": `import "./count.ts";\nexport const b = 1;\n`,
    "bad.ts": `import "./b.ts";\nthrow new Error("bad");\n`,
  });
  const store = await openStore(project);
  const results = await Promise.allSettled(
    ["a.ts", "b.ts", "a.ts", "bad.ts", "bad.ts"].map((file) => load(store, project.path(file))),
  );
  assert.deepEqual(results.map(({ status }) => status), [
    ...Array(3).fill("fulfilled"),
    ...Array(2).fill("rejected"),
  ]);
  assert.equal((globalThis as { loadingTestCount?: number }).loadingTestCount, 1);
});

Deno.test("shipped code shares registered libraries with the program", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "main.ts": `import router, { table, "odd name" as odd } from "my/router";\n` +
      `import { basename } from "node:path";\n` +
      `table.set("main", basename("/a/b"));\nexport { router, odd };\n`,
    "nosuch.ts": `export const a = 1;\nimport { b } from "my/nosuch";\nexport { b };\n`,
  });
  const store = await openStore(project);
  const table = new Map<string, string>();
  store.registerLibrary("my/router", { default: "router", table, "odd name": 7 });
  const { namespace } = await load(store, project.path("main.ts"), ["my"]);
  assert.deepEqual({ ...namespace }, { router: "router", odd: 7 });
  assert.equal(table.get("main"), "b");

  await assert.rejects(load(store, project.path("nosuch.ts"), ["my/"]), (error: Error) => {
    const place = `${project.path("nosuch.ts")}:2:19`;
    assert.match(error.message, new RegExp(`^${RegExp.escape(place)}: library module my/nosuch`));
    return true;
  });
  // A library in the server's own import map needs no registration.
  await project.write(
    "mapped.ts",
    `import { startServer } from "@gxensemble/ensemble";\nexport { startServer };\n`,
  );
  const mapped = await load(store, project.path("mapped.ts"), ["@gxensemble/"]);
  assert.equal(typeof mapped.namespace.startServer, "function");
});

Deno.test("a forced load links the module to the loaded units", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "router.ts": ROUTER,
    "log.ts": LOG,
    "handler.ts": HANDLER,
    "service.ts": SERVICE,
  });
  const store = await openStore(project);
  const { namespace } = await load(store, project.path("service.ts"));
  await project.write("log.ts", "export const log = 'edited, but not to be shipped';");

  const { units, request } = await build(project.path("handler.ts"), {
    running(modules) {
      assert.deepEqual(modules, ["router.ts"]);
      return Promise.resolve(store.running(modules));
    },
  });
  assert.equal(units.length, 1);
  await store.add(units);
  await store.load({ ...request, by: "tester@host" });
  assert.equal((namespace.answer as (path: string) => string)("/"), "hello");

  const lacking = { running: () => Promise.resolve(new Map<string, string>()) };
  await assert.rejects(build(project.path("handler.ts"), lacking), {
    message: `${project.path("handler.ts")}:1:26: the server has not loaded router.ts: ` +
      `load without -f`,
  });
});

function unit(hash: string, length: number, members?: string[]): Unit {
  const cycle = members && { cycle: { members, index: members.indexOf(hash) } };
  const text = " ".repeat(length);
  return {
    hash,
    module: hash,
    path: hash,
    text,
    links: [],
    metaProperties: [],
    pauses: false,
    ...cycle,
  };
}

Deno.test("units are sent in batches, and a cycle in one batch", () => {
  const cycle = ["c", "d", "e"];
  const units = [
    unit("a", 700_000),
    unit("b", 700_000),
    ...cycle.map((hash) => unit(hash, 900_000, cycle)),
    unit("f", 1),
  ];
  const shipped = [...batches(units)].map((batch) => batch.map(({ hash }) => hash).join(""));
  assert.deepEqual(shipped, ["ab", "cde", "f"]);
  assert.deepEqual([...batches([])], []);

  // A unit that is large has its own message.
  const large = [unit("a", 10), unit("b", 60 * 1024 * 1024), unit("c", 10)];
  assert.deepEqual([...batches(large)].map((batch) => batch.length), [1, 1, 1]);
});

Deno.test("a module too large for a message is refused by file name", () => {
  const cycle = ["a", "b"];
  const cases: [units: Unit[], message: RegExp][] = [
    [[unit("a", 10), unit("b", 63 * 1024 * 1024)], /^b: is 66060288 characters of JavaScript, and/],
    [
      cycle.map((hash) => unit(hash, 31 * 1024 * 1024, cycle)),
      /^a: is 32505856 characters of JavaScript, with the modules that it imports in a cycle, and/,
    ],
  ];
  for (const [units, message] of cases) {
    assert.throws(() => [...batches(units)], { name: "ModuleError", message });
  }
});
