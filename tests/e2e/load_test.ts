import assert from "node:assert/strict";
import { RunningEnsemble } from "./running_ensemble.ts";

const ROUTER = `
  export const handlers = new Map<string, () => string>();
  globalThis.routers = (globalThis.routers ?? 0) + 1;
  declare global { var routers: number; }
`;
const SERVICE = `
  import { currentServer } from "@gxensemble/ensemble";
  import { handlers } from "./router.ts";
  export async function main(...words: string[]): Promise<void> {
    handlers.set("main", () => words.join("+"));
    currentServer().serve("web", { get: ({ path }: { path: string }) => handlers.get(path)?.() });
    await currentServer().stopped;
  }
`;
const HANDLER = `
  import { handlers } from "./router.ts";
  import { greeting } from "./greeting.ts";
  handlers.set("hello", () => greeting as string);
`;

/** An ensemble with a server `web1` that runs the project. */
async function startProject(): Promise<RunningEnsemble> {
  const ensemble = await RunningEnsemble.start();
  await ensemble.write("deno.json", "{}");
  await ensemble.write("router.ts", ROUTER);
  await ensemble.write("greeting.ts", `export const greeting: string = "hello";`);
  await ensemble.write("handler.ts", HANDLER);
  const service = await ensemble.write("service.ts", SERVICE);
  const server = ensemble.spawn("run", "web1", service, "one", "--two");
  await server.logged(/is in the registry$/);
  return ensemble;
}

interface Loaded {
  verb: string;
  module: string;
  hash: string;
}

/** The pairs of lines that `load` prints. */
function loaded(lines: string[], ensemble: RunningEnsemble): Loaded[] {
  const result: Loaded[] = [];
  for (let i = 0; i < lines.length; i += 2) {
    const [, verb, path] = /^\.\.\. (loading code object file|already loaded) (.*)$/.exec(
      lines[i]!,
    )!;
    assert.match(lines[i + 1]!, /^[0-9a-f]{64}$/);
    assert.ok(path!.startsWith(ensemble.path("")), path);
    const module = path!.slice(ensemble.path("").length);
    result.push({ verb: verb!.split(" ")[0]!, module, hash: lines[i + 1]! });
  }
  return result;
}

Deno.test("load ships what the server lacks, and shares what it runs", async () => {
  await using ensemble = await startProject();
  const handler = ensemble.path("handler.ts");
  const load = async (...args: string[]) => loaded(await ensemble.lines("load", ...args), ensemble);
  const verbs = (modules: Loaded[]) => modules.map(({ verb, module }) => `${verb} ${module}`);
  const get = (path: string) =>
    ensemble.lines("eval", "web1", `ensemble.ask("web", { type: "get", path: "${path}" })`);

  assert.deepEqual(await get("main"), ['"one+--two"']);
  assert.deepEqual(await get("hello"), []);
  const first = await load("web1", handler);
  assert.deepEqual(verbs(first), [
    "already router.ts",
    "loading greeting.ts",
    "loading handler.ts",
  ]);
  assert.deepEqual(await get("hello"), ['"hello"']);
  assert.deepEqual(await ensemble.lines("eval", "web1", "globalThis.routers"), ["1"]);

  const second = await load("web1", handler);
  assert.deepEqual(verbs(second), [
    "already router.ts",
    "already greeting.ts",
    "already handler.ts",
  ]);
  assert.deepEqual(second.map(({ hash }) => hash), first.map(({ hash }) => hash));

  // Another leaf: only it and its importers have new names.
  await ensemble.write("greeting.ts", `export const greeting: string = "good day";`);
  const third = await load("web1", handler);
  assert.deepEqual(verbs(third), [
    "already router.ts",
    "loading greeting.ts",
    "loading handler.ts",
  ]);
  const changed = third.filter(({ hash }, index) => hash !== first[index]!.hash);
  assert.deepEqual(changed.map(({ module }) => module), ["greeting.ts", "handler.ts"]);
  assert.deepEqual(await get("hello"), ['"good day"']);

  // With -f, only the module itself is loaded, linked to the loaded units, though the files have
  // changed.
  await ensemble.write("greeting.ts", `export const greeting: string = "good night";`);
  await ensemble.write("handler.ts", `${HANDLER} export const forced = 1;`);
  const forced = await load("-f", "web1", handler);
  assert.deepEqual(verbs(forced), ["loading handler.ts"]);
  assert.deepEqual(await get("hello"), ['"good day"']);
  const exported = `ensemble.module("handler.ts").forced`;
  assert.deepEqual(await ensemble.lines("eval", "web1", exported), ["1"]);

  const json = JSON.parse((await ensemble.lines("load", "--json", "web1", handler)).join("\n"));
  assert.deepEqual(json.libraries, []);
  assert.deepEqual(
    json.modules.map(({ module, loaded }: { module: string; loaded: boolean }) => [module, loaded]),
    [["router.ts", false], ["greeting.ts", true], ["handler.ts", true]],
  );
});

Deno.test("load ships three modules, libraries first; --library loads only the library", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.startServer("a");
  await ensemble.write("deno.json", "{}");
  await ensemble.write("one.ts", `export const one = 1;`);
  await ensemble.write("two.ts", `export enum Two { Value = 2 }`);
  const main = await ensemble.write(
    "sum.ts",
    `import { join } from "node:path"; import { one } from "./one.ts"; import { Two } from "./two.ts";
     export const sum: number = one + Two.Value; export const path = join("a", "b");`,
  );
  const [library, ...lines] = await ensemble.lines("load", "a", main);
  assert.equal(library, "... loading library module node:path");
  assert.deepEqual(loaded(lines, ensemble).map(({ verb, module }) => [verb, module]), [
    ["loading", "one.ts"],
    ["loading", "two.ts"],
    ["loading", "sum.ts"],
  ]);
  assert.deepEqual(await ensemble.lines("eval", "a", `ensemble.module("sum.ts").sum`), ["3"]);
  assert.deepEqual(await ensemble.lines("load", "--library", "a", "node:url"), [
    "... loading library module node:url",
  ]);
  assert.match(
    await ensemble.failure("load", "--library", "a", "nosuch"),
    /^library module nosuch is neither registered in this server nor importable: /,
  );
});

Deno.test("a failed load exits with 1 and prints file, line and reason, and the server continues", async () => {
  await using ensemble = await startProject();
  const faults: Record<string, [text: string, line: number, reason: RegExp]> = {
    "syntax.ts": [
      "export const a = 1;\nexport const b = ;\n",
      2,
      /[Ee]xpression expected|Unexpected/,
    ],
    "missing.ts": ["\n\nimport './nosuch.ts';\n", 3, /nosuch\.ts/],
    "throwing.ts": [
      "type A = string;\nconst a: A = 'out of order';\n\nthrow new TypeError(a, { cause: new Error('rain') });\n",
      4,
      /TypeError: out of order\n {2}Caused by: Error: rain$/,
    ],
    "no_export.ts": ["import { nosuch } from './router.ts';\nnosuch;\n", 1, /nosuch/],
  };
  await Promise.all(
    Object.entries(faults).map(async ([name, [text, line, reason]]) => {
      const file = await ensemble.write(name, text);
      const failure = await ensemble.failure("load", "web1", file);
      assert.ok(failure.startsWith(`${file}:${line}`), failure);
      assert.match(failure, reason);
    }),
  );
  assert.match(await ensemble.failure("load", "web1", ensemble.path("none.ts")), /none\.ts/);
  const lonely = await ensemble.write("lonely.ts", `\nimport "./greeting.ts";`);
  const forced = await ensemble.failure("load", "-f", "web1", lonely);
  assert.ok(forced.startsWith(`${lonely}:2`), forced);
  assert.match(forced, /the server has not loaded greeting\.ts: load without -f$/);

  // Once corrected, they load.
  const mended = await ensemble.write("throwing.ts", "export const mended = true;");
  await ensemble.lines("load", "web1", mended);
  assert.deepEqual(
    await ensemble.lines("eval", "web1", `ensemble.module("throwing.ts").mended`),
    ["true"],
  );
  assert.deepEqual(await ensemble.lines("ping", "web1"), ["OK"]);
});

Deno.test("concurrent loads are all answered, and evaluate a module once", async () => {
  await using ensemble = await startProject();
  const slow = await ensemble.write(
    "slow.ts",
    `globalThis.slow = (globalThis.slow ?? 0) + 1;
     declare global { var slow: number; }
     await new Promise((resolve) => setTimeout(resolve, 300));`,
  );
  await Promise.all([1, 2, 3].map(() => ensemble.lines("load", "web1", slow)));
  assert.deepEqual(await ensemble.lines("eval", "web1", "globalThis.slow"), ["1"]);
});

Deno.test("eval prints the value of an expression, or its error", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.startServer("a");
  const evaluate = (expression: string) => ensemble.lines("eval", "a", expression);
  const results: [expression: string, lines: string[]][] = [
    ["1+2", ["3"]],
    ["undefined", []],
    ["null", ["null"]],
    ["'text'", ['"text"']],
    ["new Map([['a', 1]])", ['Map(1) { "a" => 1 }']],
    ["Promise.resolve(7)", ["7"]],
    ["await new Promise((resolve) => setTimeout(() => resolve('late'), 20))", ['"late"']],
    ["ensemble.id", ['"a"']],
    ["({ a: [1n, Symbol('s')] })", ["{ a: [ 1n, Symbol(s) ] }"]],
  ];
  const failures: [expression: string, reason: RegExp][] = [
    ["(() => { throw new RangeError('no such luck') })()", /no such luck/],
    [
      "Promise.any([Promise.reject(new Error('one', { cause: 'rain' }))])",
      /^All promises were rejected\n {6}Error: one\n {6}Caused by: "rain"$/,
    ],
    ["throw 1", /^not a JavaScript expression: /],
    ["1 +", /^not a JavaScript expression: /],
    ["1; 2", /^not a JavaScript expression: /],
    ["", /^not a JavaScript expression: /],
    ["nosuch", /nosuch is not defined/],
    ["(() => { throw { not: 'an error' } })()", /an error/],
    ["'x'.repeat(20 * 1024 * 1024)", /too long/],
  ];
  const json: [expression: string, value: unknown][] = [
    ["({ a: [1, 'b', null] })", { a: [1, "b", null] }],
    ["undefined", null],
    ["'text'", "text"],
  ];
  await Promise.all([
    (async () => {
      for (const [expression, lines] of results) {
        assert.deepEqual(await evaluate(expression), lines, expression);
      }
    })(),
    (async () => {
      for (const [expression, reason] of failures) {
        assert.match(await ensemble.failure("eval", "a", expression), reason, expression);
      }
      for (const [expression, value] of json) {
        const lines = await ensemble.lines("eval", "--json", "a", expression);
        assert.deepEqual(JSON.parse(lines.join("\n")), value);
      }
      assert.match(await ensemble.failure("eval", "--json", "a", "new Map()"), /Map/);
    })(),
  ]);
  const [long] = await evaluate("'x'.repeat(1024 * 1024)");
  assert.equal(long, `"${"x".repeat(1024 * 1024)}"`);
  assert.deepEqual(await evaluate("'still there'"), ['"still there"']);
});
