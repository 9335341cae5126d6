import assert from "node:assert/strict";
import { sourceLines } from "../../../cli/modules/source_lines.ts";

Deno.test("each generated line has its source line", () => {
  // The second line maps to the fourth, the third has no mapping, the fourth goes back to the first.
  assert.deepEqual(sourceLines("AAAA,IAAI;AAGA;;AAHA"), [1, 4, 4, 1]);
});
