import { fromSource } from "../tested_program.ts";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type ContentTypes, FileServer, makeDenoDirectory } from "./file_server.ts";
import { pipeLines } from "./repl_process.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const PLAIN: ContentTypes = { ".ts": "text/plain; charset=utf-8", ".json": "application/json" };

/** A program that runs by itself and as a module of `gxensemble run`. */
const program = (runtime: string) => `
  import { callWithEnsembleServer, currentServer, parseServerId } from "${runtime}";
  export const greeter = {
    greet: ({ name }: { name: string }): string => \`hello \${name}, I am \${currentServer().id}\`,
  };
  export async function main(): Promise<void> {
    currentServer().serve("greeter", greeter);
    console.log("serving");
    await currentServer().stopped;
  }
  if (import.meta.main) await callWithEnsembleServer(parseServerId(Deno.args[0]!), main);
`;

/** A program that asks the one above. */
const asking = (runtime: string) => `
  import { ActorRef, callWithEnsembleServer, client, parseServerId, ping } from "${runtime}";
  import type { greeter } from "./program.ts";
  const target = parseServerId(Deno.args[0]!);
  await callWithEnsembleServer(parseServerId(Deno.args[0] + "-client"), async (server) => {
    await ping(server, target);
    const greetings: string = await client<typeof greeter>(server, new ActorRef(target, "greeter"))
      .greet({ name: "you" });
    console.log(greetings);
  });
`;

/** Uses of the runtime that its types forbid, a line each. */
const wrong = (runtime: string) =>
  `import { ActorRef, client, parseServerId, startServer } from "${runtime}";
import type { greeter } from "./program.ts";
const server = await startServer("web1");
const ref = new ActorRef(parseServerId(1), "greeter");
await client<typeof greeter>(server, ref).greet({ nam: "you" });
`;

/** An ensemble on what is a host of its own for Deno, where nothing is configured. */
async function makeEnsemble(): Promise<RunningEnsemble> {
  const ensemble = new RunningEnsemble();
  const { places } = ensemble;
  places.environment.DENO_DIR = `${places.directory}/deno`;
  await makeDenoDirectory(places.environment.DENO_DIR);
  places.workingDirectory = `${places.directory}/empty`;
  await Deno.mkdir(places.workingDirectory);
  return ensemble;
}

/** Runs `deno` to its end, which must be a good one; gives what it printed. */
async function deno(ensemble: RunningEnsemble, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await ensemble.places.command(...args).output();
  const decoder = new TextDecoder();
  assert.equal(code, 0, `deno ${args.join(" ")}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

/** Checks the types of modules: there must be errors in each line of the one that has them, and no others. */
async function checkTypes(
  { places }: RunningEnsemble,
  configuration: string,
  modules: string[],
): Promise<void> {
  const args = ["check", "--quiet", "--allow-import", "--config", configuration, ...modules];
  const { code, stderr } = await places.command(...args).output();
  const errors = new TextDecoder().decode(stderr);
  const found = Array.from(
    errors.matchAll(/(\w+\.ts):(\d+):\d+$/gm),
    ([, ...place]) => place.join(":"),
  );
  assert.deepEqual(found, ["wrong.ts:3", "wrong.ts:4", "wrong.ts:5"], errors);
  assert.equal(code, 1);
}

/** Enters lines into the REPL of a server; they must not fail. Gives the results. */
async function enter(ensemble: RunningEnsemble, id: string, lines: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await pipeLines(ensemble.places, [id], lines);
  assert.equal(code, 0, stderr);
  return stdout.split("\n").slice(0, -1);
}

Deno.test("the command line is run from a URL, and needs nothing else", async () => {
  await using files = await FileServer.start(PLAIN);
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
  assert.deepEqual(await ensemble.lines("ping", "web1"), ["OK"]);
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
  assert.equal((await ensemble.lines("list-servers")).length, 1);
  const { code, stderr } = await ensemble.run("load", "--library", "web1", "my/nosuch");
  assert.equal(code, 1);
  assert.match(stderr, /my\/nosuch is not registered .*: [^\n]*my\/nosuch[^\n]*\n$/);
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

Deno.test("nothing that the executables ever import needs a configuration", async () => {
  await using files = await FileServer.start(PLAIN);
  await using ensemble = await makeEnsemble();
  const modules = ["cli/main.ts", "registry/main.ts", "mod.ts"].map((path) => files.url(path));
  await deno(ensemble, "check", "--quiet", ...modules);
  const version = await deno(ensemble, "run", "-A", files.url("registry/main.ts"), "-V");
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
  Deno.test(`a file server may send .ts as ${script}, and .json as ${data}`, async () => {
    await using files = await FileServer.start({
      ...script && { ".ts": script },
      ...data && { ".json": data },
    });
    await using ensemble = await makeEnsemble();
    ensemble.places.program = fromSource(files.url("cli/main.ts"));
    assert.match((await ensemble.lines("-V"))[0]!, /^gxensemble /);
  });
}

Deno.test("a file server that hides what .ts files are is named as the cause", async () => {
  await using files = await FileServer.start({ ...PLAIN, ".ts": "text/vnd.trolltech.linguist" });
  await using ensemble = await makeEnsemble();
  ensemble.places.program = fromSource(files.url("cli/main.ts"));
  const { code, stdout, stderr } = await ensemble.run("-V");
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
  assert.match(stderr, /^gxensemble: error: http:\S+ does not say of \.ts files that they are Ty/m);
});

const NAME = "@gxensemble/ensemble";

/** Where projects import the runtime from, and what their maps make of that, by the URL of mod.ts. */
const PROJECTS: Record<
  string,
  (url: string) => { runtime: string; imports?: Record<string, string> }
> = {
  "a URL": (url) => ({ runtime: url }),
  "a path": () => ({ runtime: `${ROOT}mod.ts` }),
  "a name for a URL": (url) => ({ runtime: NAME, imports: { [NAME]: url } }),
  "a name for a path": () => ({ runtime: NAME, imports: { [NAME]: `${ROOT}mod.ts` } }),
};

for (const [place, project] of Object.entries(PROJECTS)) {
  Deno.test(`mod.ts is imported by ${place}, alone and by run, and is one with the server's`, async () => {
    await using files = await FileServer.start(PLAIN);
    await using ensemble = await makeEnsemble();
    ensemble.places.program = fromSource(files.url("cli/main.ts"));
    await ensemble.lines("cookie");
    await ensemble.startRegistry();
    const { runtime, imports } = project(files.url("mod.ts"));
    const configuration = await ensemble.write("deno.json", JSON.stringify({ imports }));
    const main = await ensemble.write("program.ts", program(runtime));
    const asker = await ensemble.write("asking.ts", asking(runtime));
    const late = await ensemble.write(
      "late.ts",
      `import { currentServer } from "${runtime}";\nexport const where = currentServer().id;\n`,
    );
    const faulty = await ensemble.write("wrong.ts", wrong(runtime));
    // A map leads to the same types.
    if (!imports) await checkTypes(ensemble, configuration, [main, asker, late, faulty]);

    const servers = {
      alone: ["run", "-A", "--config", configuration, main, "alone"],
      run: [...ensemble.places.program.slice(1), "run", "run", main],
    };
    for (const [id, command] of Object.entries(servers)) {
      await ensemble.spawnDeno(...command).printed("serving");
      assert.equal(
        await deno(ensemble, "run", "-A", "--config", configuration, asker, id),
        `hello you, I am ${id}\n`,
      );
      ensemble.places.workingDirectory = ensemble.path("");
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
        `... loading code object file ${late}`,
        `"${id}"`,
      ]);
      ensemble.places.workingDirectory = `${ensemble.places.directory}/empty`;
    }
  });
}

Deno.test("another copy of the runtime is refused by its URL, and taken for the server's by name", async () => {
  await using files = await FileServer.start(PLAIN);
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
  const place = `${direct}:2:72: ${runtime}`;
  assert.match(
    stderr,
    new RegExp(
      `gxensemble: error: ${RegExp.escape(place)} is another copy of the runtime .*map to`,
    ),
  );
  // What the server imports when it runs may have it behind it: that is told when it asks for its server.
  const library = await ensemble.write("library.js", `export * from "${runtime}";\n`);
  const named = await ensemble.write(
    "named.ts",
    program("@gxensemble/ensemble") +
      `const library: string = "file://${library}";\n` +
      `export const ask = async () => (await import(library)).currentServer();\n`,
  );
  await ensemble.spawn("run", "web1", named).printed("serving");
  const { stderr: reason } = await ensemble.run(
    "eval",
    "web1",
    `ensemble.module("named.ts").ask()`,
  );
  assert.match(reason, /is another copy of the runtime than that of the server here, http:/);
});

Deno.test("deno install makes a command of it, from a URL and from a clone", async () => {
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
  const files = await FileServer.start(PLAIN);
  const remote = await install("gxremote", files.url("cli/main.ts"));
  // Installed is installed: the server is not asked again.
  await files[Symbol.asyncDispose]();
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
