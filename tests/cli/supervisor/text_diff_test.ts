import assert from "node:assert/strict";
import { unifiedDiff } from "../../../cli/supervisor/text_diff.ts";

Deno.test("unifiedDiff is empty for equal texts", () => {
  assert.deepEqual(unifiedDiff("a\nb\n", "a\nb\n"), []);
  assert.deepEqual(unifiedDiff("", ""), []);
});

Deno.test("unifiedDiff shows changed lines with three lines around them", () => {
  const lines = Array.from({ length: 12 }, (_, at) => `line ${at + 1}`);
  const changed = lines.with(5, "other").join("\n");
  assert.deepEqual(unifiedDiff(`${lines.join("\n")}\n`, `${changed}\n`), [
    "@@ -3,7 +3,7 @@",
    ...[" line 3", " line 4", " line 5", "-line 6", "+other", " line 7", " line 8", " line 9"],
  ]);
});

Deno.test("unifiedDiff shows distant changes apart, and lines at both ends", () => {
  const lines = Array.from({ length: 20 }, (_, at) => `${at}`);
  const changed = ["new", ...lines.slice(0, 19)];
  assert.deepEqual(unifiedDiff(lines.join("\n"), changed.join("\n")), [
    "@@ -1,3 +1,4 @@",
    ...["+new", " 0", " 1", " 2"],
    "@@ -17,4 +18,3 @@",
    ...[" 16", " 17", " 18", "-19"],
  ]);
});

Deno.test("unifiedDiff replaces all of two large texts that have nothing in common", () => {
  const text = (word: string) => Array.from({ length: 3000 }, (_, at) => `${word}${at}`).join("\n");
  const diff = unifiedDiff(text("a"), text("b"));
  assert.equal(diff.length, 6001);
});
