import assert from "node:assert/strict";
import fc from "fast-check";
import { parseJsonc } from "../../../cli/modules/jsonc.ts";

Deno.test("comments and trailing commas are read over, outside strings", () => {
  const text = `\uFEFF{ // one
    "a": "// no /* comment */,]", /* two
    lines */ "b": [1, 2, /* three */ ],
  }`;
  assert.deepEqual(parseJsonc(text), { a: "// no /* comment */,]", b: [1, 2] });
  assert.throws(() => parseJsonc("{ a: 1 }"), SyntaxError);
});

Deno.test("JSON is read as it is", () => {
  fc.assert(fc.property(fc.json(), (text) => {
    assert.deepEqual(parseJsonc(text), JSON.parse(text));
  }));
});
