import assert from "node:assert/strict";
import { join } from "node:path";
import { hashUnit, type Unit, unitSpecifier } from "../../../runtime/code/unit.ts";
import { type LoadRequest, UnitStore } from "../../../runtime/code/unit_store.ts";

/** What the modules of the tests have done, in order. */
const done: string[] = [];
Object.assign(globalThis, { goingBackDone: done });

/** Takes what was done since the last call. */
function taken(): string[] {
  return done.splice(0);
}

const does = (what: string) => `goingBackDone.push(${JSON.stringify(what)});`;

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

/** A store, and a way to load units under the id of a load; the last one is the entry. */
class Loading implements AsyncDisposable {
  readonly store: UnitStore;
  readonly #directory: string;

  private constructor(store: UnitStore, directory: string) {
    this.store = store;
    this.#directory = directory;
  }

  static async start(): Promise<Loading> {
    taken();
    const directory = await Deno.makeTempDir({ prefix: "gxensemble-test-" });
    return new Loading(await UnitStore.open(join(directory, "loader.d")), directory);
  }

  async load(id: string, units: Unit[], options: Partial<LoadRequest> = {}) {
    await this.store.add(units);
    const { outcomes } = await this.store.load({
      entry: units.at(-1)!.hash,
      modules: units,
      libraries: [],
      by: "tester@host",
      id,
      ...options,
    });
    return outcomes;
  }

  /** Goes back, and returns the ways by module id. */
  async back(id: string): Promise<[string, string][] | undefined> {
    const outcomes = await this.store.goBack({ id, by: "tester@host" });
    return outcomes?.map(({ module, way }) => [module, way]);
  }

  current(module: string): string | undefined {
    return this.store.running([module]).get(module);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true });
  }
}

Deno.test("goBack makes the earlier version current and calls its install", async () => {
  await using loading = await Loading.start();
  const text = (version: number) =>
    `export const version = ${version}; export function install() { ${
      does(`install ${version}`)
    } } install();`;
  const one = await unitOf("a.ts", text(1));
  await loading.load("first", [one]);
  await loading.load("second", [await unitOf("a.ts", text(2))]);
  taken();
  assert.deepEqual(await loading.back("second"), [["a.ts", "installed"]]);
  assert.deepEqual(taken(), ["install 1"]);
  assert.equal(loading.current("a.ts"), one.hash);
  assert.equal(loading.store.namespace("a.ts")!.version, 1);
});

Deno.test("goBack runs an earlier version without install again, after what it imports", async () => {
  await using loading = await Loading.start();
  const version = async (number: number) => {
    const leaf = await unitOf(
      "leaf.ts",
      `${does(`leaf ${number}`)} export const leaf = ${number};`,
    );
    const main = await unitOf(
      "main.ts",
      `import { leaf } from "${unitSpecifier(leaf.hash)}"; ${
        does(`main ${number}`)
      } export const own = { leaf };`,
    );
    return [leaf, main];
  };
  const [leaf, main] = await version(1);
  await loading.load("first", [leaf!, main!]);
  await loading.load("second", await version(2));
  const before = loading.store.namespace("main.ts");
  assert.deepEqual(taken(), ["leaf 1", "main 1", "leaf 2", "main 2"]);
  assert.deepEqual(await loading.back("second"), [["leaf.ts", "rerun"], ["main.ts", "rerun"]]);
  assert.deepEqual(taken(), ["leaf 1", "main 1"]);
  assert.equal(loading.current("leaf.ts"), leaf!.hash);
  assert.notEqual(loading.store.namespace("main.ts"), before);
  assert.deepEqual(loading.store.namespace("main.ts")!.own, { leaf: 1 });
});

Deno.test("goBack calls uninstall of what had no earlier version, importers first", async () => {
  await using loading = await Loading.start();
  const leaf = await unitOf("leaf.ts", `export function uninstall() { ${does("leaf")} }`);
  const main = await unitOf(
    "main.ts",
    `import "${unitSpecifier(leaf.hash)}"; export function uninstall() { ${does("main")} }`,
  );
  const plain = await unitOf("plain.ts", "export const plain = 1;");
  await loading.load("first", [leaf, main]);
  await loading.load("second", [plain]);
  assert.deepEqual(await loading.back("first"), [
    ["main.ts", "uninstalled"],
    ["leaf.ts", "uninstalled"],
  ]);
  assert.deepEqual(taken(), ["main", "leaf"]);
  assert.deepEqual(await loading.back("second"), [["plain.ts", "not undone"]]);
  assert.equal(loading.current("main.ts"), undefined);
  assert.equal(loading.current("plain.ts"), undefined);
  // It is not evaluated a second time, unless that is asked for.
  const [again] = await loading.load("third", [plain]);
  assert.deepEqual([again!.restored, again!.rerun], [true, false]);
});

Deno.test("goBack goes back once from each load, and not from one that changed nothing", async () => {
  await using loading = await Loading.start();
  const one = await unitOf("a.ts", "export const version = 1;");
  await loading.load("first", [one]);
  await loading.load("same", [one]);
  await loading.load("second", [await unitOf("a.ts", "export const version = 2;")]);
  assert.equal(await loading.back("same"), undefined);
  assert.ok(await loading.back("second"));
  assert.equal(await loading.back("second"), undefined);
  assert.ok(await loading.back("first"));
  assert.equal(loading.current("a.ts"), undefined);
  const undone = loading.store.loads().map(({ id, undone, current }) => [id, undone, current]);
  assert.deepEqual(undone, [["first", true, false], ["second", true, false]]);
});

Deno.test("goBack leaves what a later load has replaced", async () => {
  await using loading = await Loading.start();
  const version = (number: number) => unitOf("a.ts", `export const version = ${number};`);
  for (const number of [1, 2, 3]) await loading.load(`${number}`, [await version(number)]);
  assert.deepEqual(await loading.back("2"), [["a.ts", "replaced"]]);
  assert.equal(loading.store.namespace("a.ts")!.version, 3);
});

Deno.test("goBack goes on when an install throws, and says so", async () => {
  await using loading = await Loading.start();
  const version = async (number: number) => [
    await unitOf("a.ts", `export function install() { throw new Error("no ${number}"); }`),
    await unitOf("b.ts", `export function install() { ${does(`b ${number}`)} }`),
  ];
  const load = async (id: string, number: number) => {
    const [a, b] = await version(number);
    const text = `import "${unitSpecifier(a!.hash)}"; import "${unitSpecifier(b!.hash)}";`;
    await loading.load(id, [a!, b!, await unitOf("main.ts", text)]);
  };
  await load("first", 1);
  // The texts differ.
  const text = `export function install() {} //`;
  const [a, b] = [await unitOf("a.ts", text), await unitOf("b.ts", text)];
  const main = `import "${unitSpecifier(a.hash)}"; import "${unitSpecifier(b.hash)}";`;
  await loading.load("second", [a, b, await unitOf("main.ts", main)]);
  const outcomes = await loading.store.goBack({ id: "second", by: "tester@host" });
  assert.deepEqual(outcomes!.map(({ module, way }) => [module, way]), [
    ["a.ts", "restored"],
    ["b.ts", "installed"],
    ["main.ts", "rerun"],
  ]);
  assert.match(outcomes![0]!.failure!, /no 1/);
  assert.deepEqual(taken(), ["b 1"]);
});

Deno.test("load runs a version again that becomes current again, if it is told to", async () => {
  await using loading = await Loading.start();
  const version = (number: number) => unitOf("a.ts", does(`run ${number}`));
  await loading.load("first", [await version(1)]);
  await loading.load("second", [await version(2)]);
  await loading.back("second");
  const [again] = await loading.load("third", [await version(2)], { rerunRestored: true });
  assert.deepEqual([again!.restored, again!.rerun], [true, true]);
  assert.deepEqual(taken(), ["run 1", "run 2", "run 1", "run 2"]);
});

Deno.test("the program that the process was started for is no load to go back from", async () => {
  await using loading = await Loading.start();
  const one = await unitOf("a.ts", "export {};");
  await loading.load("first", [one], { id: undefined as unknown as string });
  assert.deepEqual(loading.store.loads(), []);
  assert.deepEqual(loading.store.program(["a.ts", "b.ts"]), new Map([["a.ts", one.hash]]));
});

Deno.test("goBack waits for a load of that id which is under way", async () => {
  await using loading = await Loading.start();
  const one = await unitOf("a.ts", "export const version = 1;");
  await loading.load("first", [one]);
  const begun = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  Object.assign(globalThis, { goingBackGate: { begun, opened } });
  const loaded = loading.load("second", [
    {
      ...await unitOf(
        "a.ts",
        "goingBackGate.begun.resolve(); await goingBackGate.opened.promise; export const version = 2;",
      ),
      pauses: true,
    },
  ]);
  await begun.promise;
  const back = loading.back("second");
  opened.resolve();
  await loaded;
  assert.deepEqual(await back, [["a.ts", "rerun"]]);
  assert.equal(loading.current("a.ts"), one.hash);
});
