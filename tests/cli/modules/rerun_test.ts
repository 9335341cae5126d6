import assert from "node:assert/strict";
import type { UnitStore } from "../../../runtime/code/unit_store.ts";
import { build, load, openStore, sorted, TemporaryProject } from "./temporary_project.ts";

/** A version of a module that tells the router when it is installed. */
function handler(version: number, install = ""): string {
  return `import { routes } from "./router.ts";
export const version = ${version};
${install}
routes.push("handler ${version} ran");
`;
}

const INSTALL = `export const own = {}; export const install = () => routes.push("installed");`;

const ROUTER = `export const routes: string[] = [];
export const runs = { count: 0 };
`;

/** Does what `load --rerun` does. */
async function rerun(store: UnitStore, file: string) {
  const program = await build(file);
  await store.add(program.units);
  const request = { ...program.request, by: "tester@host", rerun: true };
  const { namespace, outcomes } = await store.load(request);
  return { namespace, ...sorted(outcomes) };
}

const modules = (names: { module: string }[]) => names.map(({ module }) => module);

Deno.test("a load that goes back calls install of the modules that become current again, imports first", async () => {
  await using project = await TemporaryProject.make({ "deno.json": {}, "router.ts": ROUTER });
  const store = await openStore(project);
  const write = async (version: number) => {
    await project.write(
      "part.ts",
      `import { routes } from "./router.ts";
export const part = ${version};
export async function install() { await 1; routes.push("part " + part); }
`,
    );
    await project.write(
      "handler.ts",
      handler(
        version,
        `import { part } from "./part.ts"; export function install() { routes.push("handler " + part); }`,
      ),
    );
    return await load(store, project.path("handler.ts"));
  };
  const first = await write(1);
  await write(2);
  const routes = store.namespace("router.ts")!.routes as string[];
  assert.deepEqual(routes.splice(0), ["handler 1 ran", "handler 2 ran"]);

  const back = await write(1);
  assert.deepEqual(modules(back.restored), ["part.ts", "handler.ts"]);
  assert.deepEqual(modules(back.installed), ["part.ts", "handler.ts"]);
  assert.equal(back.namespace, first.namespace);
  assert.deepEqual(routes.splice(0), ["part 1", "handler 1"]);
  // The current version is left alone.
  assert.deepEqual((await write(1)).installed, []);
  assert.deepEqual(routes, []);
});

Deno.test("a failing install is reported, and its module is current", async () => {
  await using project = await TemporaryProject.make({ "deno.json": {}, "router.ts": ROUTER });
  const store = await openStore(project);
  const write = async (version: number) => {
    const install = `export const install = () => { throw new Error("no port"); };`;
    await project.write("handler.ts", handler(version, install));
    return await load(store, project.path("handler.ts"));
  };
  await write(1);
  await write(2);
  const file = project.path("handler.ts");
  await assert.rejects(write(1), {
    name: "ModuleError",
    message: `${file}:3:38: it is current again, but its install() failed: Error: no port`,
  });
  assert.equal(store.namespace("handler.ts")!.version, 1);
});

Deno.test("a load that goes back ignores an install that is not a function", async () => {
  await using project = await TemporaryProject.make({ "deno.json": {}, "router.ts": ROUTER });
  const store = await openStore(project);
  for (const version of [1, 2, 1]) {
    await project.write("handler.ts", handler(version, "export const install = true;"));
    assert.deepEqual((await load(store, project.path("handler.ts"))).installed, []);
  }
  assert.equal(store.namespace("handler.ts")!.version, 1);
});

Deno.test("a rerun evaluates only the module itself, and later loads import the new evaluation", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "router.ts": ROUTER,
    "handler.ts": handler(1, INSTALL),
    "user.ts": `export * from "./handler.ts";\n`,
    "later.ts": `export * from "./handler.ts";\n`,
  });
  const store = await openStore(project);
  const file = project.path("handler.ts");
  // A module that was never loaded runs once.
  assert.deepEqual(modules((await rerun(store, file)).loaded), ["router.ts", "handler.ts"]);
  const routes = store.namespace("router.ts")!.routes as string[];
  assert.deepEqual(routes.splice(0), ["handler 1 ran"]);
  const user = await load(store, project.path("user.ts"));
  const first = store.namespace("handler.ts")!;

  const outcome = await rerun(store, file);
  assert.deepEqual(modules(outcome.rerun), ["handler.ts"]);
  assert.deepEqual(modules(outcome.already), ["router.ts"]);
  assert.deepEqual(routes.splice(0), ["handler 1 ran"]);
  assert.equal(store.namespace("handler.ts"), outcome.namespace);
  assert.notEqual(outcome.namespace, first);
  assert.equal(user.namespace.own, first.own);
  const later = await load(store, project.path("later.ts"));
  assert.equal(later.namespace.own, outcome.namespace.own);
  // A later load finds it there.
  assert.deepEqual((await load(store, file)).loaded, []);
  assert.equal(store.namespace("handler.ts"), outcome.namespace);

  const listed = store.history().filter(({ module }) => module === "handler.ts");
  assert.deepEqual(listed.map(({ rerun, current }) => [rerun, current]), [
    [undefined, false],
    [true, true],
  ]);
  const all = modules(store.loaded());
  assert.equal(all.filter((module) => module === "handler.ts").length, 2);
  assert.equal(all.length, 5);

  // The new module of an earlier version is current, and its install is not called again.
  await project.write("handler.ts", handler(2));
  await load(store, file);
  await project.write("handler.ts", handler(1, INSTALL));
  const back = await rerun(store, file);
  assert.deepEqual([modules(back.rerun), back.restored], [["handler.ts"], []]);
  assert.deepEqual(routes.splice(0), ["handler 2 ran", "handler 1 ran"]);
  assert.equal(store.namespace("handler.ts")!.version, 1);
  await project.write("handler.ts", handler(2));
  await load(store, file);
  await project.write("handler.ts", handler(1, INSTALL));
  assert.deepEqual(modules((await load(store, file)).restored), ["handler.ts"]);
  assert.equal(store.namespace("handler.ts"), back.namespace);
  assert.deepEqual(routes, ["installed"]);
});

Deno.test("a rerun evaluates all modules of a cycle", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "router.ts": ROUTER,
    "a.ts": `import { b } from "./b.ts"; import { runs } from "./router.ts"; runs.count++;
export const a = { b: () => b }; export const meta = import.meta.filename;
`,
    "b.ts": `import { a } from "./a.ts"; export const b = { a: () => a };\n`,
  });
  const store = await openStore(project);
  await load(store, project.path("a.ts"));
  const before = store.namespace("b.ts")!.b;
  const { rerun: names, namespace } = await rerun(store, project.path("a.ts"));
  assert.deepEqual(modules(names).sort(), ["a.ts", "b.ts"]);
  assert.deepEqual(store.namespace("router.ts")!.runs, { count: 2 });
  const { b } = store.namespace("b.ts") as { b: { a(): unknown } };
  assert.notEqual(b, before);
  assert.equal(b.a(), namespace.a);
  assert.equal((namespace.a as { b(): unknown }).b(), b);
  assert.equal(namespace.meta, project.path("a.ts"));
});

Deno.test("a failed rerun keeps the previous module", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "router.ts": ROUTER,
    "handler.ts": handler(
      1,
      `import { runs } from "./router.ts";
if (runs.count++ === 1) throw new Error("not twice");`,
    ),
  });
  const store = await openStore(project);
  const file = project.path("handler.ts");
  const { namespace } = await load(store, file);
  await assert.rejects(rerun(store, file), { message: `${file}:4:31: Error: not twice` });
  assert.equal(store.namespace("handler.ts"), namespace);
  assert.equal(store.history().filter(({ module }) => module === "handler.ts").length, 1);
  assert.notEqual((await rerun(store, file)).namespace, namespace);
});
