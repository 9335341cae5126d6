import assert from "node:assert/strict";
import { MAX_COMPLETIONS } from "../../../runtime/repl/repl_protocol.ts";
import { completions, ReplScope } from "../../../runtime/repl/repl_scope.ts";

function scopeOf(values: Record<string, unknown>): ReplScope {
  const scope = new ReplScope();
  for (const [name, value] of Object.entries(values)) scope.bind(name, () => value);
  return scope;
}

Deno.test("completions finds names of the session, globals and properties", () => {
  const scope = scopeOf({ structure: 1, object: { inner: { one: 1, two: 2 } }, text: "a" });
  assert.deepEqual(completions(scope, [], "struct"), ["structure", "structuredClone"]);
  assert.deepEqual(completions(scope, ["object"], "in"), ["inner"]);
  assert.deepEqual(completions(scope, ["object", "inner"], "o"), ["one"]);
  assert.deepEqual(completions(scope, ["text"], "toUpper"), ["toUpperCase"]);
  assert.deepEqual(completions(scope, ["Math"], "ma"), ["max"]);
  assert.deepEqual(completions(scope, ["nosuch"], ""), []);
  assert.deepEqual(completions(scope, ["object", "nosuch", "deep"], ""), []);
});

Deno.test("completions runs no getter and no trap, and is bounded", () => {
  const never = (): never => {
    throw new Error("was run");
  };
  const scope = scopeOf({
    getter: {
      get a() {
        return never();
      },
    },
    proxy: new Proxy({ a: 1 }, new Proxy({}, { get: never })),
    heir: Object.create(new Proxy({ a: 1 }, new Proxy({}, { get: never }))),
    wide: Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, 1])),
    odd: { "not a name": 1, [Symbol.iterator]: 1, ok: 1 },
  });
  scope.declare([{ name: "uninitialised", kind: "let" }]);
  assert.deepEqual(completions(scope, ["getter"], "a"), ["a"]);
  assert.deepEqual(completions(scope, ["getter", "a"], ""), []);
  assert.deepEqual(completions(scope, ["proxy"], ""), []);
  assert.deepEqual(completions(scope, ["heir"], ""), []);
  assert.deepEqual(completions(scope, ["uninitialised"], ""), []);
  assert.equal(completions(scope, ["wide"], "k").length, MAX_COMPLETIONS);
  assert.deepEqual(completions(scope, ["odd"], "").filter((name) => /^(not|ok)/.test(name)), [
    "ok",
  ]);
});
