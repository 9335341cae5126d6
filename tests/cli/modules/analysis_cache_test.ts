import assert from "node:assert/strict";
import { join } from "node:path";
import { AnalysisCache } from "../../../cli/modules/analysis_cache.ts";
import { COMPILER, ModuleReader } from "../../../cli/modules/module_reader.ts";
import { buildUnits } from "../../../cli/modules/unit_building.ts";
import { ModuleError } from "../../../runtime/code/source_map.ts";
import type { Unit } from "../../../runtime/code/unit.ts";
import { TemporaryProject } from "./temporary_project.ts";

/** A project with every kind of module. */
const FILES = {
  "deno.json": {
    imports: { "jsx/jsx-runtime": "npm:preact@10/jsx-runtime" },
    compilerOptions: { jsx: "react-jsx", jsxImportSource: "jsx" },
  },
  "main.ts": `
    import data from "./data.json" with { type: "json" };
    import { view } from "./view.tsx";
    import "./plain.js";
    import common from "./common.cjs";
    export const here: string = import.meta.url;
    export const page = (name: string) => import(\`./pages/\${name}.ts\`);
    export const start = () => new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    export enum Color { Red }
    export const all: unknown[] = [data, view, common, await import("./missing.ts").catch(() => 1)];
  `,
  "data.json": { a: 1 },
  "view.tsx": "export const view = <p />;",
  "plain.js": "import './main.ts'; export const plain = 'ü';",
  "common.cjs": "module.exports = { common: 1 };",
  "pages/one.ts": "export type One = 1; export const one: One = 1;",
  "worker.ts": "postMessage(1 as number);",
};

/** The cache file of a test's only program. */
function cacheFile(project: TemporaryProject): string {
  const [file] = [...Deno.readDirSync(project.path("cache"))];
  return join(project.path("cache"), file!.name);
}

function openCache(project: TemporaryProject): Promise<AnalysisCache | undefined> {
  return AnalysisCache.open(project.path("cache"), {
    entry: project.path("main.ts"),
    compiler: COMPILER,
  });
}

/** Builds the units of `main.ts` with the cache. Returns which modules were found in it. */
async function buildCached(
  project: TemporaryProject,
): Promise<{ units: Unit[]; found: string[]; cache: AnalysisCache }> {
  const cache = (await openCache(project))!;
  const found: string[] = [];
  const find = cache.find.bind(cache);
  cache.find = (module, source) => {
    const analysis = find(module, source);
    if (analysis) found.push(module);
    return analysis;
  };
  const { units, mapped } = await buildUnits(
    await ModuleReader.open(project.path("main.ts"), { cache }),
  );
  return { units: units.map(mapped), found: found.sort(), cache };
}

Deno.test("AnalysisCache yields the same units as compiling", async () => {
  await using project = await TemporaryProject.make(FILES);
  const { units, mapped } = await buildUnits(await ModuleReader.open(project.path("main.ts")));
  const first = await buildCached(project);
  await first.cache.save();
  const second = await buildCached(project);
  assert.deepEqual(first.found, []);
  assert.deepEqual(second.found, [
    "main.ts",
    "pages/one.ts",
    "plain.js",
    "view.tsx",
    "worker.ts",
  ]);
  assert.deepEqual(first.units, units.map(mapped));
  assert.deepEqual(second.units, first.units);
});

Deno.test("AnalysisCache compiles a changed module, even one with its earlier size and time", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "main.ts": "import './one.ts'; export const a: number = 1;",
    "one.ts": "export const one: number = 1;",
  });
  const time = new Date(2020, 1, 1);
  await Deno.utime(project.path("one.ts"), time, time);
  await (await buildCached(project)).cache.save();
  await project.write("one.ts", "export const one: number = 2;");
  await Deno.utime(project.path("one.ts"), time, time);
  const { units, found, cache } = await buildCached(project);
  assert.deepEqual(found, ["main.ts"]);
  assert.match(units[0]!.text, /one\s+= 2/);
  await cache.save();
  assert.deepEqual((await buildCached(project)).found, ["main.ts", "one.ts"]);
});

Deno.test("AnalysisCache compiles every module when the compiler options change", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "main.ts": "import { A } from './a.ts'; export const a: A = 1;",
    "a.ts": "export type A = number;",
  });
  const first = await buildCached(project);
  await first.cache.save();
  await project.write("deno.json", { compilerOptions: { verbatimModuleSyntax: true } });
  const { units, found } = await buildCached(project);
  assert.deepEqual(found, []);
  assert.equal(first.units.length, 1);
  assert.equal(units.length, 2);
});

Deno.test("AnalysisCache ignores a file that is damaged or open to others", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "main.ts": "export const a: number = 1;",
  });
  await (await buildCached(project)).cache.save();
  const file = cacheFile(project);
  const intact = await Deno.readTextFile(file);
  const damages = [
    "",
    intact.slice(0, -1),
    intact.slice(0, intact.length / 2),
    intact.replace(/const a\s+= 1/, "const a = 2"),
    intact.slice(intact.indexOf("\n") + 1),
    `${intact.slice(0, intact.indexOf("\n") + 1)}{}`,
  ];
  for (const damaged of damages) {
    assert.notEqual(damaged, intact);
    await Deno.writeTextFile(file, damaged);
    const { units, found, cache } = await buildCached(project);
    assert.deepEqual(found, []);
    assert.match(units[0]!.text, /const a\s+= 1/);
    await cache.save();
    assert.equal(await Deno.readTextFile(file), intact);
  }
  await Deno.chmod(file, 0o622);
  const { found, cache } = await buildCached(project);
  assert.deepEqual(found, []);
  await cache.save();
  assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
  assert.equal((await Deno.stat(project.path("cache"))).mode! & 0o777, 0o700);
  assert.deepEqual((await buildCached(project)).found, ["main.ts"]);
});

Deno.test("AnalysisCache keeps nothing of a module that cannot be compiled", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "main.ts": "import './one.ts';",
    "one.ts": "export const = 1;",
  });
  const cache = await openCache(project);
  const build = async () =>
    await buildUnits(await ModuleReader.open(project.path("main.ts"), { cache }));
  await assert.rejects(build, ModuleError);
  await cache!.save();
  await project.write("one.ts", "export const one = 1;");
  assert.deepEqual((await buildCached(project)).found, ["main.ts"]);
});

Deno.test("AnalysisCache is whole when several loads save it at once", async () => {
  await using project = await TemporaryProject.make(FILES);
  const builds = await Promise.all(Array.from({ length: 8 }, () => buildCached(project)));
  await Promise.all(builds.map(({ cache }) => cache.save()));
  assert.equal([...Deno.readDirSync(project.path("cache"))].length, 1);
  const { units, found } = await buildCached(project);
  assert.equal(found.length, 5);
  assert.deepEqual(units, builds[0]!.units);
});

Deno.test("AnalysisCache removes modules that a program no longer has, and the oldest of many programs", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "main.ts": "import './one.ts'; export const a: number = 1;",
    "one.ts": "export const one: number = 1;",
  });
  await (await buildCached(project)).cache.save();
  await project.write("main.ts", "export const a: number = 1;");
  await (await buildCached(project)).cache.save();
  const file = cacheFile(project);
  assert.doesNotMatch(await Deno.readTextFile(file), /one\.ts/);

  const old = project.path("cache/old");
  await Deno.writeTextFile(old, "");
  await Deno.utime(old, 0, 0);
  for (let i = 0; i < 63; i++) await Deno.writeTextFile(project.path(`cache/${i}`), "");
  await project.write("main.ts", "export const a: number = 2;");
  await (await buildCached(project)).cache.save();
  assert.equal([...Deno.readDirSync(project.path("cache"))].length, 64);
  await assert.rejects(Deno.stat(old), Deno.errors.NotFound);
  assert.ok((await Deno.stat(file)).isFile);
});

Deno.test("AnalysisCache does without a directory that cannot be written", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "main.ts": "export const a: number = 1;",
    "cache": "a file",
  });
  const { units, cache } = await buildCached(project);
  await cache.save();
  assert.equal(units.length, 1);
});
