import assert from "node:assert/strict";
import { join } from "node:path";
import { ProtocolError } from "../../../runtime/errors.ts";
import { hashText, type Unit, unitSpecifier } from "../../../runtime/code/unit.ts";
import { type LoadRequest, UnitStore } from "../../../runtime/code/unit_store.ts";

/** A unit of this text, whose links are the `unit:` specifiers in it. */
async function unitOf(module: string, text: string): Promise<Unit> {
  const links = [...text.matchAll(/unit:[0-9a-f]{64}/g)].map(({ index, 0: target }) => ({
    start: index,
    end: index + target.length,
    target,
  }));
  return { hash: await hashText(text), module, path: `/src/${module}`, text, links };
}

function request(units: Unit[], entry = units.at(-1)!): LoadRequest {
  return { entry: entry.hash, modules: units, units, libraries: [] };
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
    const { namespace } = await store.load(request([leaf, main]));
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
    const again = await next.load(request([leaf, main]));
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
      { ...main, cycle: { members: [main.hash], index: 0 } },
      { ...main, cycle: { members: [main.hash, leaf.hash], index: 1 } },
    ];
    for (const unit of tampered) {
      await assert.rejects(store.load(request([leaf, unit])), ProtocolError);
    }
    assert.deepEqual(store.missing([main.hash]), [main.hash]);
    await assert.rejects(store.load(request([main])), {
      name: "ProtocolError",
      message:
        `/src/main.ts: its import unit ${leaf.hash} was not sent, and this server does not ` +
        `have it`,
    });
    await store.load(request([leaf, main]));
  }));

Deno.test("the same text is the same instance under every module id", () =>
  withStore(async (store) => {
    const one = await unitOf("one.ts", "export const state = new Map();");
    const two = { ...one, module: "two.ts", path: "/src/two.ts" };
    await store.load(request([one]));
    const { already } = await store.load({ ...request([two]), units: [] });
    assert.deepEqual(already.map(({ module }) => module), ["two.ts"]);
    assert.equal(store.namespace("two.ts"), store.namespace("one.ts"));
  }));

Deno.test("a library module is named by an absolute or bare specifier", () =>
  withStore(async (store) => {
    assert.equal(typeof (await store.importLibrary("node:path")).join, "function");
    await assert.rejects(store.importLibrary("./unit.ts"), { name: "InvalidInputError" });
    await assert.rejects(store.importLibrary("my/nosuch"), /my\/nosuch is not registered/);
  }));
