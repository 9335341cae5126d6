import assert from "node:assert/strict";
import { readPage } from "../../scripts/pages/page.ts";
import { Comparison } from "../../scripts/pages/comparison.ts";
import { runPage } from "../../scripts/pages/run_page.ts";

/** A code block of a page. */
const block = (info: string, ...lines: string[]) =>
  ["", "```" + info, ...lines, "```", ""].join("\n");

Deno.test("readPage reads transcripts with their output and the text typed at prompts", () => {
  const page = "# Title\n" + block(
    "console",
    "$ repl a",
    "a> 1 + 1",
    "2",
    "a> ,q",
    "$ serve \\",
    "    --all &",
    "ready",
  );
  assert.deepEqual(readPage(page), [
    { kind: "heading", line: 1, title: "Title" },
    {
      kind: "command",
      line: 4,
      text: "repl a",
      typed: ["1 + 1", ",q"],
      output: ["2"],
      isBackground: false,
    },
    {
      kind: "command",
      line: 8,
      text: "serve \\\n    --all &",
      typed: [],
      output: ["ready"],
      isBackground: true,
    },
  ]);
});

Deno.test("readPage reads files and changes, and leaves out all other blocks", () => {
  const page = block("ts", "// src/a.ts", "let a;") +
    block("", "# not_a_path in a comment") +
    block("console ignore", "$ rm -rf /") +
    block("", "$ only shown") +
    "<!--\n" + block("console", "$ hidden") + "-->\n" +
    block("diff", "--- src/a.ts", " let a;", "-old", "+new");
  assert.deepEqual(readPage(page).map(({ line: _, ...step }) => step), [
    { kind: "file", path: "src/a.ts", text: "// src/a.ts\nlet a;\n" },
    { kind: "command", text: "hidden", typed: [], output: [], isBackground: false },
    { kind: "change", path: "src/a.ts", before: "let a;\nold", after: "let a;\nnew" },
  ]);
});

Deno.test("isSame ignores only what differs from run to run", () => {
  const comparison = new Comparison([["/tmp/x/home", "/home/me"]]);
  const same = (line: string, shown: string) => comparison.isSameLine(line, shown);
  assert.ok(
    same("2026-11-26T21:05:02.260Z in /tmp/x/home/a", "2020-01-01T00:00:00.000Z in /home/me/a"),
  );
  assert.ok(same("(compiled, 1 bytes)", "(portable, 22 bytes)"));
  assert.ok(!same("a", "b"));

  const [a, b, c] = ["a", "b", "c"].map((digit) => digit.repeat(64)) as [string, string, string];
  assert.ok(same(a, c));
  assert.ok(same(a, c), "the same again");
  assert.ok(!same(b, c), "a hash of the page stands for one hash");
  assert.ok(!same(a, b), "two hashes of the page stand for two hashes");

  assert.ok(comparison.isSame(["1", "2", "3", "4"], ["1", "...", "4"]));
  assert.ok(!comparison.isSame(["1", "2"], ["1"]));
  assert.ok(!comparison.isSame(["1"], ["1", "2"]));
});

Deno.test("runPage runs the steps of a page in one shell", async () => {
  using page = new TemporaryPage(
    block("console", "$ mkdir app && cd app", "$ NAME=world") +
      block("ts", "// greeting.txt", "hello") +
      block("diff", "--- greeting.txt", "-hello", "+good bye") +
      block(
        "console",
        '$ cat greeting.txt && echo "$NAME"',
        "// greeting.txt",
        "good bye",
        "world",
      ) +
      block(
        "console",
        "$ (sleep 0.05; echo ready; exec sleep 100) &",
        "ready",
        "$ pwd",
        "/home/me/app",
      ),
  );
  await runPage(page.path);
});

for (
  const [what, text, message] of [
    ["prints something else", block("console", "$ echo a", "b"), /:3: echo a: not what the page/],
    ["fails in silence", block("console", "$ true", "$ false"), /:4: false: exit code 1/],
    ["ends early", block("console", "$ echo a &", "b"), /:3: waiting for "b": it has ended before/],
    ["ends badly", block("console", "$ (echo a; exit 3) &", "a"), /at its end: .* exit code 3/],
    [
      "is a change of text that is not there",
      block("console", "$ echo a >f") + block("diff", "--- f", "-b", "+c"),
      /:7: the text to change is 0 times in f/,
    ],
  ] as const
) {
  Deno.test(`runPage fails when a step ${what}`, async () => {
    using page = new TemporaryPage(text);
    await assert.rejects(runPage(page.path), message);
  });
}

class TemporaryPage implements Disposable {
  readonly path = Deno.makeTempFileSync({ suffix: ".md" });

  constructor(markdown: string) {
    Deno.writeTextFileSync(this.path, markdown);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}
