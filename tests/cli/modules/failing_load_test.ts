import assert from "node:assert/strict";
import { build, load, openStore, TemporaryProject } from "./temporary_project.ts";

/** The actions of the modules in these tests, and the modules that have to fail. */
const state = { evaluated: [] as string[], failing: new Set<string>() };
(globalThis as { failingLoadTest?: typeof state }).failingLoadTest = state;

/** A module that imports others, records its evaluation, and fails if it has to. */
function module(name: string, imports: string[], before = ""): string {
  return imports.map((other) => `import "./${other}.ts";\n`).join("") +
    `const state = globalThis.failingLoadTest;\n${before}\n` +
    `if (state.failing.has("${name}")) throw new Error("${name} fails");\n` +
    `state.evaluated.push("${name}");\n`;
}

function reset(...failing: string[]): void {
  state.evaluated = [];
  state.failing = new Set(failing);
}

Deno.test("modules below a failed one stay loaded, and those above it can be loaded later", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "a.ts": module("a", []),
    "b.ts": module("b", []),
    "c.ts": module("c", []),
    "main.ts": module("main", ["a", "b", "c"]),
    "other.ts": module("other", ["c", "b"]),
  });
  const store = await openStore(project);
  reset("b");
  await assert.rejects(load(store, project.path("main.ts")), /b\.ts:3:35: Error: b fails$/);
  assert.deepEqual(state.evaluated, ["a"]);
  await assert.rejects(load(store, project.path("other.ts")), /b fails$/);
  assert.deepEqual(state.evaluated, ["a", "c"]);
  reset();
  await load(store, project.path("main.ts"));
  assert.deepEqual(state.evaluated, ["b", "main"]);
  await load(store, project.path("other.ts"));
  assert.deepEqual(state.evaluated, ["b", "main", "other"]);
});

Deno.test("every failure is reported, even behind a top-level await", async () => {
  const pause = `await new Promise((done) => setTimeout(done, 10));`;
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "slow.ts": module("slow", [], pause),
    "quick.ts": module("quick", []),
    "main.ts": module("main", ["slow", "quick"]),
  });
  const store = await openStore(project);
  reset("slow", "quick");
  await assert.rejects(load(store, project.path("main.ts")), /slow fails$/);
  reset("quick");
  await assert.rejects(load(store, project.path("main.ts")), /quick fails$/);
  reset();
  await load(store, project.path("main.ts"));
  assert.deepEqual(state.evaluated, ["quick", "main"]);
});

Deno.test("a failing member of a cycle is named, and the cycle can be loaded again", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "a.ts": module("a", ["b"]),
    "b.ts": module("b", ["c"]),
    "c.ts": module("c", ["a"]),
    "main.ts": module("main", ["a"]),
  });
  const store = await openStore(project);
  reset("a");
  await assert.rejects(load(store, project.path("main.ts")), /a\.ts:4:35: Error: a fails$/);
  reset();
  await load(store, project.path("main.ts"));
  assert.deepEqual(state.evaluated, ["c", "b", "a", "main"]);
});

Deno.test("concurrent loads share a failure", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "base.ts": module("base", [], `state.evaluated.push("base begins");`),
    "a.ts": module("a", ["base"]),
    "b.ts": module("b", ["base"]),
  });
  const store = await openStore(project);
  reset("base");
  const files = ["a.ts", "b.ts"].map((file) => project.path(file));
  const programs = await Promise.all(files.map((file) => build(file)));
  for (const { units } of programs) await store.add(units);
  const loadAll = () =>
    Promise.allSettled(
      [...programs, ...programs].map((program) =>
        store.load({ ...program.request, by: "tester@host" })
      ),
    );
  assert.deepEqual((await loadAll()).map(({ status }) => status), Array(4).fill("rejected"));
  assert.deepEqual(state.evaluated, ["base begins"]);
  reset();
  assert.deepEqual((await loadAll()).map(({ status }) => status), Array(4).fill("fulfilled"));
  assert.deepEqual(state.evaluated.toSorted(), ["a", "b", "base", "base begins"]);
});
