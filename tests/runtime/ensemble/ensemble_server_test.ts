import assert from "node:assert/strict";
import { hashUnit } from "../../../runtime/code/unit.ts";
import type { EnsembleServer } from "../../../runtime/ensemble/ensemble_server.ts";
import { loaderClient } from "../../../runtime/ensemble/remote.ts";
import { runServer } from "../../../runtime/ensemble/run_server.ts";
import { startServer } from "../../../runtime/ensemble/start_server.ts";
import type { ActorError } from "../../../runtime/errors.ts";
import { testEnsemble } from "../../../testing/test_ensemble.ts";

/** Loads a unit into a server, like a load from another server. */
async function load(server: EnsembleServer): Promise<void> {
  const text = "export const value = 1;";
  const parts = { module: "a.ts", path: "/a.ts", text, metaProperties: [] };
  const unit = { module: "a.ts", path: "/a.ts", hash: await hashUnit(parts) };
  await server.units.add([{ ...parts, ...unit, links: [], pauses: false }]);
  await server.units.load({ entry: unit.hash, modules: [unit], libraries: [], by: "me@here" });
}

/** The number of files of loaded code that a server keeps; undefined if their directory is gone. */
function codeFiles(server: EnsembleServer): number | undefined {
  try {
    return [...Deno.readDirSync(`${server.directory}/loader.d`)].length;
  } catch {
    return undefined;
  }
}

Deno.test("startServer leaves the code of a running server with its id alone, at any address", async () => {
  await using ensemble = await testEnsemble();
  const first = await ensemble.startServer("a");
  await load(first);
  assert.equal(codeFiles(first), 1);
  const module = new URL("../../../runtime/ensemble/start_server.ts", import.meta.url).href;
  const options = {
    directory: ensemble.options.directory,
    socketDirectory: `${ensemble.directory}/sockets2`,
    cookie: "a cookie for tests",
    log: false,
  };
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { startServer } from ${JSON.stringify(module)};
       await startServer("a", ${
        JSON.stringify(options)
      }).then(() => "started", ({ message }) => message)
         .then(console.log);
       Deno.exit();`,
    ],
  }).output();
  const decoder = new TextDecoder();
  assert.equal(
    decoder.decode(stdout).trim().replace(first.directory, "D")
      .replace(` ${Deno.pid} on host ${Deno.hostname()},`, " P on host H,"),
    "cannot start server a: another process, P on host H, is that server already, and uses D",
    decoder.decode(stderr),
  );
  assert.equal(codeFiles(first), 1);
});

Deno.test("a stopped server removes its loaded code, and another server can follow", async () => {
  await using ensemble = await testEnsemble();
  for (let i = 0; i < 2; i++) {
    const server = await ensemble.startServer("a");
    await load(server);
    assert.equal(codeFiles(server), 1);
    await server.stop();
    assert.equal(codeFiles(server), undefined);
  }
});

Deno.test("a server that fails to start releases its directory", async () => {
  await using ensemble = await testEnsemble();
  const prepare = () => {
    throw new Error("no");
  };
  await assert.rejects(ensemble.startServer("a", { prepare }), { message: "no" });
  const server = await ensemble.startServer("a");
  await server.stop();
  await assert.rejects(Deno.stat(server.directory), Deno.errors.NotFound);
});

Deno.test("startServer without a loader refuses load, eval and REPL, and loads its own program", async () => {
  await using ensemble = await testEnsemble();
  const server = await ensemble.startServer("a", { loader: false });
  await load(server);
  assert.equal(server.module("a.ts")?.value, 1);
  const client = await ensemble.startServer();
  const loader = loaderClient(client, "a");
  const works = [
    loader.evaluate({ expression: "1" }),
    loader.openSession({}),
    loader.ship({ units: [] }),
    loader.library({ specifier: "node:os" }),
    loader.history({}),
    loader.missing({ hashes: [] }),
  ];
  await Promise.all(
    works.map((work) =>
      assert.rejects(work, ({ name, remoteName, message }: ActorError) => {
        assert.deepEqual([name, remoteName], ["ActorError", "EnsembleError"]);
        assert.match(
          message,
          /^a does not accept code: it was started without a loader/,
        );
        return true;
      })
    ),
  );
  await client.ping("loader@a");
});

Deno.test("startServer refuses an invalid server id, and runServer a main that is not a function", async () => {
  for (const id of [undefined, null, 5, "", "../other"] as string[]) {
    const refusal = { name: "InvalidInputError", message: /^not a server id: / };
    await assert.rejects(startServer(id), refusal);
  }
  await assert.rejects(runServer("a" as string, {} as () => void), {
    name: "InvalidInputError",
    message: "main of a is not a function: an object of the class Object",
  });
});
