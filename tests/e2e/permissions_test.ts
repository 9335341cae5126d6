import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { RunningEnsemble } from "./running_ensemble.ts";

const pathOf = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

/** The flags in docs/permissions.md, by the kind of process. */
function flags(ensemble: RunningEnsemble, { id, net }: { id?: string; net: string[] }): string[] {
  const { gerbilPath, socketDirectory } = ensemble.places;
  const own = id === undefined ? [] : [`${gerbilPath}/ensemble/server/${id}`];
  return [
    "run",
    "--no-prompt",
    "--allow-env=GERBIL_PATH,HOME,ENSEMBLE_SOCKET_DIR,ENSEMBLE_REGISTRY",
    "--allow-sys=hostname,uid",
    `--allow-read=${gerbilPath}/ensemble,${socketDirectory}`,
    `--allow-write=${[...own, socketDirectory].join(",")}`,
    `--allow-net=${net.map((id) => `unix:${ensemble.socket(id)}`).join(",")}`,
  ];
}

Deno.test("the registry, server programs and commands run with the documented permissions", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.lines("cookie");
  const registry = ensemble.spawnDeno(
    ...flags(ensemble, { id: "registry", net: ["registry"] }),
    pathOf("cli/registry_main.ts"),
  );
  await registry.logged(/registry listens at unix:/);
  const program = await ensemble.write(
    "main.ts",
    `import { runServer } from ${JSON.stringify(pathOf("mod.ts"))};
     await runServer("one", async (server) => {
       console.log(await server.ping("server@registry") ?? "pinged");
       await server.stopped;
     });`,
  );
  const server = ensemble.spawnDeno(
    ...flags(ensemble, { id: "one", net: ["one", "registry"] }),
    program,
  );
  await server.printed("pinged");
  const command = async (...args: string[]) => {
    const own = flags(ensemble, { net: ["one", "registry"] });
    const { code, stdout } = await ensemble.places.command(...own, pathOf("cli/main.ts"), ...args)
      .output();
    assert.equal(code, 0);
    return new TextDecoder().decode(stdout);
  };
  assert.equal(await command("eval", "one", "1 + 2"), "3\n");
  await command("shutdown", "one");
  assert.equal(await server.exit(), 0);
  registry.signal("SIGTERM");
  assert.equal(await registry.exit(), 0);
  assert.deepEqual(
    [...registry.log, ...server.log].filter((line) => / (WARN|ERROR) /.test(line)),
    [],
  );
});

Deno.test("run --deny denies permissions to main, workers and loaded code, while the server keeps running", async () => {
  await using ensemble = await RunningEnsemble.start();
  const attempts = `
    const reason = (error: unknown) => (error as Error).name;
    const path = ${JSON.stringify(ensemble.path("written"))};
    export const attempts = () => [
      () => new Deno.Command("true").outputSync(),
      () => Deno.dlopen("libc.so.6", {}),
      () => Deno.writeTextFileSync(path, ""),
      () => Deno.env.get("HOME") && Deno.readDirSync(".") && "allowed",
    ].map((attempt) => { try { return attempt(); } catch (error) { return reason(error); } });
  `;
  await ensemble.write("deno.json", "{}");
  await ensemble.write("attempts.ts", attempts);
  const main = await ensemble.write(
    "caged/main.ts",
    `import { currentServer } from "@gxensemble/ensemble";
     import { attempts } from "../attempts.ts";
     export async function main() {
       const text = "import { attempts } from " + JSON.stringify(new URL("../attempts.ts", import.meta.url)) +
         "; postMessage(attempts())";
       const worker = new Worker("data:application/javascript," + encodeURIComponent(text), { type: "module" });
       worker.onmessage = ({ data }) => {
         worker.terminate();
         console.log(JSON.stringify([Deno.pid, attempts(), data]));
       };
       await currentServer().stopped;
     }`,
  );
  const { program } = ensemble.places;
  const options = ["--deny", "run,ffi", "--deny", "write"];
  // It restarts, and still ignores SIGHUP.
  const server = ensemble.spawnProgram("nohup", ...program, "run", ...options, "caged", main);
  await server.logged(/is in the registry$/);
  server.signal("SIGHUP");
  const denied = ["NotCapable", "NotCapable", "NotCapable", "allowed"];
  assert.deepEqual(JSON.parse(await server.printed("[")), [server.pid, denied, denied]);
  await server.logged(/ INFO server: caged runs without the permissions run, ffi, write$/);
  const later = await ensemble.write(
    "later.ts",
    `import { attempts } from "./attempts.ts"; export const result = attempts();`,
  );
  await ensemble.lines("load", "caged", later);
  assert.deepEqual(
    await ensemble.lines(
      "eval",
      "--json",
      "caged",
      '[ensemble.denied, ensemble.module("later.ts").result]',
    ),
    [JSON.stringify([["run", "ffi", "write"], denied])],
  );
  server.signal("SIGTERM");
  assert.equal(await server.exit(), 0);
  assert.deepEqual(server.matching(/certificates/), []);

  const flags = ["run", "-A", "--deny-env=TOKEN", "--no-check"];
  const partly = await ensemble.places.external(
    Deno.execPath(),
    ...flags,
    pathOf("cli/main.ts"),
    ...["run", "--deny", "run", "caged", main],
  ).output();
  assert.match(
    new TextDecoder().decode(partly.stderr),
    /cannot deny run: --deny needs a process that was started with all permissions/,
  );
  assert.deepEqual(ensemble.sockets(), ["registry"]);
});
