import assert from "node:assert/strict";
import { join } from "node:path";
import { ProtocolError } from "../../../runtime/errors.ts";
import { hashUnit, type Unit, unitSpecifier } from "../../../runtime/code/unit.ts";
import { type LoadRequest, UnitStore } from "../../../runtime/code/unit_store.ts";
import { sorted } from "../../cli/modules/temporary_project.ts";

/** A unit with this text. Its links are the `unit:` specifiers in the text. */
async function unitOf(module: string, text: string): Promise<Unit> {
  const links = [...text.matchAll(/unit:[0-9a-f]{64}/g)].map(({ index, 0: target }) => ({
    start: index,
    end: index + target.length,
    target,
  }));
  const parts = { module, path: `/src/${module}`, text, links, metaProperties: [] };
  return { ...parts, hash: await hashUnit(parts), pauses: false };
}

function request(units: Unit[], by = "tester@host"): LoadRequest {
  return { entry: units.at(-1)!.hash, modules: units, libraries: [], by };
}

/** Adds units and loads the last one. */
async function load(store: UnitStore, units: Unit[], by?: string) {
  await store.add(units);
  const { namespace, outcomes } = await store.load(request(units, by));
  return { namespace, ...sorted(outcomes) };
}

async function withStore(test: (store: UnitStore, directory: string) => Promise<void>) {
  const parent = await Deno.makeTempDir({ prefix: "gxensemble-test-" });
  const directory = join(parent, "loader.d");
  try {
    await test(await UnitStore.open(directory), directory);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

Deno.test("units become files named by module and hash", () =>
  withStore(async (store, directory) => {
    const leaf = await unitOf("lib/leaf.ts", "export const leaf = 1;");
    const main = await unitOf("ma in.ts", `export * from "${unitSpecifier(leaf.hash)}";`);
    assert.deepEqual(store.missing([leaf.hash, main.hash]), [leaf.hash, main.hash]);
    const { namespace } = await load(store, [leaf, main]);
    assert.equal(namespace.leaf, 1);
    assert.deepEqual(store.missing([leaf.hash, main.hash]), []);
    assert.deepEqual(
      store.running(["lib/leaf.ts", "other.ts"]),
      new Map([["lib/leaf.ts", leaf.hash]]),
    );
    assert.deepEqual(store.loaded(), [
      { module: "lib/leaf.ts", hash: leaf.hash, bytes: leaf.text.length },
      { module: "ma in.ts", hash: main.hash, bytes: main.text.length },
    ]);
    const files = (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name).sort();
    assert.deepEqual(files, [`leaf-${leaf.hash}.mjs`, `ma_in-${main.hash}.mjs`]);

    // A store is empty when it opens, and does not take over modules of the old one.
    const next = await UnitStore.open(directory);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(directory)), []);
    const again = await load(next, [leaf, main]);
    assert.notEqual(again.namespace, namespace);
  }));

Deno.test("an inconsistent unit is refused", () =>
  withStore(async (store) => {
    const leaf = await unitOf("leaf.ts", "export const leaf = 1;");
    const main = await unitOf("main.ts", `export * from "${unitSpecifier(leaf.hash)}";`);
    const link = main.links[0]!;
    const tampered: Unit[] = [
      { ...main, text: main.text.replace("export", "import") },
      { ...main, hash: leaf.hash },
      { ...main, links: [{ ...link, target: unitSpecifier(main.hash) }] },
      { ...main, links: [link, link] },
      { ...main, links: [{ ...link, keyword: 1 }] },
      { ...main, module: "other.ts" },
      { ...main, computedImports: [0] },
      { ...main, workers: [0] },
      { ...main, candidates: [{ specifier: "./leaf.ts", target: "npm:leaf" }] },
      { ...main, metaProperties: [[0, 6]] },
      { ...main, cycle: { members: [main.hash], index: 0 } },
      { ...main, cycle: { members: [main.hash, leaf.hash], index: 1 } },
    ];
    for (const unit of tampered) {
      await assert.rejects(store.add([leaf, unit]), ProtocolError);
    }
    assert.deepEqual(store.missing([main.hash]), [main.hash]);
    await assert.rejects(load(store, [main]), {
      name: "ProtocolError",
      message:
        `/src/main.ts: its import unit ${leaf.hash} was not sent, and this server does not ` +
        `have it`,
    });
    await load(store, [leaf, main]);
  }));

Deno.test("the same text is a separate module under each module id, in any directory", () =>
  withStore(async (store) => {
    const one = await unitOf("one.ts", "export const state = new Map();");
    await load(store, [one]);
    await load(store, [await unitOf("two.ts", one.text)]);
    assert.notEqual(store.namespace("two.ts"), store.namespace("one.ts"));
    const again = request([{ ...one, path: "/other/one.ts" }]);
    const { already } = sorted((await store.load(again)).outcomes);
    assert.deepEqual(already.map(({ module }) => module), ["one.ts"]);
    const renamed = { ...one, module: "two.ts" };
    await assert.rejects(store.load(request([renamed])), { name: "ProtocolError" });
  }));

Deno.test("a library module is named by an absolute or bare specifier", () =>
  withStore(async (store) => {
    assert.equal(typeof (await store.importLibrary("node:path")).join, "function");
    await assert.rejects(store.importLibrary("./unit.ts"), { name: "InvalidInputError" });
    await assert.rejects(store.importLibrary("my/nosuch"), /my\/nosuch is neither registered/);
  }));

Deno.test("the history records what was made current, when and by whom", () =>
  withStore(async (store) => {
    const one = await unitOf("main.ts", "export const version = 1;");
    const two = await unitOf("main.ts", "export const version = 2;");
    const lib = await unitOf("lib.ts", "export {};");
    const before = Date.now();
    const first = await load(store, [one], "ann@a");
    assert.deepEqual(first.loaded.map(({ hash }) => hash), [one.hash]);
    await load(store, [two], "bob@b");
    await load(store, [lib], "bob@b");
    assert.equal((await load(store, [two], "ann@a")).already.length, 1);
    assert.equal(store.namespace("main.ts")!.version, 2);

    const back = await load(store, [one], "cy@c");
    assert.deepEqual(back.restored.map(({ hash }) => hash), [one.hash]);
    assert.deepEqual([back.loaded, back.already], [[], []]);
    assert.equal(back.namespace, first.namespace);
    assert.equal(store.namespace("main.ts"), first.namespace);
    assert.equal(store.running(["main.ts"]).get("main.ts"), one.hash);
    assert.deepEqual(
      store.history().map(({ module, hash, by, current }) => [module, hash, by, current]),
      [
        ["lib.ts", lib.hash, "bob@b", true],
        ["main.ts", one.hash, "ann@a", false],
        ["main.ts", two.hash, "bob@b", false],
        ["main.ts", one.hash, "cy@c", true],
      ],
    );
    for (const { time } of store.history()) assert.ok(before <= time && time <= Date.now());
  }));

Deno.test("a failed load changes nothing that is current", () =>
  withStore(async (store) => {
    const good = await unitOf("main.ts", "export const version = 1;");
    const bad = await unitOf("main.ts", "throw new Error('out of order');");
    await load(store, [good]);
    await assert.rejects(load(store, [bad]), /out of order/);
    assert.equal(store.namespace("main.ts")!.version, 1);
    assert.equal(store.history().length, 1);
  }));

Deno.test("an import that waits for a pausing module can be followed by another import", () =>
  withStore(async (store) => {
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    Object.assign(globalThis, { pausingTest: { begin: begun.resolve, gate: gate.promise } });
    const pausing = "data:text/javascript,pausingTest.begin(); await pausingTest.gate;";
    const first = store.importLibrary(pausing);
    await begun.promise;
    // With import() itself, this makes Deno 2.9.6 panic.
    const second = store.importLibrary(pausing)
      .then(() => store.importLibrary("data:text/javascript,export const next = 1;"));
    gate.resolve();
    await first;
    assert.equal((await second).next, 1);
  }));

Deno.test("a unit's file and directory are accessible only to their user", () =>
  withStore(async (store, directory) => {
    const unit = await unitOf("main.ts", "export {};");
    await load(store, [unit]);
    const modeOf = (path: string) => (Deno.statSync(path).mode! & 0o777).toString(8);
    assert.equal(modeOf(directory), "700");
    assert.equal(modeOf(join(directory, `main-${unit.hash}.mjs`)), "600");
  }));

Deno.test("load refuses modules that do not belong to its entry", () =>
  withStore(async (store) => {
    const main = await unitOf("main.ts", "export {};");
    const other = await unitOf("other.ts", "export const other = 1;");
    await store.add([main, other]);
    const ask = { ...request([main]), modules: [other, main] };
    await assert.rejects(store.load(ask), {
      name: "ProtocolError",
      message: `/src/other.ts: not a part of the unit ${main.hash}`,
    });
    assert.deepEqual(store.history(), []);
    // Nor modules that were never shipped.
    const absent = await unitOf("absent.ts", "export {};1");
    await assert.rejects(store.load({ ...ask, modules: [absent] }), /not a part of the unit/);
    assert.equal(store.running(["absent.ts"]).size, 0);
  }));

Deno.test("a removed directory is made again for the next load", () =>
  withStore(async (store, directory) => {
    await load(store, [await unitOf("one.ts", "export const one = 1;")]);
    await Deno.remove(directory, { recursive: true });
    const { namespace } = await load(store, [await unitOf("two.ts", "export const two = 2;")]);
    assert.equal(namespace.two, 2);
    assert.equal(Deno.statSync(directory).mode! & 0o777, 0o700);
  }));

Deno.test("close removes the directory, or does nothing if it is gone", () =>
  withStore(async (store, directory) => {
    await load(store, [await unitOf("main.ts", "export {};")]);
    await store.close();
    await assert.rejects(Deno.stat(directory), Deno.errors.NotFound);
    await store.close();
  }));

Deno.test("load says that the store was closed when it fails for that reason", () =>
  withStore(async (store) => {
    const gates = globalThis as { openGate?: () => void };
    const slow = {
      ...await unitOf("slow.ts", "await new Promise((open) => globalThis.openGate = open);"),
      pauses: true,
    };
    const main = await unitOf("main.ts", `import "${unitSpecifier(slow.hash)}";`);
    const loading = load(store, [slow, main]);
    loading.catch(() => {});
    while (!gates.openGate) await new Promise((resolve) => setTimeout(resolve));
    await store.close();
    gates.openGate();
    await assert.rejects(loading, {
      name: "DisconnectedError",
      message: "the server has stopped, and no longer loads code",
    });
  }));

Deno.test("load imports a program's libraries first, and names the importer of a missing one", () =>
  withStore(async (store) => {
    const main = await unitOf("main.ts", "export {}; globalThis.wasEvaluated = true;");
    await store.add([main]);
    const importer = { path: "/src/main.ts", line: 3, column: 8 };
    await assert.rejects(
      store.load({ ...request([main]), libraries: [{ specifier: "my/nosuch", importer }] }),
      {
        name: "ModuleError",
        message: /^\/src\/main\.ts:3:8: library module my\/nosuch is neither /,
      },
    );
    assert.equal("wasEvaluated" in globalThis, false);
    assert.deepEqual(store.history(), []);
  }));

Deno.test("a unit keeps the author's file that it was first loaded with", () =>
  withStore(async (store) => {
    const bad = await unitOf("bad.ts", 'throw new Error("no");');
    await store.add([bad]);
    await store.add([{ ...bad, path: "/elsewhere/bad.ts" }]);
    await assert.rejects(store.load(request([bad])), { message: "/src/bad.ts: Error: no" });
  }));

Deno.test("UnitStore.adopt makes compiled modules stand for their units", () =>
  withStore(async (store, directory) => {
    const leaf = await unitOf("leaf.ts", "export const made = {};");
    const other = await unitOf("leaf.ts", "export const made = 1;");
    const upper = await unitOf("upper.ts", `export { made } from "${unitSpecifier(leaf.hash)}";`);
    const namespace = { made: { here: true } };
    store.adopt([{ module: "leaf.ts", path: "/src/leaf.ts", hash: leaf.hash, namespace }], "web");
    assert.equal(store.namespace("leaf.ts"), namespace);
    assert.deepEqual(store.history().map(({ by, current }) => [by, current]), [["web", true]]);
    assert.deepEqual(store.loaded(), [{ module: "leaf.ts", hash: leaf.hash, bytes: 0 }]);
    assert.deepEqual(store.running(["leaf.ts"]), new Map([["leaf.ts", leaf.hash]]));

    // A forced load ships only the module itself.
    const forced = await unitOf("forced.ts", `export * from "${unitSpecifier(leaf.hash)}";`);
    const alone = await load(store, [forced]);
    assert.equal(alone.namespace.made, namespace.made);
    // Any other module has the text too, but is not run until a rerun is requested.
    assert.deepEqual(store.missing([leaf.hash]), [leaf.hash]);
    const whole = await load(store, [leaf, upper]);
    assert.equal(whole.namespace.made, namespace.made);
    assert.deepEqual(whole.already.map(({ module }) => module), ["leaf.ts"]);
    assert.deepEqual(store.missing([leaf.hash]), []);
    const files = [...Deno.readDirSync(directory)].map(({ name }) => name);
    assert.ok(!files.some((name) => name.startsWith("leaf-")), files.join());
    const anew = await store.load({ ...request([leaf]), rerun: true });
    assert.deepEqual(anew.namespace.made, {});
    const later = await unitOf("later.ts", `export * from "${unitSpecifier(leaf.hash)}";`);
    assert.equal((await load(store, [later])).namespace.made, anew.namespace.made);
    // Another text replaces it.
    await load(store, [other]);
    assert.equal(store.namespace("leaf.ts")!.made, 1);
  }));
