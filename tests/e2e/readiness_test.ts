/**
 * When servers of `gxensemble run` and of programs are found by their role.
 *
 * @module
 */
import assert from "node:assert/strict";
import { RunningEnsemble } from "./running_ensemble.ts";

const IMPORT = `import { currentServer, runServer, startServer } from "@gxensemble/ensemble";\n`;

/** Programs that hold their server back until they are told, in the ways there are. */
const HOLDING: Record<string, string> = {
  main: `export async function main() {
    currentServer().holdReady();
    await currentServer().stopped;
  }`,
  own: `await runServer("own", async (server) => {
    server.holdReady();
    await server.stopped;
  }, { roles: ["web"] });`,
  option: `const server = await startServer("option", { roles: ["web"], holdReady: true });
    await server.stopped;`,
};

/** Programs that are ready by themselves, though what they return is pending. */
const READY: Record<string, string> = {
  main2: `export async function main() {
    currentServer().serve("early", { get: () => "there" });
    await currentServer().stopped;
  }`,
  own2: `await runServer("own2", async (server) => {
    server.serve("early", { get: () => "there" });
    await server.stopped;
  }, { roles: ["web"] });`,
  start2: `const server = await startServer("start2", { roles: ["web"] });
    await server.stopped;`,
};

Deno.test("a server is found by its role when its program has been called, and lets it", async () => {
  await using ensemble = await RunningEnsemble.start();
  const start = (programs: Record<string, string>, line: RegExp) =>
    Promise.all(
      Object.entries(programs).map(async ([id, text]) => {
        const file = await ensemble.write(`${id}/main.js`, IMPORT + text);
        await ensemble.spawn("run", "--roles", "web", id, file).logged(line);
      }),
    );
  await Promise.all([
    start(HOLDING, /is in the registry, and not ready yet$/),
    start(READY, /is in the registry$/),
  ]);
  const found = async () => {
    const { stdout } = await ensemble.run("lookup", "--role", "web");
    return stdout.split("\n").flatMap((line) => line.match(/\w+/)?.[0] ?? []).sort();
  };
  assert.deepEqual(await found(), Object.keys(READY).sort());
  assert.equal((await ensemble.listed()).length, 7);
  for (const id of Object.keys(HOLDING)) {
    await ensemble.lines("eval", id, "ensemble.ready().then(() => 1)");
  }
  assert.deepEqual(await found(), [...Object.keys(READY), ...Object.keys(HOLDING)].sort());
});
