import assert from "node:assert/strict";
import fc from "npm:fast-check@^4.10.2";
import { treesBelow, type UnitTree } from "../../../cli/modules/unit_building.ts";
import { verifyUnits } from "../../../runtime/code/unit.ts";
import { build, TemporaryProject } from "./temporary_project.ts";

async function unitsOf(files: Record<string, string | object>, entry: string): Promise<UnitTree> {
  await using project = await TemporaryProject.make({ "deno.json": {}, ...files });
  return await build(project.path(entry));
}

function hashes({ units }: UnitTree): Record<string, string> {
  return Object.fromEntries(units.map(({ module, hash }) => [module, hash]));
}

const TREE = {
  "main.ts": `import "./a.ts";\nimport { b } from './b.ts';\nconsole.log(b);\n`,
  "a.ts": `export const a: number = 1;\n`,
  "b.ts": `export * from "./sub/c.ts";\n`,
  "sub/c.ts": `export const b = 2;\n`,
};

Deno.test("a hash covers the tree below a module, and nothing else", async () => {
  const before = hashes(await unitsOf(TREE, "main.ts"));
  assert.deepEqual(Object.keys(before).sort(), ["a.ts", "b.ts", "main.ts", "sub/c.ts"]);
  assert.deepEqual(hashes(await unitsOf(TREE, "main.ts")), before);

  const after = hashes(await unitsOf({ ...TREE, "sub/c.ts": `export const b = 3;\n` }, "main.ts"));
  const changed = Object.keys(before).filter((module) => before[module] !== after[module]);
  assert.deepEqual(changed.sort(), ["b.ts", "main.ts", "sub/c.ts"]);
});

Deno.test("the hash of a module covers its path in the project, but not the project's location", async () => {
  const moved = { ...TREE, "b.ts": `export * from "./sub/d.ts";\n`, "sub/d.ts": TREE["sub/c.ts"] };
  const [before, after] = [await unitsOf(TREE, "main.ts"), await unitsOf(moved, "main.ts")].map(
    hashes,
  );
  assert.equal(after!["a.ts"], before!["a.ts"]);
  assert.notEqual(after!["sub/d.ts"], before!["sub/c.ts"]);
  assert.notEqual(after!["main.ts"], before!["main.ts"]);
});

Deno.test("units come after the units they import", async () => {
  const { units, request: { entry } } = await unitsOf(TREE, "main.ts");
  assert.deepEqual(units.map(({ module }) => module), ["a.ts", "sub/c.ts", "b.ts", "main.ts"]);
  assert.equal(units.at(-1)!.hash, entry);
});

/**
 * Modules of a strongly connected graph: a ring and other edges. There are few texts, so some are
 * equal.
 */
const cycles = fc.integer({ min: 1, max: 6 }).chain((size) =>
  fc.record({
    texts: fc.array(fc.constantFrom("a", "b"), { minLength: size, maxLength: size }),
    edges: fc.array(fc.array(fc.nat(size - 1), { maxLength: 2 }), {
      minLength: size,
      maxLength: size,
    }),
    entry: fc.nat(size - 1),
  })
);

Deno.test("the modules of a cycle have their own hashes, the same from any entry", async () => {
  await fc.assert(
    fc.asyncProperty(cycles, async ({ texts, edges, entry }) => {
      const files = Object.fromEntries(texts.map((text, index) => {
        const imports = [(index + 1) % texts.length, ...edges[index]!];
        const lines = imports.map((to) => `import "./m${to}.ts";\n`);
        return [`m${index}.ts`, `${lines.join("")}export const ${text} = 1;\n`];
      }));
      const plain = await unitsOf(files, "m0.ts");
      await verifyUnits(plain.units);
      assert.deepEqual(hashes(await unitsOf(files, `m${entry}.ts`)), hashes(plain));
      assert.equal(new Set(plain.units.map(({ hash }) => hash)).size, texts.length);
    }),
    { numRuns: 60 },
  );
});

Deno.test("libraries are left to the server, each listed once in import order", async () => {
  await using project = await TemporaryProject.make({
    "deno.jsonc": `{ // a comment
      "imports": { "fs": "node:fs", "chalk": "npm:chalk@5", "~/": "./lib/", "@gxensemble/x": "./x.ts" },
    }`,
    "main.ts": `import { ask } from "@gxensemble/x";\nimport chalk from "chalk";\n` +
      `import { y } from "~/y.ts";\nimport "fs";\nimport j from "data:application/json,1" with { type: "json" };\n` +
      `const late = await import("npm:late");\nconsole.log(ask, chalk, y, late, j);\n`,
    "lib/y.ts": `import "npm:chalk@5/sub";\nimport sub from "chalk/sub";\nexport const y = sub;\n`,
  });
  const { units, request: { libraries } } = await build(project.path("main.ts"));
  assert.deepEqual(libraries.map(({ specifier }) => specifier), [
    "@gxensemble/x",
    "npm:chalk@5",
    "node:fs",
    "data:application/json,1",
    "npm:chalk@5/sub",
  ]);
  assert.deepEqual(libraries[3]!.attributes, { type: "json" });
  assert.deepEqual(libraries[1]!.importer, { path: project.path("main.ts"), line: 2, column: 19 });
  const main = units.find(({ module }) => module === "main.ts")!;
  assert.match(main.text, /import chalk from "npm:chalk@5";/);
  assert.match(main.text, /with \{\s*type: "json"\s*\}/);
  const targets = main.links.map(({ target }) => target);
  assert.deepEqual(targets, ["@gxensemble/x", `unit:${units[0]!.hash}`]);
  for (const { start, end, target } of main.links) {
    assert.equal(main.text.slice(start, end), target);
  }
});

Deno.test("a module outside a project is named by its path", async () => {
  await using project = await TemporaryProject.make({ "main.mjs": `export {};\n` });
  const { units } = await build(`file://${project.path("main.mjs")}`);
  assert.equal(units[0]!.module, project.path("main.mjs"));
});

Deno.test("a module that cannot be shipped is refused with file and line", async () => {
  const cases: [source: string, place: string, reason: RegExp][] = [
    [`const a = 1;\nconst b: = 2;\n`, "main.ts:2:10", /^Unexpected token `=`/],
    [`\nimport "./nosuch.ts";\n`, "main.ts:2:8", /^there is no module .*nosuch\.ts$/],
    [`import "./leaf";\n`, "main.ts:1:8", /did you mean .*leaf\.ts\?$/],
    [`import "left-pad";\n`, "main.ts:1:8", /cannot resolve "left-pad": .*--library-prefix$/],
    [`import j from "./d.json" with { type: "css" };\nj;`, "main.ts:1:15", /type: "json", "text"/],
    [`import j from "./bad.json" with { type: "json" };\nj;`, "bad.json:2:8", /^not JSON: /],
    [`import.defer("./leaf.ts");\n`, "main.ts:1:14", /import\.defer\(\)/],
    [`import source wasm from "./a.wasm";\nwasm;`, "main.ts:1:25", /import source/],
    [`import "./decorated.js";\n`, "decorated.js:2:1", /^SyntaxError: Unexpected character '@'$/],
    [`import "./sloppy.cjs";\n`, "sloppy.cjs:1:1", /^SyntaxError: 'with' in strict mode$/],
    [
      `import "./view.tsx";\n`,
      "view.tsx:1:15",
      /^JSX element 'a' has no corresponding closing tag/,
    ],
    [`import "./view.vue";\n`, "view.vue", /^is not a module that can be shipped/],
    [`import "./d.json";\n`, "d.json", /with \{ type: "json" \}/],
    [`enum E { A }\n\n\nimport "./nosuch.ts";\n`, "main.ts:4:8", /^there is no module/],
    [`import a from "my/lib" with { type: "json" };\na;`, "main.ts:1:15", /with attributes$/],
  ];
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "leaf.ts": "",
    "view.tsx": "const view = <a>;",
    "view.vue": "",
    "decorated.js": "const d = (x) => x;\n@d class A {}\n",
    "sloppy.cjs": "with (exports) {}\n",
    "d.json": "1",
    "bad.json": `{\n  "a": tru\n}`,
  });
  for (const [source, place, reason] of cases) {
    await project.write("main.ts", source);
    const building = build(project.path("main.ts"), { libraryPrefixes: ["my"] });
    await assert.rejects(building, (error: Error & { reason: string }) => {
      assert.ok(error.message.startsWith(`${project.path(place)}: `), error.message);
      assert.match(error.reason, reason);
      return true;
    });
  }
  await assert.rejects(build(project.path("leaf")), {
    message: `${project.path("leaf")}: there is no such module; did you mean ${
      project.path("leaf.ts")
    }?`,
  });
});

Deno.test("treesBelow returns the modules that are evaluated before the entry", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": {},
    "a.ts": `import "./b.ts";\n`,
    "b.ts": `export {};\n`,
    "late.ts": `export const late = 1;\n`,
    "main.ts":
      `import "./a.ts"; import defer * as late from "./late.ts"; late; import("./late.ts");\n`,
  });
  const below = treesBelow(await build(project.path("main.ts")));
  assert.deepEqual(below.map(({ units }) => units.map(({ module }) => module)), [["b.ts", "a.ts"]]);
});
