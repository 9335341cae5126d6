import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { writeServerModule } from "../../../cli/executables/staged_program.ts";
import { ModuleReader } from "../../../cli/modules/module_reader.ts";
import { build, TemporaryProject } from "../modules/temporary_project.ts";

const RUNTIME = new URL("../../../mod.ts", import.meta.url).href;

Deno.test("writeServerModule names the program's modules as run does, the entry first", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "svc.ts": `export { start as main } from "./lib/a.ts"; import "./lib/b.ts";`,
    "lib/a.ts": `
      import { currentServer } from ${JSON.stringify(RUNTIME)};
      import { ping } from "jsr:@gxensemble/ensemble@^0.1";
      import { type ServerInfo } from "@gxensemble/ensemble";
      import data from "../data.json" with { type: "json" };
      export const start = async () => [currentServer(), ping, data, await import("./late.ts")] as ServerInfo[];
      new Worker(import.meta.resolve("../worker.ts"));
    `,
    "lib/b.ts": `export const b = 1;`,
    "lib/late.ts": `export const late = 1;`,
    "data.json": [1],
    "worker.ts": `postMessage(1);`,
  });
  await Deno.mkdir(project.path("out"));
  const file = project.path("svc.ts");
  const written = await writeServerModule(await ModuleReader.open(file), {
    directory: project.path("out"),
    name: `a "b"`,
    version: undefined,
  });
  assert.deepEqual(written, {
    path: project.path("out/server.js"),
    runtimeAddresses: [RUNTIME, "jsr:@gxensemble/ensemble@^0.1"],
    workers: [project.path("worker.ts")],
  });
  const server = await Deno.readTextFile(written.path);
  assert.match(server, /^import \{ currentServer, runProgram \} from "@gxensemble\/ensemble";$/m);
  assert.match(server, /^Deno\.exitCode = await runProgram\(main, \{"name":"a \\"b\\""\}\);$/m);
  const modules = await Deno.readTextFile(project.path("out/modules.js"));
  const imported = Array.from(modules.matchAll(/ from "(.*)";$/gm), ([, url]) => url);
  const names = Array.from(
    modules.matchAll(/^ {2}\{ \.\.\.(\{.*\}), namespace: /gm),
    ([, name]) => JSON.parse(name!),
  );
  const { units } = await build(file);
  const expected = ["svc.ts", "lib/a.ts", "lib/b.ts"].map((id) => {
    const { module, path, hash } = units.find((unit) => unit.module === id)!;
    return { module, path, hash };
  });
  assert.deepEqual(names, expected);
  assert.deepEqual(imported, expected.map(({ path }) => pathToFileURL(path).href));
});
