import assert from "node:assert/strict";
import fc from "npm:fast-check@^4.10.2";
import {
  evaluate,
  MAX_RENDERED_LENGTH,
  renderJson,
  renderValue,
} from "../../../runtime/code/evaluation.ts";
import { EnsembleError, InvalidInputError } from "../../../runtime/errors.ts";

Deno.test("evaluate runs one expression in the global scope, with ensemble", async () => {
  const cases: [expression: string, value: unknown][] = [
    ["1+2", 3],
    ["1, 2 // last", 2],
    ["{ a: 1 }", { a: 1 }],
    ["await Promise.resolve(4)", 4],
    ["Promise.resolve(5)", 5],
    ["ensemble.id", "httpd1"],
    ["this === globalThis", true],
    ["(await import('node:path')).basename('/a/b')", "b"],
    ["undefined", undefined],
  ];
  for (const [expression, value] of cases) {
    assert.deepEqual(await evaluate(expression, { id: "httpd1" }), value, expression);
  }
});

Deno.test("evaluate refuses anything but one expression", async () => {
  const texts = [
    "",
    "1;2",
    "1) + (2",
    "1] + [2",
    "}, function () {",
    "let a = 1",
    "...[1]",
    "/*",
    "(",
  ];
  for (const text of texts) {
    await assert.rejects(evaluate(text, {}), InvalidInputError, text);
  }
  for (const text of ["", "nope(", "1 +", "[1,", "{ a:"]) {
    await assert.rejects(evaluate(text, {}), /^InvalidInputError: .*: it ends too early$/, text);
  }
  await assert.rejects(evaluate("1;2", {}), /Unexpected token ';'$/);
});

Deno.test("evaluate refuses brackets that close what the text did not open", async () => {
  const pieces = fc.constantFrom(
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "1",
    "+",
    ";",
    "\n",
    "//",
    "`",
    "=>",
  );
  await fc.assert(fc.asyncProperty(fc.array(pieces, { maxLength: 8 }), async (parts) => {
    const text = parts.join("");
    const value = await evaluate(text, {}).catch((error) => error);
    if (value instanceof InvalidInputError) return;
    // Complete in any other context too.
    assert.doesNotThrow(() => new Function(`f(0, (${text}\n))`), text);
  }));
});

Deno.test("evaluate throws an error that says what the expression threw, and why", async () => {
  const thrower = (expression: string, message: string) =>
    assert.rejects(evaluate(expression, {}), (error: Error) => {
      assert.ok(error instanceof EnsembleError);
      assert.equal(error.message, message);
      return true;
    });
  await thrower("nosuch", "nosuch is not defined");
  await thrower("Promise.reject(new Error('late'))", "late");
  await thrower("Promise.reject(new Error('late', { cause: 'rain' }))", 'late\nCaused by: "rain"');
  await thrower("(() => { throw { code: 1 } })()", "{ code: 1 }");
  await thrower("(() => { throw undefined })()", "undefined");
  await thrower(
    "Promise.reject(new Proxy({}, { getPrototypeOf() { throw 1 } }))",
    "something that cannot be shown",
  );
});

Deno.test("a value is shown as Deno.inspect shows it, and a string in full", () => {
  assert.equal(renderValue(undefined), undefined);
  assert.equal(renderValue(3), "3");
  assert.equal(renderValue(new Map([["a", 1]])), 'Map(1) { "a" => 1 }');
  assert.equal(renderValue("x".repeat(1 << 20))!.length, (1 << 20) + 2);
});

Deno.test("a value that cannot be shown is an error", () => {
  const custom = {
    [Symbol.for("Deno.customInspect")]() {
      throw new Error("not me");
    },
  };
  assert.throws(() => renderValue(custom), { message: "the value cannot be shown: not me" });
  assert.throws(() => renderValue("x".repeat(MAX_RENDERED_LENGTH + 1)), EnsembleError);
  assert.throws(() => renderJson("x".repeat(MAX_RENDERED_LENGTH)), EnsembleError);
});

Deno.test("JSON carries plain values, and refuses those that would lose data", () => {
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
