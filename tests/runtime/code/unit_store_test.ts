import assert from "node:assert/strict";
import { join } from "node:path";
import { ProtocolError } from "../../../runtime/errors.ts";
import { hashText, type Unit, unitSpecifier } from "../../../runtime/code/unit.ts";
import { type LoadRequest, type LoadResult, UnitStore } from "../../../runtime/code/unit_store.ts";

/** A unit of this text, whose links are the `unit:` specifiers in it. */
async function unitOf(module: string, text: string): Promise<Unit> {
  const links = [...text.matchAll(/unit:[0-9a-f]{64}/g)].map(({ index, 0: target }) => ({
    start: index,
    end: index + target.length,
    target,
  }));
  const hash = await hashText(text);
  return { hash, module, path: `/src/${module}`, text, links, metaProperties: [] };
}

function request(units: Unit[], by = "tester@host"): LoadRequest {
  return { entry: units.at(-1)!.hash, modules: units, libraries: [], by };
}

/** Adds units and loads the last. */
async function load(store: UnitStore, units: Unit[], by?: string): Promise<LoadResult> {
  await store.add(units);
  return await store.load(request(units, by));
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
    const files = (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name).sort();
    assert.deepEqual(files, [`leaf-${leaf.hash}.mjs`, `ma_in-${main.hash}.mjs`]);

    // A store is empty when it opens, and does not get the old store's instances.
    const next = await UnitStore.open(directory);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(directory)), []);
    const again = await load(next, [leaf, main]);
    assert.notEqual(again.namespace, namespace);
  }));

Deno.test("units that are not what they say are refused", () =>
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

Deno.test("the same text is the same instance under every module id", () =>
  withStore(async (store) => {
    const one = await unitOf("one.ts", "export const state = new Map();");
    const two = { ...one, module: "two.ts", path: "/src/two.ts" };
    await load(store, [one]);
    const { already } = await store.load(request([two]));
    assert.deepEqual(already.map(({ module }) => module), ["two.ts"]);
    assert.equal(store.namespace("two.ts"), store.namespace("one.ts"));
  }));

Deno.test("a library module is named by an absolute or bare specifier", () =>
  withStore(async (store) => {
    assert.equal(typeof (await store.importLibrary("node:path")).join, "function");
    await assert.rejects(store.importLibrary("./unit.ts"), { name: "InvalidInputError" });
    await assert.rejects(store.importLibrary("my/nosuch"), /my\/nosuch is not registered/);
  }));
