import assert from "node:assert/strict";
import { complete, type NameSources } from "../../../cli/repl/completion.ts";
import { ImportResolver } from "../../../cli/repl/import_resolver.ts";
import { MAX_COMPLETIONS } from "../../../runtime/repl/repl_protocol.ts";
import { TemporaryProject } from "../modules/temporary_project.ts";

/** Sources of names with a server that answers with `answer`. */
function sourcesOf(answer: (path: string[], prefix: string) => string[]): NameSources {
  return {
    session: {
      complete: (path, prefix) => Promise.resolve(answer(path, prefix)),
      modules: () => Promise.resolve([]),
      libraries: () => Promise.resolve([]),
    },
    resolver: { mapped: () => [], directory: () => "/nosuch" },
  };
}

Deno.test("complete completes the name before the cursor", async () => {
  const cases: [line: string, expected: { path: string[]; prefix: string } | undefined][] = [
    ["", { path: [], prefix: "" }],
    ["gre", { path: [], prefix: "gre" }],
    ["1 + gre", { path: [], prefix: "gre" }],
    ["typeof ", { path: [], prefix: "" }],
    ["typeo", { path: [], prefix: "typeo" }],
    ["in", { path: [], prefix: "in" }],
    ["f(a.b.c", { path: ["a", "b"], prefix: "c" }],
    ["a?.", { path: ["a"], prefix: "" }],
    ["`${a.b", { path: ["a"], prefix: "b" }],
    ["'a.b", undefined],
    ["f().a", undefined],
    ["[1].a", undefined],
    ["this.a", undefined],
    ["1 .to", undefined],
  ];
  for (const [line, expected] of cases) {
    let asked: { path: string[]; prefix: string } | undefined;
    await complete(line, sourcesOf((path, prefix) => (asked = { path, prefix }, [])));
    assert.deepEqual(asked, expected, line);
  }
});

Deno.test("complete completes control commands, and asks the server for other names", async () => {
  const sources = sourcesOf((path, prefix) => [`${prefix}_of_${path.join("_")}`]);
  assert.deepEqual(await complete(",(lo", sources), [[",(load "], ",(lo"]);
  assert.deepEqual(await complete(",lo", sources), [[",load"], ",lo"]);
  assert.deepEqual(await complete("f(a.b", sources), [["b_of_a"], "b"]);
  assert.deepEqual(await complete("'a", sources), [[], "'a"]);
  assert.deepEqual(await complete(",(defined? a.b", sources), [["b_of_a"], "b"]);
  assert.deepEqual(await complete(",defined? ", sources), [["_of_"], ""]);
  assert.deepEqual(await complete(",(thread-state b", sources), [[], ",(thread-state b"]);
});

Deno.test("complete finds modules of the server, libraries, files and import map entries", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": { imports: { "mapped": "npm:mapped@1", "~/": "./src/" } },
    "src/handler.ts": "",
    "src/types.d.ts": "",
    "src/notes.txt": "",
    "src/sub/deep.tsx": "",
    "src/.hidden/x.ts": "",
    "src/with space.ts": "",
    "src/it's.ts": "",
    "lib.mjs": "",
  });
  const sources: NameSources = {
    session: {
      complete: () => Promise.resolve(["other"]),
      modules: () => Promise.resolve(["src/handler.ts", "src/away.ts", "src/bad\x1b[2J.ts"]),
      libraries: () => Promise.resolve(["@gxensemble/ensemble", "src/built_in.ts"]),
    },
    resolver: await ImportResolver.open(project.directory, []),
  };
  const files = ["src/handler.ts", "src/it's.ts", "src/sub/"];
  const cases: [text: string, candidates: string[], replaced: string][] = [
    [",(load src/", files, "src/"],
    [",load -f src/h", ["src/handler.ts"], "src/h"],
    [',(load "src/', [...files, "src/with space.ts"], "src/"],
    [",(load ", ["lib.mjs", "src/"], ""],
    [",(load ./src/s", ["./src/sub/"], "./src/s"],
    [`,(load ${project.directory}/l`, [`${project.directory}/lib.mjs`], `${project.directory}/l`],
    [",(load ~/s", ["~/sub/"], "~/s"],
    [",(load src/.", ["src/.hidden/"], "src/."],
    [",(load nosuch/", [], "nosuch/"],
    [",(load -l ", ["@gxensemble/ensemble", "src/built_in.ts"], ""],
    [",(import src/", ["src/away.ts", "src/built_in.ts", "src/handler.ts"], "src/"],
    [",(import ./src/h", ["./src/handler.ts"], "./src/h"],
    ['import { a } from "src/h', ["src/handler.ts"], "src/h"],
    ["const { a } = await import('src/a", ["src/away.ts"], "src/a"],
    ["import 'm", ["mapped", "mapped/"], "m"],
    [
      "1\nimport { a } from './src/",
      ["./src/handler.ts", "./src/sub/", "./src/with space.ts"],
      "./src/",
    ],
    ['export { a } from "~/h', ["~/handler.ts"], "~/h"],
  ];
  for (const [text, candidates, replaced] of cases) {
    assert.deepEqual(await complete(text, sources), [candidates, replaced], text);
  }
  assert.deepEqual(await complete("const a = 'src/", sources), [[], "const a = 'src/"]);
});

Deno.test("complete offers only valid names, for any answer of the server", async () => {
  const answers = [
    "ab",
    "abc",
    "ab\x1b[2J",
    "ab\u202e",
    "ab\u3164",
    "ab-c",
    "ab()",
    "b",
    "",
    "abä",
  ];
  const sources = sourcesOf(() => answers);
  assert.deepEqual(await complete("ab", sources), [["ab", "abc", "abä"], "ab"]);
  answers.push(...Array.from({ length: 1000 }, (_, number) => `ab${number}`));
  assert.equal((await complete("ab", sources))[0].length, MAX_COMPLETIONS);
});
