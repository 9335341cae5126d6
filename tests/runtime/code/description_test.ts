import assert from "node:assert/strict";
import { describeValue } from "../../../runtime/code/description.ts";

const none = () => undefined;

Deno.test("describeValue gives the signature of a function, without what types have left", () => {
  const cases: [value: unknown, expected: string][] = [
    [
      eval("(function f  (a         , b    = ')(', { c = [1] }, ...d) { return 1 })"),
      "function f(a, b = ')(', { c = [1] }, ...d)",
    ],
    [eval("const g = async (a /* ( */) => a; g"), "async function g(a /* (*/)"],
    [eval("const h = a => a; h"), "function h(a)"],
    [eval("const i = async a => a; i"), "async function i(a)"],
    [eval("(() => 1)"), "function (anonymous)()"],
    [eval("({ *m(a) {} }).m"), "function* m(a)"],
    [eval("({ get [Symbol.iterator]() { throw 1 }, 'a b'(c) {} })['a b']"), "function a b(c)"],
    [Math.max, "function max, built in, of 2 parameters"],
    [isFinite, "function isFinite, built in, of 1 parameter"],
  ];
  for (const [value, expected] of cases) assert.equal(describeValue(value, none), expected);
});

Deno.test("describeValue shows the comment before a function, without its stars", () => {
  const comment = "/**\n   * First.\n   *\n   * - second `*`\n   */";
  assert.equal(
    describeValue((a: number) => a, () => comment),
    "function (anonymous)(a)\n  First.\n\n  - second `*`",
  );
  assert.equal(
    describeValue((a: number) => a, () => "/** One. */"),
    "function (anonymous)(a)\n  One.",
  );
});

Deno.test("describeValue names the members of classes and objects, and runs no getter and no trap", () => {
  const fail = () => assert.fail("it runs");
  class Base {
    inherited() {}
  }
  class Derived extends Base {
    #secret = 1;
    field = 2;
    constructor(public a: number, b = 1) {
      super();
      this.field = b + this.#secret;
    }
    method() {}
    get accessor() {
      return fail();
    }
  }
  assert.equal(
    describeValue(Derived, none),
    "class Derived extends Base (a, b = 1)\n  has method, accessor, inherited",
  );
  assert.equal(
    describeValue(new Derived(1), none),
    "object Derived\n  has a, field, method, accessor, inherited",
  );
  assert.equal(describeValue({}, none), "object Object");
  assert.equal(
    describeValue(Object.create(null, { a: { get: fail } }), none),
    "object without a class\n  has a",
  );
  assert.equal(describeValue(new Proxy({}, { ownKeys: fail, get: fail }), none), "a proxy");
  assert.equal(describeValue(new Proxy(() => {}, { apply: fail, get: fail }), none), "a proxy");
});

Deno.test("describeValue shows what is neither as it is", () => {
  assert.equal(describeValue(1, none), "number 1");
  assert.equal(describeValue("a\nb", none), 'string "a\\nb"');
  assert.equal(describeValue(null, none), "null");
  assert.equal(describeValue(Symbol("a"), none), "symbol Symbol(a)");
});
