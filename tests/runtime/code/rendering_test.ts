import assert from "node:assert/strict";
import { EnsembleError } from "../../../runtime/errors.ts";
import { MAX_RENDERED_LENGTH, renderJson, renderValue } from "../../../runtime/code/rendering.ts";

Deno.test("a value is shown as Deno.inspect shows it, and a string whole", () => {
  assert.equal(renderValue(undefined), undefined);
  assert.equal(renderValue(3), "3");
  assert.equal(renderValue(new Map([["a", 1]])), 'Map(1) { "a" => 1 }');
  assert.equal(renderValue("x".repeat(1 << 20))!.length, (1 << 20) + 2);
});

Deno.test("what hurts when it is shown is an error", () => {
  const custom = {
    [Symbol.for("Deno.customInspect")]() {
      throw new Error("not me");
    },
  };
  assert.throws(() => renderValue(custom), { message: "the value cannot be shown: not me" });
  assert.throws(() => renderValue("x".repeat(MAX_RENDERED_LENGTH + 1)), EnsembleError);
  assert.throws(() => renderJson("x".repeat(MAX_RENDERED_LENGTH)), EnsembleError);
});

Deno.test("JSON carries plain values, and nothing with loss", () => {
  assert.equal(renderJson(undefined), undefined);
  assert.equal(renderJson({ a: [1, "b", null] }), '{"a":[1,"b",null]}');
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const lossy: unknown[] = [1n, Symbol("s"), () => 1, NaN, Infinity, -Infinity, cycle];
  lossy.push(new Map(), { deep: new Set() }, [new Error("lost")], /lost/);
  for (const value of lossy) {
    assert.throws(() => renderJson(value), /^EnsembleError: the value cannot be written as JSON: /);
  }
  assert.throws(() => renderJson({ a: new Error() }), /: its "a" is of the class Error$/);
});
