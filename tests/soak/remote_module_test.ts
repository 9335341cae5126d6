import { fromSource } from "../tested_program.ts";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type ContentTypes, FileServer, makeDenoDirectory } from "./file_server.ts";
import { pipeLines } from "../e2e/repl_process.ts";
import { RunningEnsemble } from "../e2e/running_ensemble.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const PLAIN: ContentTypes = { ".ts": "text/plain; charset=utf-8", ".json": "application/json" };

/** A program that runs by itself and as a module of `gxensemble run`. */
const program = (runtime: string) => `
  import { runServer, currentServer } from "${runtime}";
  export const greeter = {
    greet: ({ name }: { name: string }): string => \`hello \${name}, I am \${currentServer().id}\`,
  };
  export async function main(): Promise<void> {
    currentServer().serve("greeter", greeter);
    console.log("serving");
    await currentServer().stopped;
  }
  if (import.meta.main) await runServer(Deno.args[0]!, main);
`;

/** A program that asks the one above on several servers. */
const asking = (runtime: string) => `
  import { runServer } from "${runtime}";
  import type { greeter } from "./program.ts";
  await runServer(Deno.args[0] + "-client", async (server) => {
    for (const target of Deno.args) {
      await server.ping("server@" + target);
      const greetings: string = await server.client<typeof greeter>("greeter@" + target)
        .greet({ name: "you" });
      console.log(greetings);
    }
  });
`;

/** Uses of the runtime that its types forbid, one per line. */
const wrong = (runtime: string) =>
  `import { ActorRef, startServer } from "${runtime}";
import type { greeter } from "./program.ts";
const server = await startServer(1);
const ref = new ActorRef(1, "greeter");
await server.client<typeof greeter>(ref).greet({ nam: "you" });
`;

/** Serves the checkout to all tests that do not need their own server. */
let files: FileServer;

/**
 * Deno's cache in these tests. It starts without any module. A module that one test has downloaded
 * is not compiled again in the next, and a module of another file server is new.
 */
let denoDirectory: string;

Deno.test.beforeAll(async () => {
  files = await FileServer.start(PLAIN);
  denoDirectory = await Deno.makeTempDir({ prefix: "gx" });
  await makeDenoDirectory(denoDirectory);
});

Deno.test.afterAll(async () => {
  await files[Symbol.asyncDispose]();
  await Deno.remove(denoDirectory, { recursive: true });
});

/** The files of a project that imports the runtime. */
const projectOf = (runtime: string): Record<string, string> => ({
  "program.ts": program(runtime),
  "asking.ts": asking(runtime),
  "late.ts":
    `import { currentServer } from "${runtime}";\nexport const where = currentServer().id;\n`,
  "wrong.ts": wrong(runtime),
});

/** An ensemble on a simulated separate host, where nothing is configured. */
async function makeEnsemble(): Promise<RunningEnsemble> {
  const ensemble = new RunningEnsemble();
  const { places } = ensemble;
  places.environment.DENO_DIR = denoDirectory;
  places.workingDirectory = `${places.directory}/empty`;
  await Deno.mkdir(places.workingDirectory);
  return ensemble;
}

/** Runs `deno` to its end, which must succeed, and returns its output. */
async function deno(ensemble: RunningEnsemble, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await ensemble.places.command(...args).output();
  const decoder = new TextDecoder();
  assert.equal(code, 0, `deno ${args.join(" ")}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

/** Types lines into the REPL of a server, none of which may fail, and returns the results. */
async function enter(ensemble: RunningEnsemble, id: string, lines: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await pipeLines(ensemble.places, [id], lines);
  assert.equal(code, 0, stderr);
  return stdout.split("\n").slice(0, -1);
}

Deno.test("the command line runs from a URL, and needs nothing else", async () => {
  await using ensemble = await makeEnsemble();
  ensemble.places.program = fromSource(files.url("cli/main.ts"));
  const configuration = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  assert.ok((await ensemble.lines("-V"))[0]!.startsWith(`gxensemble ${configuration.version} `));
  assert.match((await ensemble.lines("help")).join("\n"), /list-servers/);
  await ensemble.lines("cookie");
  const registry = await ensemble.startRegistry();

  await ensemble.write("deno.json", "{}");
  const module = await ensemble.write("program.ts", program("@gxensemble/ensemble"));
  await ensemble.write("state.ts", "export let state = 1;\nexport const next = () => ++state;\n");
  const handler = await ensemble.write(
    "handler.ts",
    `import { currentServer } from "@gxensemble/ensemble";\n` +
      `import { next, state } from "./state.ts";\nnext();\n` +
      `export enum Kind { Loaded = "loaded" }\n` +
      `export const report = (): string => \`\${Kind.Loaded} \${currentServer().id} \${state}\`;\n`,
  );
  const server = ensemble.spawn("run", "web1", module);
  await server.printed("serving");
  assert.deepEqual(await ensemble.lines("ping", "web1", "greeter"), ["OK"]);
  assert.equal((await ensemble.lines("load", "web1", handler)).length, 5);
  const report = `ensemble.module("handler.ts").report()`;
  assert.deepEqual(await ensemble.lines("eval", "web1", report), [`"loaded web1 2"`]);
  assert.deepEqual(
    await enter(ensemble, "web1", [
      `import { report } from "handler.ts";`,
      `import { currentServer } from "@gxensemble/ensemble";`,
      `const greeting: string = report();`,
      `[greeting, currentServer() === ensemble]`,
    ]),
    [`[ "loaded web1 2", true ]`],
  );
  // The registry is listed too.
  assert.equal((await ensemble.lines("list-servers")).length, 2);
  const { code, stderr } = await ensemble.run("load", "--library", "web1", "my/nosuch");
  assert.equal(code, 1);
  assert.match(stderr, /my\/nosuch is neither registered .*: [^\n]*my\/nosuch[^\n]*\n$/);
  assert.doesNotMatch(stderr, /127\.0\.0\.1/);

  const executable = ensemble.path("web2");
  await ensemble.lines("compile", "--portable", "-o", executable, module);
  const compiled = ensemble.spawnProgram(executable, "web2");
  await compiled.printed("serving");
  await ensemble.lines("load", "web2", handler);
  assert.deepEqual(await ensemble.lines("eval", "web2", report), [`"loaded web2 2"`]);
  await ensemble.lines("shutdown", "-f");
  const processes = [server, compiled, registry];
  assert.deepEqual(await Promise.all(processes.map((process) => process.exit())), [0, 0, 0]);
});

Deno.test("ensemble-registry runs from a URL", async () => {
  await using ensemble = await makeEnsemble();
  const version = await deno(ensemble, "run", "-A", files.url("cli/registry_main.ts"), "-V");
  assert.match(version, /^ensemble-registry /);
});

for (
  const [script, data] of [
    [undefined, undefined],
    ["application/octet-stream", "application/octet-stream"],
    ["video/mp2t", "application/json"],
    ["application/typescript", "text/plain"],
  ] as const
) {
  Deno.test(`a file server can send .ts as ${script}, and .json as ${data}`, async () => {
    await using files = await FileServer.start({
      ...script && { ".ts": script },
      ...data && { ".json": data },
    });
    await using ensemble = await makeEnsemble();
    ensemble.places.program = fromSource(files.url("cli/main.ts"));
    assert.match((await ensemble.lines("-V"))[0]!, /^gxensemble /);
  });
}

Deno.test("a file server that hides the type of .ts files is named as the cause", async () => {
  await using files = await FileServer.start({ ...PLAIN, ".ts": "text/vnd.trolltech.linguist" });
  await using ensemble = await makeEnsemble();
  ensemble.places.program = fromSource(files.url("cli/main.ts"));
  const { code, stdout, stderr } = await ensemble.run("-V");
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
  assert.match(stderr, /^gxensemble: error: http:\S+ does not say of \.ts files that they are Ty/m);
});

const NAME = "@gxensemble/ensemble";

/**
 * The places from which projects import the runtime, and their import maps, for the URL of mod.ts.
 */
const PROJECTS: Record<
  string,
  (url: string) => { runtime: string; imports?: Record<string, string> }
> = {
  "a URL": (url) => ({ runtime: url }),
  "a path": () => ({ runtime: `${ROOT}mod.ts` }),
  "a name for a URL": (url) => ({ runtime: NAME, imports: { [NAME]: url } }),
  "a name for a path": () => ({ runtime: NAME, imports: { [NAME]: `${ROOT}mod.ts` } }),
};

Deno.test("deno check needs no configuration, and finds the errors of projects that import mod.ts by a URL and a path", async () => {
  await using ensemble = await makeEnsemble();
  const modules = ["cli/main.ts", "cli/registry_main.ts", "mod.ts"].map((path) => files.url(path));
  // An import map leads to the same types.
  for (const [directory, runtime] of [["url", files.url("mod.ts")], ["path", `${ROOT}mod.ts`]]) {
    for (const [file, text] of Object.entries(projectOf(runtime!))) {
      modules.push(await ensemble.write(`${directory}/${file}`, text));
    }
  }
  // One process for all, because starting the compiler takes longer than checking a project.
  const { code, stderr } = await ensemble.places.command(
    "check",
    "-q",
    "--allow-import",
    ...modules,
  )
    .output();
  const errors = new TextDecoder().decode(stderr);
  const found = Array.from(
    errors.matchAll(/(\w+\/\w+\.ts):(\d+):\d+$/gm),
    ([, ...place]) => place.join(":"),
  );
  const lines = ["url", "path"].flatMap((project) =>
    [3, 4, 5].map((line) => `${project}/wrong.ts:${line}`)
  );
  assert.deepEqual(found.sort(), lines.sort(), errors);
  assert.equal(code, 1);
});

Deno.test("mod.ts is the server's own runtime, in a program that starts a server and in one that run starts", async (t) => {
  await using ensemble = await makeEnsemble();
  const { places } = ensemble;
  places.program = fromSource(files.url("cli/main.ts"));
  await ensemble.lines("cookie");
  await ensemble.startRegistry();
  for (const [index, [place, project]] of Object.entries(PROJECTS).entries()) {
    await t.step(`imported by ${place}`, async () => {
      const { runtime, imports } = project(files.url("mod.ts"));
      const at = (file: string) => `project${index}/${file}`;
      const configuration = await ensemble.write(at("deno.json"), JSON.stringify({ imports }));
      for (const [file, text] of Object.entries(projectOf(runtime))) {
        await ensemble.write(at(file), text);
      }
      const main = ensemble.path(at("program.ts"));
      const [alone, run] = [`alone${index}`, `run${index}`];
      const servers = [
        ensemble.spawnDeno("run", "-A", "--config", configuration, main, alone),
        ensemble.spawn("run", run, main),
      ];
      await Promise.all(servers.map((server) => server.printed("serving")));
      const asker = ensemble.path(at("asking.ts"));
      assert.equal(
        await deno(ensemble, "run", "-A", "--config", configuration, asker, alone, run),
        `hello you, I am ${alone}\nhello you, I am ${run}\n`,
      );
      const empty = places.workingDirectory;
      places.workingDirectory = ensemble.path(at("."));
      await Promise.all([alone, run].map(async (id) => {
        const results = await enter(ensemble, id, [
          `import { currentServer } from "${runtime}";`,
          "currentServer().id",
          ",(load late.ts)",
          `import { where } from "./late.ts";`,
          "where",
        ]);
        assert.deepEqual(results.filter((line) => !/^[0-9a-f]{64}$/.test(line)), [
          `"${id}"`,
          `... loading library module ${NAME}`,
          `... loading code object file ${ensemble.path(at("late.ts"))}`,
          `"${id}"`,
        ]);
      }));
      places.workingDirectory = empty;
      await Promise.all(servers.map((server) => server.kill()));
    });
  }
});

Deno.test("another copy of the runtime is refused by URL, and replaced by the server's by name", async () => {
  await using others = await FileServer.start(PLAIN);
  await using ensemble = await makeEnsemble();
  ensemble.places.program = fromSource(files.url("cli/main.ts"));
  await ensemble.lines("cookie");
  await ensemble.startRegistry();
  const runtime = others.url("mod.ts");
  await ensemble.write("deno.json", `{ "imports": { "@gxensemble/ensemble": "${runtime}" } }`);
  const direct = await ensemble.write("direct.ts", program(runtime));
  const { code, stderr } = await ensemble.run("run", "web1", direct);
  assert.equal(code, 1);
  const place = `${direct}:2:44: ${runtime}`;
  assert.match(
    stderr,
    new RegExp(
      `gxensemble: error: ${RegExp.escape(place)} is another copy of this server's runtime.*map`,
    ),
  );
  // A module that the server imports at run time may import it indirectly. The error appears when
  // the module asks for its server.
  const library = await ensemble.write(
    "library.js",
    `import { currentServer } from "${runtime}";\nexport const ask = () => currentServer();\n`,
  );
  const named = await ensemble.write(
    "named.ts",
    program("@gxensemble/ensemble") +
      `const library: string = "file://${library}";\n` +
      `export const ask = async () => (await import(library)).ask();\n`,
  );
  await ensemble.spawn("run", "web1", named).printed("serving");
  const { stderr: reason } = await ensemble.run(
    "eval",
    "web1",
    `ensemble.module("named.ts").ask()`,
  );
  assert.match(reason, /is a different copy of the runtime than the server's, http:/);
});

Deno.test("deno install makes a gxensemble command, from a URL and from a clone", async () => {
  await using ensemble = await makeEnsemble();
  const { places } = ensemble;
  const install = async (name: string, ...args: string[]) => {
    places.environment.DENO_INSTALL_ROOT = `${places.directory}/installed`;
    await deno(ensemble, "install", "--quiet", "-g", "-A", "-n", name, ...args);
    return async (...args: string[]) => {
      const command = new Deno.Command(`${places.directory}/installed/bin/${name}`, {
        args,
        cwd: places.workingDirectory,
        env: places.environment,
      });
      const { code, stdout, stderr } = await command.output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout);
    };
  };
  const stopped = await FileServer.start(PLAIN);
  const remote = await install("gxremote", stopped.url("cli/main.ts"));
  // An installed command runs without the file server.
  await stopped[Symbol.asyncDispose]();
  assert.match(await remote("-V"), /^gxensemble /);
  assert.equal(await remote("cookie"), "");

  const lock = await Deno.readTextFile(`${ROOT}deno.lock`);
  places.workingDirectory = ROOT;
  const local = await install("gxlocal", "--config", "deno.json", "cli/main.ts");
  places.workingDirectory = `${places.directory}/empty`;
  assert.match(await local("-V"), /^gxensemble /);
  assert.equal(await local("cookie", "--force"), "");
  assert.equal(await Deno.readTextFile(`${ROOT}deno.lock`), lock);
});
