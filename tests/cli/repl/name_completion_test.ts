import assert from "node:assert/strict";
import { complete, partialName } from "../../../cli/repl/name_completion.ts";
import { MAX_COMPLETIONS } from "../../../runtime/code/completion.ts";
import type { RemoteSession } from "../../../cli/repl/remote_session.ts";

Deno.test("the name before the cursor is completed", () => {
  const cases: [line: string, expected: ReturnType<typeof partialName>][] = [
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
  for (const [line, expected] of cases) assert.deepEqual(partialName(line), expected, line);
});

Deno.test("control commands are completed, the others asked of the server", async () => {
  const session = {
    complete: (path: string[], prefix: string) =>
      Promise.resolve([`${prefix}_of_${path.join("_")}`]),
  } as RemoteSession;
  assert.deepEqual(await complete(",(lo", session), [[",(load "], ",(lo"]);
  assert.deepEqual(await complete(",lo", session), [[",load"], ",lo"]);
  assert.deepEqual(await complete(",(load ./x", session), [[], ",(load ./x"]);
  assert.deepEqual(await complete("f(a.b", session), [["b_of_a"], "b"]);
  assert.deepEqual(await complete("'a", session), [[], "'a"]);
});

Deno.test("complete offers only names, whatever the server answers", async () => {
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
  const session = { complete: () => Promise.resolve(answers) } as unknown as RemoteSession;
  assert.deepEqual(await complete("ab", session), [["ab", "abc", "abä"], "ab"]);
  answers.push(...Array.from({ length: 1000 }, (_, number) => `ab${number}`));
  assert.equal((await complete("ab", session))[0].length, MAX_COMPLETIONS);
});
