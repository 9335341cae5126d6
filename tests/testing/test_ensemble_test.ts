import assert from "node:assert/strict";
import { currentServer } from "../../runtime/ensemble/process_servers.ts";
import { runServer } from "../../runtime/ensemble/run_server.ts";
import { type TestEnsemble, testEnsemble, withEnsemble } from "../../testing/test_ensemble.ts";

Deno.test("testEnsemble starts servers that find each other, and removes what they leave", async () => {
  let directory: string;
  {
    await using ensemble = await testEnsemble({ roles: ["tested"] });
    directory = ensemble.directory;
    const a = await ensemble.startServer("a");
    const b = await ensemble.startServer("b", { roles: ["other"] });
    const client = await ensemble.startServer();
    await a.ping("server@b");
    b.serve("who", { who: () => currentServer().id });
    assert.equal(await client.ask("who@b", { type: "who" }), "b");
    assert.deepEqual((await client.servers()).map(({ id }) => id), ["a", "b"]);
    assert.deepEqual((await client.lookup({ role: "tested" })).map(({ id }) => id), ["a"]);
    assert.equal(await runServer("c", ({ id }) => id, ensemble.options), "c");
    await b.stop();
    assert.match(ensemble.log, /INFO server: b has stopped$/m);
  }
  await assert.rejects(Deno.stat(directory), Deno.errors.NotFound);
});

Deno.test("testEnsemble runs two ensembles at once, and neither knows the other's servers", async () => {
  await using one = await testEnsemble();
  await using two = await testEnsemble();
  const a = await one.startServer("a");
  await two.startServer("a");
  await two.startServer("b");
  assert.deepEqual((await a.servers()).map(({ id }) => id), ["a"]);
  await assert.rejects(a.ping("server@b"), /b/);
});

Deno.test("testEnsemble loads code into its servers", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  const request = { type: "evaluate", expression: "ensemble.id" };
  assert.equal(await a.ask("loader", request), '"a"');
});

Deno.test("withEnsemble prints the log of a failing test, and not of a passing one", async () => {
  const printed: string[] = [];
  const { error } = console;
  console.error = (text: string) => void printed.push(text);
  let kept: TestEnsemble;
  try {
    await withEnsemble(async (ensemble) => void await ensemble.startServer("good"))();
    assert.deepEqual(printed, []);
    await assert.rejects(
      withEnsemble(async (ensemble) => {
        kept = ensemble;
        await ensemble.startServer("bad");
        throw new Error("on purpose");
      })(),
      /on purpose/,
    );
  } finally {
    console.error = error;
  }
  assert.match(printed.join(), /INFO server: bad is in the registry/);
  await assert.rejects(Deno.stat(kept!.directory), Deno.errors.NotFound);
});
