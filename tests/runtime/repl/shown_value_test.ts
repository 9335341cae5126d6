import assert from "node:assert/strict";
import {
  MAX_PREVIEW_LENGTH,
  previewValue,
  summarizeValue,
} from "../../../runtime/repl/shown_value.ts";

Deno.test("previewValue shows a value as Deno.inspect does", () => {
  const value = {
    a: [1, "b", new Map([["c", { d: new Date(0) }]])],
    get e() {
      return 1;
    },
  };
  assert.equal(previewValue(value), Deno.inspect(value, { depth: 4, colors: false }));
  const list = Array.from({ length: 3 }, (_, index) => ({ index, name: "x".repeat(60) }));
  assert.equal(previewValue(list, { oneLine: true }).split("\n").length, 1);
});

Deno.test("previewValue shows part of a large value", () => {
  const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, 1]));
  const nested = (depth: number): unknown =>
    depth === 0 ? 1 : Array.from({ length: 100 }, () => nested(depth - 1));
  const values: unknown[] = [
    wide,
    { wide },
    [wide, wide],
    nested(3),
    "x".repeat(10_000_000),
    Array.from({ length: 1000 }, () => "x".repeat(10_000)),
    new Map([[1, wide]]),
    new Uint8Array(10_000_000),
    new Error("x".repeat(10_000_000)),
  ];
  for (const value of values) {
    const preview = previewValue(value);
    assert.ok(preview.length <= MAX_PREVIEW_LENGTH + 100, preview.slice(0, 100));
  }
  const text = previewValue(wide);
  assert.ok(text.startsWith("{\n  k0: 1,\n  k1: 1,\n"), text.slice(0, 100));
  assert.ok(text.endsWith("\n  k999: 1,\n  ... 99000 more properties }"), text.slice(-100));
  assert.match(
    previewValue({ wide }, { oneLine: true }),
    /^\{ wide: \{ k0: 1, .* k999: 1, \.\.\. 99000 more properties \} \}$/,
  );
  assert.ok(previewValue(Array(20).fill("x".repeat(10_000))).length < 3_000);
});

Deno.test("previewValue runs no getter and no trap, and ends", () => {
  const never = (): never => {
    throw new Error("was run");
  };
  const traps = new Proxy({}, { get: never });
  const values: [unknown, string][] = [
    [{
      get a() {
        return never();
      },
    }, "{ a: [Getter] }"],
    [new Proxy({ a: 1 }, traps), "{ a: 1 }"],
    [
      (function* () {
        while (true) yield 1;
      })(),
      "Object [Generator] {}",
    ],
    [{
      *[Symbol.iterator]() {
        while (true) yield 1;
      },
    }, "{ Symbol(Symbol.iterator): [GeneratorFunction: [Symbol.iterator]] }"],
    [{ [Symbol.for("Deno.customInspect")]: never }, "[a value that cannot be shown: was run]"],
  ];
  for (const [value, text] of values) assert.equal(previewValue(value), text);
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  assert.equal(previewValue(cycle), "<ref *1> { self: [Circular *1] }");
});

const none = () => undefined;

Deno.test("summarizeValue returns a function's signature, without the spaces left by types", () => {
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
    [Math.max, "built-in function max of 2 parameters"],
    [isFinite, "built-in function isFinite of 1 parameter"],
  ];
  for (const [value, expected] of cases) assert.equal(summarizeValue(value, none), expected);
});

Deno.test("summarizeValue shows the comment before a function, without its asterisks", () => {
  const comment = "/**\n   * First.\n   *\n   * - second `*`\n   */";
  assert.equal(
    summarizeValue((a: number) => a, () => comment),
    "function (anonymous)(a)\n  First.\n\n  - second `*`",
  );
  assert.equal(
    summarizeValue((a: number) => a, () => "/** One. */"),
    "function (anonymous)(a)\n  One.",
  );
});

Deno.test("summarizeValue lists members of classes and objects, and runs no getter and no trap", () => {
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
    summarizeValue(Derived, none),
    "class Derived extends Base (a, b = 1)\n  has method, accessor, inherited",
  );
  assert.equal(
    summarizeValue(new Derived(1), none),
    "object Derived\n  has a, field, method, accessor, inherited",
  );
  assert.equal(summarizeValue({}, none), "object Object");
  assert.equal(
    summarizeValue(Object.create(null, { a: { get: fail } }), none),
    "object without a class\n  has a",
  );
  assert.equal(summarizeValue(new Proxy({}, { ownKeys: fail, get: fail }), none), "a proxy");
  assert.equal(summarizeValue(new Proxy(() => {}, { apply: fail, get: fail }), none), "a proxy");
});

Deno.test("summarizeValue shows any other value unchanged", () => {
  assert.equal(summarizeValue(1, none), "number 1");
  assert.equal(summarizeValue("a\nb", none), 'string "a\\nb"');
  assert.equal(summarizeValue(null, none), "null");
  assert.equal(summarizeValue(Symbol("a"), none), "symbol Symbol(a)");
});
