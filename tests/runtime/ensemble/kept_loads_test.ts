import assert from "node:assert/strict";
import { hashUnit, type Unit } from "../../../runtime/code/unit.ts";
import type { EnsembleServer } from "../../../runtime/ensemble/ensemble_server.ts";
import type { LoaderHandlers } from "../../../runtime/ensemble/loader_protocol.ts";
import { loaderClient } from "../../../runtime/ensemble/remote.ts";
import type { Client } from "../../../runtime/actor/service.ts";
import { type TestEnsemble, testEnsemble } from "../../../testing/test_ensemble.ts";

async function unitOf(version: number, module = "a.ts"): Promise<Unit> {
  const text = `export const version = ${version};`;
  const parts = { module, path: `/src/${module}`, text, metaProperties: [] };
  return { ...parts, hash: await hashUnit(parts), links: [], pauses: false };
}

function request(unit: Unit, id: string) {
  const { module, path, hash } = unit;
  return { entry: hash, modules: [{ module, path, hash }], libraries: [], by: "me@here", id };
}

/** Loads a version and keeps it, as a command does. */
async function keep(loader: Client<LoaderHandlers>, version: number): Promise<void> {
  const unit = await unitOf(version);
  await loader.ship({ units: [unit] });
  await loader.load(request(unit, `load ${version}`));
  await loader.keep(request(unit, `load ${version}`));
}

async function loaderOf(ensemble: TestEnsemble): Promise<Client<LoaderHandlers>> {
  return loaderClient(await ensemble.startServer(), "web1");
}

/** The version that a server runs; undefined if it runs none. */
function version(server: EnsembleServer): unknown {
  return server.module("a.ts")?.version;
}

/** Loads a version as the program of a server. */
async function runProgram(server: EnsembleServer, version: number): Promise<void> {
  const unit = await unitOf(version);
  await server.units.add([unit]);
  const { id: _, ...rest } = request(unit, "");
  await server.units.load(rest);
}

Deno.test("what is kept is loaded again when the server starts, before it is up", async () => {
  await using ensemble = await testEnsemble();
  const first = await ensemble.startServer("web1");
  const loader = await loaderOf(ensemble);
  await keep(loader, 1);
  const other = await unitOf(1, "b.ts");
  await loader.ship({ units: [other] });
  await loader.load(request(other, "not kept"));
  assert.deepEqual((await loader.loads()).map(({ id, kept }) => [id, kept]), [
    ["load 1", true],
    ["not kept", false],
  ]);
  await first.stop();

  const second = await ensemble.startServer("web1");
  assert.equal((await second.lookup({ id: "web1" }))?.state, "up");
  assert.equal(version(second), 1);
  assert.equal(second.module("b.ts"), undefined);
  const [load] = await (await loaderOf(ensemble)).loads();
  assert.deepEqual([load!.id, load!.by, load!.kept], ["load 1", "me@here", true]);
});

Deno.test("a server that is held back loads what it keeps when it is ready", async () => {
  await using ensemble = await testEnsemble();
  const first = await ensemble.startServer("web1");
  await keep(await loaderOf(ensemble), 1);
  await first.stop();

  const second = await ensemble.startServer("web1", { holdReady: true });
  assert.equal(version(second), undefined);
  await second.ready();
  assert.equal(version(second), 1);
});

Deno.test("after a restart, a server goes back to the version that was kept before", async () => {
  await using ensemble = await testEnsemble();
  const first = await ensemble.startServer("web1");
  const loader = await loaderOf(ensemble);
  for (const version of [1, 2, 3]) await keep(loader, version);
  const kept = (await loader.loads()).filter(({ kept }) => kept).map(({ id }) => id);
  assert.deepEqual(kept, ["load 2", "load 3"]);
  await first.stop();

  const second = await ensemble.startServer("web1");
  assert.equal(version(second), 3);
  await (await loaderOf(ensemble)).goBack({ id: "load 3", by: "me@here" });
  assert.equal(version(second), 2);
  await second.stop();

  const third = await ensemble.startServer("web1");
  assert.equal(version(third), 2);
  await (await loaderOf(ensemble)).goBack({ id: "load 2", by: "me@here" });
  await third.stop();
  assert.equal(version(await ensemble.startServer("web1")), undefined);
});

Deno.test("what was kept and cannot be loaded is logged, and the server starts", async () => {
  await using ensemble = await testEnsemble();
  const first = await ensemble.startServer("web1");
  await keep(await loaderOf(ensemble), 1);
  const { directory } = first;
  await first.stop();
  const [{ name }] = [...Deno.readDirSync(`${directory}/kept`)] as [Deno.DirEntry];
  const file = `${directory}/kept/${name}`;
  const text = await Deno.readTextFile(file);
  const starts = async (reason: RegExp) => {
    const server = await ensemble.startServer("web1");
    assert.equal(version(server), undefined);
    assert.equal((await server.lookup({ id: "web1" }))?.state, "up");
    assert.match(ensemble.log, reason);
    await server.stop();
  };
  await Deno.remove(file);
  await starts(/ERROR loader: cannot load a\.ts [0-9a-f]{64}, which was kept: cannot read /);
  await Deno.writeTextFile(file, text.replace("version = 1", "version = 2"));
  await starts(/which was kept: \/src\/a\.ts: the text of this unit does not match its hash/);
  // It stays in the list.
  await Deno.writeTextFile(file, text);
  assert.equal(version(await ensemble.startServer("web1")), 1);
});

Deno.test("a kept load that ended the process is left out of the next start", async () => {
  await using ensemble = await testEnsemble();
  const first = await ensemble.startServer("web1");
  await keep(await loaderOf(ensemble), 1);
  const { directory } = first;
  await first.stop();
  // What a process that ends in the middle leaves behind.
  await Deno.writeTextFile(`${directory}/kept.loading`, "load 1");
  const second = await ensemble.startServer("web1");
  assert.equal(version(second), undefined);
  assert.match(
    ensemble.log,
    /ERROR loader: left out a\.ts [0-9a-f]{64}, which was kept: the process/,
  );
  await second.stop();
  assert.equal(version(await ensemble.startServer("web1")), 1);
});

Deno.test("what is kept gives way to a newer version of the program", async () => {
  await using ensemble = await testEnsemble();
  const start = async (program: number) => {
    const server = await ensemble.startServer("web1", { holdReady: true });
    await runProgram(server, program);
    await server.ready();
    return server;
  };
  const first = await start(1);
  await keep(await loaderOf(ensemble), 2);
  await first.stop();
  const second = await start(1);
  assert.equal(version(second), 2);
  await second.stop();
  const third = await start(2);
  assert.equal(version(third), 2);
  assert.doesNotMatch(ensemble.log, /no longer kept/);
  await third.stop();
  const fourth = await start(3);
  assert.equal(version(fourth), 3);
  assert.match(
    ensemble.log,
    /WARN loader: a\.ts [0-9a-f]{64} is no longer kept: the program has another a\.ts than when/,
  );
  await fourth.stop();
  assert.equal(version(await start(1)), 1);
});

Deno.test("a server without a loader does not load what it keeps", async () => {
  await using ensemble = await testEnsemble();
  const first = await ensemble.startServer("web1");
  await keep(await loaderOf(ensemble), 1);
  await first.stop();
  const second = await ensemble.startServer("web1", { loader: false });
  assert.equal(version(second), undefined);
  assert.match(ensemble.log, /WARN server: web1 does not load the code that it keeps/);
});
