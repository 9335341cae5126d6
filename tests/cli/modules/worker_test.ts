import assert from "node:assert/strict";
import { build, load, openStore, TemporaryProject } from "./temporary_project.ts";

const FILES = {
  "deno.json": { imports: { lib: "./lib.ts" } },
  "lib.ts": `export const lib: string = "lib";\n`,
  "worker.ts":
    `import { lib } from "lib";\npostMessage([lib, import.meta.filename]);\nself.close();\n`,
  "main.ts": `export const start = () => new Promise((done) => {\n` +
    `  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });\n` +
    `  worker.onmessage = ({ data }) => done(data);\n});\n`,
};

Deno.test("workers are shipped, and do not need the author's files", async () => {
  await using project = await TemporaryProject.make(FILES);
  const store = await openStore(project);
  const { namespace, shipped } = await load(store, project.path("main.ts"));
  assert.equal(shipped, 3);
  for (const file of ["worker.ts", "lib.ts"]) await Deno.remove(project.path(file));
  const start = namespace.start as () => Promise<unknown>;
  assert.deepEqual(await start(), ["lib", project.path("worker.ts")]);
  assert.deepEqual(await start(), ["lib", project.path("worker.ts")]);
  assert.equal(store.namespace("worker.ts"), undefined);
});

Deno.test("the hash of a module covers the workers that it starts", async () => {
  await using project = await TemporaryProject.make(FILES);
  const before = await build(project.path("main.ts"));
  await project.write("lib.ts", `export const lib = "another";\n`);
  assert.notEqual((await build(project.path("main.ts"))).request.entry, before.request.entry);
});
