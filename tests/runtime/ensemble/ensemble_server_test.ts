import assert from "node:assert/strict";
import { runServer } from "../../../runtime/ensemble/run_server.ts";
import { startServer } from "../../../runtime/ensemble/start_server.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";

function source(path: string): string {
  return JSON.stringify(new URL(`../../../${path}`, import.meta.url).href);
}

/** What the programs of these tests begin with. Their server is the registry, and needs no other. */
const PRELUDE = `
  import { MemoryStore } from ${source("registry/store.ts")};
  import { serveRegistry } from ${source("registry/registry_actor.ts")};
  import { createCookie, readCookie } from ${source("runtime/home/cookie.ts")};
  import { startServer } from ${source("runtime/ensemble/start_server.ts")};
  import { findPlaces } from ${source("runtime/home/paths.ts")};
  import { hashUnit } from ${source("runtime/code/unit.ts")};
  import { loaderClient } from ${source("runtime/ensemble/remote.ts")};
  import { ActorServer } from ${source("runtime/server/actor_server.ts")};
  import { localUnixAddress } from ${source("runtime/wire/address.ts")};
  await createCookie(findPlaces());
  const directory = findPlaces().server("registry") + "/loader.d";
  const files = () => [...Deno.readDirSync(directory)].length;
  const load = async (server) => {
    const text = "export const value = 1;";
    const parts = { module: "a.ts", path: "/a.ts", text, metaProperties: [] };
    const unit = { module: "a.ts", path: "/a.ts", hash: await hashUnit(parts) };
    await server.units.add([{ ...parts, ...unit, links: [], pauses: false }]);
    await server.units.load({ entry: unit.hash, modules: [unit], libraries: [], by: "me@here" });
  };
`;

/** Runs a program in an ensemble of its own; gives the lines that it prints. */
async function evaluate(program: string): Promise<string[]> {
  using ensemble = new TemporaryEnsemble();
  const { code, stdout, stderr } = await ensemble.evaluate(PRELUDE + program);
  assert.equal(code, 0, stderr);
  return stdout.split("\n").slice(0, -1);
}

Deno.test("startServer leaves the code of a running server of its id alone, wherever it listens", async () => {
  const lines = await evaluate(`
    const first = await startServer("registry");
    await load(first);
    console.log(files());
    const again = \`
      import { startServer } from ${source("runtime/ensemble/start_server.ts")};
      await startServer("registry").then(() => "started", ({ message }) => message)
        .then(console.log);
      Deno.exit();
    \`;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", again],
      env: { ENSEMBLE_SOCKET_DIR: Deno.env.get("ENSEMBLE_SOCKET_DIR") + "2" },
    }).output();
    console.log(new TextDecoder().decode(stdout).trim().replace(findPlaces().server("registry"), "D")
      .replace(\` \${Deno.pid} on host \${Deno.hostname()},\`, " P on host H,"));
    console.log(files());
    await first.stop();
  `);
  assert.deepEqual(lines, [
    "1",
    "cannot start server registry: another process, P on host H, is that server already, and uses D",
    "1",
  ]);
});

Deno.test("a server that stops removes the code that it was given, and another may follow", async () => {
  const lines = await evaluate(`
    for (let i = 0; i < 2; i++) {
      const server = await startServer("registry");
      await load(server);
      console.log(files());
      await server.stop();
      await server.stopped;
      console.log(await Deno.stat(directory).then(() => "left", () => "removed"));
    }
  `);
  assert.deepEqual(lines, ["1", "removed", "1", "removed"]);
});

Deno.test("a server that does not start gives its directory back", async () => {
  const lines = await evaluate(`
    const prepare = () => { throw new Error("no") };
    await startServer("registry", { prepare }).catch((error) => console.log(error.message));
    console.log(await Deno.stat(directory).then(() => "left", () => "removed"));
    await (await startServer("registry")).stop();
  `);
  assert.deepEqual(lines, ["no", "removed"]);
});

Deno.test("startServer without a loader refuses load, eval and REPL, and loads its own program", async () => {
  const lines = await evaluate(`
    const server = await startServer("registry", {
      loader: false,
      prepare: (server) => void serveRegistry(server, new MemoryStore()),
    });
    await load(server);
    console.log(server.module("a.ts").value);
    const console1 = await ActorServer.start({
      id: "console-1",
      cookie: await readCookie(findPlaces()),
      listen: [],
      registry: [localUnixAddress(findPlaces().socket("registry"))],
      roles: [],
      register: false,
    });
    const loader = loaderClient(console1.actors, "registry");
    const refused = ({ name, remoteName, message }) => console.log(name, remoteName, message);
    await loader.evaluate({ expression: "1" }).catch(refused);
    for (const work of [
      loader.openSession({}),
      loader.ship({ units: [] }),
      loader.library({ specifier: "node:os" }),
      loader.history({}),
      loader.missing({ hashes: [] }),
    ]) console.log(await work.then(() => "done", (error) => error.remoteName));
    console.log(await console1.actors.ask(server.actors.find("loader").ref, { type: "ping" }));
    await console1.stop();
    await server.stop();
  `);
  assert.deepEqual(lines, [
    "1",
    "ActorError EnsembleError registry takes no code: it was started without a loader, as with " +
    "--no-loader, and nothing can be loaded into it or evaluated in it",
    ...Array(5).fill("EnsembleError"),
    "OK",
  ]);
});

Deno.test("startServer refuses what is no server id, and runServer what is no function", async () => {
  for (const id of [undefined, null, 5, "", "../other"] as string[]) {
    const refusal = { name: "InvalidInputError", message: /^not a server id: / };
    await assert.rejects(startServer(id), refusal);
  }
  await assert.rejects(runServer("a" as string, {} as () => void), {
    name: "InvalidInputError",
    message: "main of a is not a function: an object of the class Object",
  });
});
