import assert from "node:assert/strict";
import { allCommands } from "../../cli/kit/command_line.ts";
import { commandTree } from "../../cli/command_tree.ts";
import { registryCommand } from "../../cli/commands/registry.ts";
import { DEFAULT_GRACE } from "../../runtime/ensemble/start_options.ts";
import { RunningEnsemble, RunningProcess, WAITING } from "../e2e/running_ensemble.ts";
import { commandLine, environmentFile, UnitFile } from "./unit_file.ts";

const DOCUMENT = Deno.readTextFileSync(new URL("../../docs/deploy.md", import.meta.url));
const BIN = "/usr/local/bin/";

/** The environment files of the document, with their purpose. */
const environmentFiles = Array.from(
  DOCUMENT.matchAll(/^```\n# \/etc\/gxensemble\/(\w+)\.env\n(.*?)^```/gms),
  ([, name, text]) => ({ name: name!, variables: environmentFile(text!) }),
);

/** The parsed command line. It is not run. */
function parse([program, ...args]: string[]): { arguments: unknown[]; options: unknown } {
  const tree = program === `${BIN}ensemble-registry`
    ? registryCommand("ensemble-registry").exitOverride()
    : commandTree();
  let parsed: ReturnType<typeof parse> | undefined;
  for (const command of [tree, ...allCommands(tree)]) {
    command.action(() => {
      parsed = { arguments: command.processedArgs, options: command.opts() };
    });
  }
  tree.parse(args, { from: "user" });
  assert.ok(parsed, `not a command: ${args}`);
  return parsed;
}

/** The command of a unit, with the variables of its environment files. */
function commandLines(unit: UnitFile, variables: Record<string, string>): string[][] {
  return unit.values("ExecStart").map((line) => commandLine(line, variables));
}

Deno.test("the units start the commands that the document describes", () => {
  const specifiers = { i: "httpd1", N: "unit", S: "/var/lib", t: "/run", C: "/var/cache" };
  const registry = new UnitFile("ensemble-registry.service", specifiers);
  const server = new UnitFile("ensemble-server@.service", specifiers);
  assert.deepEqual(registry.environment(), server.environment());
  assert.deepEqual(registry.values("EnvironmentFile"), ["-/etc/gxensemble/registry.env"]);
  assert.deepEqual(server.values("EnvironmentFile"), [
    "-/etc/gxensemble/httpd1.env",
  ]);

  const known = {
    registry: ["REGISTRY_OPTIONS"],
    httpd1: ["SERVER_OPTIONS", "MODULE", "ARGUMENTS"],
  };
  for (const { name, variables } of environmentFiles) {
    assert.deepEqual(Object.keys(variables), known[name as keyof typeof known]);
  }
  const named = (name: string) => environmentFiles.filter((file) => file.name === name);
  for (const { variables } of [{ variables: {} }, ...named("registry")]) {
    for (const line of commandLines(registry, variables)) parse(line);
  }
  assert.ok(named("registry").length > 0);
  for (const { variables } of named("httpd1")) {
    const [line] = commandLines(server, variables);
    assert.deepEqual(parse(line!).arguments, ["httpd1", "/srv/httpd/httpd_svc.ts", ["8080"]]);
  }
});

Deno.test("the units wait longer than the grace before they kill a server", () => {
  const specifiers = { i: "httpd1", N: "unit", S: "/var/lib", t: "/run", C: "/var/cache" };
  for (const name of ["ensemble-registry.service", "ensemble-server@.service"]) {
    const seconds = Number(new UnitFile(name, specifiers).value("TimeoutStopSec"));
    assert.ok(seconds * 1000 >= DEFAULT_GRACE + 5_000, name);
  }
});

Deno.test("the commands of the units run, and their signals act as described", async () => {
  await using ensemble = new RunningEnsemble();
  const { directory } = ensemble.places;
  const specifiers = {
    i: "httpd1",
    N: "unit",
    S: `${directory}/S`,
    t: `${directory}/t`,
    C: `${directory}/C`,
  };
  const registry = new UnitFile("ensemble-registry.service", specifiers);
  const server = new UnitFile("ensemble-server@.service", specifiers);

  // The directories that systemd and install.sh make.
  const made = {
    [specifiers.S]: "StateDirectory",
    [specifiers.t]: "RuntimeDirectory",
    [specifiers.C]: "CacheDirectory",
  };
  for (const [parent, setting] of Object.entries(made)) {
    assert.equal(registry.value(setting), server.value(setting));
    const mode = Number.parseInt(server.value(`${setting}Mode`), 8);
    Deno.mkdirSync(parent);
    Deno.mkdirSync(`${parent}/${server.value(setting)}`, { mode });
  }
  const bin = `${directory}/bin/`;
  Deno.mkdirSync(bin);
  for (const [name, path] of [["gxensemble", "main"], ["ensemble-registry", "registry_main"]]) {
    const main = new URL(`../../cli/${path}.ts`, import.meta.url).pathname;
    const script = `#!/bin/sh\nexec '${Deno.execPath()}' run -A '${main}' "$@"\n`;
    Deno.writeTextFileSync(`${bin}${name}`, script, { mode: 0o755 });
  }
  Deno.writeTextFileSync(`${directory}/waiting.ts`, WAITING);

  const command = (unit: UnitFile, line: string, variables: Record<string, string> = {}) => {
    const [program, ...args] = commandLine(line.replaceAll(BIN, bin), variables);
    return new Deno.Command(program!, {
      args,
      clearEnv: true,
      // The variables that systemd gives to every service, and those for Deno's own files.
      env: {
        HOME: `${specifiers.S}/gxensemble`,
        PATH: Deno.env.get("PATH")!,
        DENO_DIR: denoDirectory(),
        ...unit.environment(),
        ...variables,
      },
      cwd: unit.value("WorkingDirectory"),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  };
  const start = (unit: UnitFile, variables: Record<string, string>) => {
    const line = unit.value("ExecStart");
    return new RunningProcess(command(unit, line, variables).spawn());
  };
  const finish = async (unit: UnitFile, line: string, MAINPID: number) => {
    const { code, stderr } = await command(unit, line, { MAINPID: String(MAINPID) }).output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  };

  const cookie = await command(server, `${BIN}gxensemble cookie`).output();
  assert.equal(cookie.code, 0);
  const first = start(registry, {});
  const processes = [first];
  try {
    // It waits for the registry to answer.
    const post = registry.value("ExecStartPost");
    assert.deepEqual(await finish(registry, post, first.pid), { code: 0, stderr: "" });
    const variables = { SERVER_OPTIONS: "--roles httpd", MODULE: `${directory}/waiting.ts` };
    const httpd1 = start(server, variables);
    processes.push(httpd1);
    await httpd1.logged(/httpd1 is in the registry$/);
    const lookup = await command(server, `${BIN}gxensemble lookup --role httpd`).output();
    assert.match(
      new TextDecoder().decode(lookup.stdout),
      /^\(httpd1 \(unix: "[^"]+" "[^"]+\/t\/gxensemble\/httpd1"\)\)\n$/,
    );

    const reload = server.value("ExecReload");
    assert.deepEqual(await finish(server, reload, httpd1.pid), { code: 0, stderr: "" });
    await httpd1.logged(/httpd1 has read its certificates again$/);
    for (const process of [httpd1, first]) {
      process.signal("SIGTERM");
      assert.equal(await process.exit(), 0);
    }
    // It does not wait for a registry that has ended.
    const outcome = await finish(registry, post, first.pid);
    assert.deepEqual({ ...outcome, code: outcome.code !== 0 }, { code: true, stderr: "" });
    // A wrong command line is not retried.
    const wrong = start(server, {});
    processes.push(wrong);
    assert.equal(await wrong.exit(), Number(server.value("RestartPreventExitStatus")));
  } finally {
    await Promise.all(processes.map((process) => process.kill()));
  }
});

/** Where Deno keeps the packages that the sources import. */
function denoDirectory(): string {
  const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}
