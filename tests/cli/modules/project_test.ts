import assert from "node:assert/strict";
import fc from "npm:fast-check@^4.10.2";
import { parseJson } from "../../../cli/modules/project.ts";

Deno.test("comments and trailing commas are skipped where they are allowed, outside strings", async () => {
  const text = `{ // one
    "a": "// no /* comment */,]", /* two
    lines */ "b": [1, 2, /* three */ ],
  }`;
  assert.deepEqual(await parseJson(text, "/deno.jsonc", { comments: true }), {
    a: "// no /* comment */,]",
    b: [1, 2],
  });
  await assert.rejects(parseJson(text, "/data.json"), {
    message: "/data.json:1:3: not JSON: invalid comment token",
  });
});

Deno.test("plain JSON is read unchanged", () =>
  fc.assert(fc.asyncProperty(fc.json(), async (text) => {
    assert.deepEqual(await parseJson(text, "/data.json"), JSON.parse(text));
  })));

Deno.test("a syntax error is reported with line and column", async () => {
  const faults: [text: string, place: string][] = [
    ["", "1:1"],
    ['{\n  "a": tru\n}', "2:8"],
    ["[1,\n2,]", "2:3"],
    ["{ a: 1 }", "1:3"],
    ["1 2", "1:3"],
    ['["a\nb"]', "1:2"],
  ];
  for (const [text, place] of faults) {
    await assert.rejects(parseJson(text, "/data.json"), (error: Error) => {
      assert.ok(error.message.startsWith(`/data.json:${place}: not JSON: `), error.message);
      return true;
    });
  }
});
