import assert from "node:assert/strict";
import { codeFrame, positionIn } from "../../../cli/dev/code_frame.ts";
import { TemporaryProject } from "../modules/temporary_project.ts";

Deno.test("codeFrame shows the lines around a position, with a mark below it", async () => {
  const text = Array.from({ length: 12 }, (_, index) => `\tline ${index + 1};`).join("\n");
  await using project = await TemporaryProject.make({ "a.ts": text });
  assert.deepEqual(codeFrame({ path: project.path("a.ts"), line: 10, column: 7 }), [
    "   8 | \tline 8;",
    "   9 | \tline 9;",
    "> 10 | \tline 10;",
    "     | \t     ^",
    "  11 | \tline 11;",
    "  12 | \tline 12;",
  ]);
});

Deno.test("codeFrame is empty for a position that the file does not have", async () => {
  await using project = await TemporaryProject.make({ "a.ts": "one" });
  assert.deepEqual(codeFrame({ path: project.path("a.ts"), line: 3, column: 1 }), []);
  assert.deepEqual(codeFrame({ path: project.path("a.ts") }), []);
  assert.deepEqual(codeFrame({ path: project.path("b.ts"), line: 1 }), []);
});

Deno.test("positionIn finds the position that a message names", () => {
  const position = { path: "/a b/c.ts", line: 3, column: 4 };
  assert.deepEqual(positionIn("main failed: no, at file:///a%20b/c.ts:3:4"), position);
  assert.deepEqual(positionIn("/x/c.ts:3:4: reason")?.path, "/x/c.ts");
  assert.deepEqual(positionIn("    at main (file:///x/c.ts:3:4)")?.path, "/x/c.ts");
  assert.equal(positionIn("12:30:01 no position"), undefined);
});
