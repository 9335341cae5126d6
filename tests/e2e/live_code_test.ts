import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { RunningEnsemble } from "./running_ensemble.ts";

const MAIN = `
import { currentServer } from "@gxensemble/ensemble";
import settings from "./settings.json" with { type: "json" };
import note from "./note.txt" with { type: "text" };
import { Shape, shapes } from "./shapes.ts";

enum Level { Low = 1, High }
namespace Levels { export const top = Level.High; }
class Service {
  constructor(readonly settings: { name: string }, private level: Level) {}
  describe = () => [this.settings.name, note, this.level, shapes().length, new Shape().sides];
}
export const describe = () => new Service(settings, Levels.top).describe();
export const meta = import.meta;
export const late = () => import("./late.ts");
export function fail(): never { throw new TypeError("out of order"); }
export async function main(): Promise<void> {
  try { fail(); } catch (error) { console.error(error); }
  await import("./optional.ts").catch(() => {});
  await currentServer().stopped;
}
`;
/** An npm package that is installed, because the project itself uses it. */
const ACORN = "npm:acorn@^8.19.0";
const PROJECT = {
  "deno.json": JSON.stringify({ imports: { acorn: ACORN } }),
  "settings.json": '{ "name": "web" }',
  "note.txt": "a note",
  "shapes.ts": `import { sides } from "./sides.ts";\nexport class Shape { sides = sides(); }\n` +
    `export const shapes = () => [Shape];\n`,
  "sides.ts":
    `import { shapes } from "./shapes.ts";\nexport const sides = () => shapes().length + 3;\n`,
  "late.ts": `export const where = import.meta.filename;\nexport const loads = { count: 1 };\n`,
  "main.ts": MAIN,
};

/** An ensemble with the server `web1`, which runs the project. */
async function startProject() {
  const ensemble = await RunningEnsemble.start();
  for (const [path, text] of Object.entries(PROJECT)) await ensemble.write(path, text);
  const server = ensemble.spawn("run", "web1", ensemble.path("main.ts"));
  await server.logged(/is in the registry$/);
  const evaluate = async (expression: string) =>
    (await ensemble.lines("eval", "--json", "web1", expression)).join("\n");
  return {
    ensemble,
    server,
    evaluate,
    [Symbol.asyncDispose]: () => ensemble[Symbol.asyncDispose](),
  };
}

/** A project for the tests that load modules which no other test uses. */
let project: Awaited<ReturnType<typeof startProject>>;

Deno.test.beforeAll(async () => {
  project = await startProject();
});

Deno.test.afterAll(async () => await project[Symbol.asyncDispose]());

Deno.test("run runs TypeScript with its data, its files and its positions", async () => {
  const { ensemble, server, evaluate } = project;
  const main = `ensemble.module("main.ts")`;
  const described = JSON.parse(await evaluate(`${main}.describe()`));
  assert.deepEqual(described, ["web", "a note", 2, 1, 4]);
  const own = (
    { url, filename, main, resolve }: ImportMeta,
  ) => [url, filename, main, resolve("./x")];
  assert.deepEqual(JSON.parse(await evaluate(`(${own})(${main}.meta)`)), [
    pathToFileURL(ensemble.path("main.ts")).href,
    ensemble.path("main.ts"),
    false,
    pathToFileURL(ensemble.path("x")).href,
  ]);

  // The output of console.error, and the server's log of unhandled errors.
  await server.logged(
    new RegExp(`at fail \\(file://${RegExp.escape(ensemble.path("main.ts"))}:16:39\\)`),
  );
  await server.logged(
    /WARN server: an import\(\) will fail when it runs: .*main\.ts:19:16: there is/,
  );
  await evaluate(`void setTimeout(${main}.fail, 0)`);
  await server.logged(/ERROR server: uncaught error: out of order$/);
  await server.logged(/^ {4}TypeError: out of order$/);

  // A dynamically imported module is the same one for every later load.
  assert.equal(
    await evaluate(`(await ${main}.late()).where`),
    JSON.stringify(ensemble.path("late.ts")),
  );
  await evaluate(`(await ${main}.late()).loads.count++`);
  const [verb] = await ensemble.lines("load", "web1", ensemble.path("late.ts"));
  assert.equal(verb, `... already loaded ${ensemble.path("late.ts")}`);
  assert.equal(await evaluate(`ensemble.module("late.ts").loads.count`), "2");
});

Deno.test("load --list shows what each user loaded, and a rollback", async () => {
  // The list contains everything that the server has loaded.
  await using project = await startProject();
  const { ensemble } = project;
  const file = ensemble.path("page.ts");
  const load = async (text: string) => {
    await ensemble.write("page.ts", text);
    return await ensemble.lines("load", "web1", file);
  };
  const [, one] = await load("export const version = 1;");
  const [, two] = await load("export const version = 2;");
  await ensemble.write("page.ts", "export const version = 1;");
  assert.match(
    (await ensemble.run("load", "--dry-run", "web1", file)).stdout,
    /^\.{3} would make /,
  );
  assert.deepEqual(await ensemble.run("load", "web1", file), {
    code: 0,
    stdout: `... made current again ${file}\n${one}\n`,
    stderr:
      "... page.ts did not run again and exports no install(): to run it again, use load --rerun\n",
  });
  const anew = await ensemble.run("load", "--rerun", "--dry-run", "-f", "web1", file);
  assert.equal(anew.stdout, `... would run again ${file}\n${one}\n`, anew.stderr);
  assert.deepEqual(await ensemble.lines("load", "--rerun", "web1", file), [
    `... running again ${file}`,
    one,
  ]);
  const lines = (await ensemble.lines("load", "--list", "web1"))
    .filter((line) => line.startsWith("(page.ts "));
  const parts = lines.map((line) =>
    /^\(page\.ts "([0-9a-f]{64})" "(\S+)" "([^"@]+@[^"@]+)"((?: rerun)?(?: current)?)\)$/.exec(line)
  );
  assert.deepEqual(parts.map((part) => [part?.[1], part?.[4]]), [
    [one, ""],
    [two, ""],
    [one, ""],
    [one, " rerun current"],
  ]);
  const times = parts.map((part) => Date.parse(part![2]!));
  assert.deepEqual(times, times.toSorted());
  const listed = JSON.parse((await ensemble.lines("load", "--list", "--json", "web1")).join("\n"));
  assert.deepEqual(
    listed.filter(({ current }: { current: boolean }) => current)
      .map(({ module }: { module: string }) => module),
    [
      "late.ts",
      "main.ts",
      "note.txt?text",
      "page.ts",
      "settings.json?json",
      "shapes.ts",
      "sides.ts",
    ],
  );
  const sizes = new Map(
    listed.map(({ module, bytes }: { module: string; bytes: number }) => [module, bytes]),
  );
  assert.equal(sizes.get("late.ts"), 0);
  assert.ok(sizes.get("page.ts") as number > 0);
  const wrong = await ensemble.run("load", "--list", "web1", file);
  assert.equal(wrong.code, 2, wrong.stderr);
});

Deno.test("load checks types, predicts, can be quiet, counts shared modules, and explains new ones from another place", async () => {
  await using project = await startProject();
  const { ensemble, evaluate } = project;
  const files = {
    "place.ts": "export const here = import.meta.url;\n",
    "user.ts": `export { here } from "./place.ts";\nexport const late = () => import("./no.ts");\n`,
  };
  const load = (...args: string[]) => ensemble.run("load", ...args);
  for (const directory of ["", "other/"]) {
    await ensemble.write(`${directory}deno.json`, "{}");
    for (const [path, text] of Object.entries(files)) await ensemble.write(directory + path, text);
  }
  const user = ensemble.path("user.ts");
  const foreseen = await load("--dry-run", "web1", user);
  assert.match(foreseen.stdout, /^\.\.\. would load code object file \S+place\.ts\n/);
  assert.equal(await evaluate(`ensemble.module("user.ts")`), "null");
  assert.deepEqual(await load("-q", "web1", user), { code: 0, stdout: "", stderr: "" });
  const { stdout } = await load("--dry-run", "web1", user);
  assert.match(stdout, /^\.\.\. already loaded \S+place\.ts\n/);

  const elsewhere = await load("web1", ensemble.path("other/user.ts"));
  assert.equal(elsewhere.stdout.match(/loading code object file/g)?.length, 2);
  assert.equal(
    elsewhere.stderr,
    `... an import() will fail when it runs: ${
      ensemble.path("other/user.ts")
    }:2:34: there is no module ${ensemble.path("other/no.ts")}\n` +
      `... place.ts reads import.meta and was loaded from ${
        ensemble.path("place.ts")
      }, so it is new here\n` +
      "... so 1 module that imports it is new, too\n",
  );
  const { stderr } = await load("--list", "web1");
  // The program's modules, except those that it imports later; and these modules, each from two
  // places.
  assert.match(stderr, /^\.\.\. 9 loaded modules of 7 module ids, \d+ bytes of code\n$/);

  await ensemble.write("wrong.ts", `export const a: number = "a";\n`);
  const reason = await ensemble.failure("load", "--check", "web1", ensemble.path("wrong.ts"));
  assert.match(reason, /^type errors in \S+wrong\.ts:\n +TS2322 /);
});

Deno.test("npm packages are loaded on the server first, and a missing one is named with its importer", async () => {
  const { ensemble, evaluate } = project;
  const file = await ensemble.write(
    "parsing.ts",
    `import { parse } from "acorn";\nexport { parse };\n`,
  );
  const [library, loading] = await ensemble.lines("load", "web1", file);
  assert.equal(library, `... loading library module ${ACORN}`);
  assert.equal(loading, `... loading code object file ${file}`);
  const type = `ensemble.module("parsing.ts").parse("1", { ecmaVersion: "latest" }).type`;
  assert.equal(await evaluate(type), '"Program"');

  const lacking = await ensemble.write(
    "lacking.ts",
    `\nimport "./parsing.ts"; import "node:nosuch";\n`,
  );
  const reason = await ensemble.failure("load", "web1", lacking);
  assert.ok(reason.startsWith(`${lacking}:2:31: library module node:nosuch`), reason);
});

Deno.test("a tree of 500 modules is loaded, and later only what is new in it", async () => {
  const { ensemble, evaluate } = project;
  const size = 500;
  const text = (index: number) =>
    (index < size
      ? `import { depth as below } from "./m${index + 1}.ts";\n`
      : "const below = 0;\n") +
    `export const depth: number = below + 1;\n`;
  for (let index = 1; index <= size; index++) await ensemble.write(`m${index}.ts`, text(index));
  const { code, stdout, stderr } = await ensemble.run("load", "web1", ensemble.path("m1.ts"));
  // A slow load prints a note.
  assert.equal(code, 0, stderr);
  assert.equal(stdout.match(/^\.\.\. loading code object file /gm)?.length, size);
  assert.equal(await evaluate(`ensemble.module("m1.ts").depth`), `${size}`);

  await ensemble.write("m2.ts", text(2).replace("+ 1", "+ 2"));
  const again = await ensemble.lines("load", "web1", ensemble.path("m1.ts"));
  assert.equal(again.filter((line) => line.startsWith("... loading code")).length, 2);
  assert.equal(await evaluate(`ensemble.module("m1.ts").depth`), `${size + 1}`);
});
