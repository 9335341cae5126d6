import assert from "node:assert/strict";
import fc from "npm:fast-check@^4.10.2";
import { colorValue } from "../../cli/value_colors.ts";

const OPTIONS = { depth: 4, iterableLimit: 100 };

function assertAsInspected(value: unknown): void {
  const plain = Deno.inspect(value, { ...OPTIONS, colors: false });
  assert.equal(colorValue(plain), Deno.inspect(value, { ...OPTIONS, colors: true }));
}

Deno.test("colorValue gives values the colours of Deno.inspect", () => {
  class Point {
    x = 1;
    static origin = 2;
    get length() {
      return 3;
    }
  }
  const circular: { a: { b: unknown[] } } = { a: { b: [] } };
  circular.a.b.push(circular);
  const values: unknown[] = [
    ...["a", "", 'a"b', `a"'b`, "a`\"'", "a\\", "a\nb", "a: 1, b", "[ 1 ]", "null"],
    ...[0, -0, 1.5, -1e-7, 1e21, NaN, -Infinity, 12n, true, false, null, undefined],
    ...[Symbol("a b"), Symbol("ab"), Symbol(), Symbol.iterator],
    ...[new Date(0), new Date(NaN), /a\/b[/\]]/gi, [/x/, new Date(0)]],
    ...[() => 1, function named() {}, async () => {}, class {}, Point, new Point()],
    Object.assign(Array(7), { 0: 1, 2: 3, 5: 4 }),
    { a: 1, "b-c": "d", 5: null, true: true, null: undefined, undefined: null, NaN: NaN },
    {
      [Symbol("k")]: 1,
      get g() {
        return 1;
      },
      set s(value: number) {
        assert.ok(value);
      },
      f() {},
      async g2() {},
      *h() {},
      c: class extends Point {},
    },
    new Map<unknown, unknown>([["a", 1], [{ x: 1 }, new Set([1, null, "b"])], [null, undefined]]),
    ...[new Uint8Array([1, 200]), new ArrayBuffer(3), new DataView(new ArrayBuffer(2))],
    ...[Promise.resolve("a"), new Promise(() => {}), new WeakMap(), new WeakRef({})],
    ...[new Number(3), new String("a"), new Boolean(false), Object(1n)],
    ...[Object.create(null), Object.assign(Object.create(null), { a: "b" }), circular],
    ...[[[[[[[1]]]]]], { a: { b: { c: { d: { e: { f: 1 } } } } } }, Array(200).fill(7)],
    ...[new URL("http://a/b?c=1"), new Headers({ a: "b" }), Deno.version, Math, globalThis.JSON],
    ..."x".repeat(200).match(/.{20}/g)!.map((text, index) => ({ text, index })),
  ];
  for (const value of values) assertAsInspected(value);
});

Deno.test("colorValue gives any plain value the colours of Deno.inspect", () => {
  const arbitrary = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withSparseArray: true,
    withNullPrototype: true,
    withTypedArray: true,
    maxDepth: 3,
  });
  fc.assert(fc.property(arbitrary, assertAsInspected), { numRuns: 300 });
});

Deno.test("colorValue adds colours and changes nothing else", () => {
  // deno-lint-ignore no-control-regex -- colours are what has to be found
  const colours = /\x1b\[(?:1|22|3[1-9]|90)m/g;
  const parts = fc.constantFrom(
    ..."[]{}<>()/\\\"'`:,=.- \n",
    "1",
    "null",
    "a",
    "Symbol(",
    "ref *1",
  );
  fc.assert(fc.property(fc.string({ unit: parts }), (text) => {
    assert.equal(colorValue(text).replaceAll(colours, ""), text);
  }));
});

Deno.test("colorValue takes time in proportion to the text", () => {
  const units = [
    ", /[",
    ", Symbol(",
    ", [Function: ",
    ', "',
    ", 'a\"`",
    ", /a",
    ", 1e+",
    ", [",
  ];
  for (const unit of units) colorValue(unit.repeat(30_000));
  colorValue(" ".repeat(2_000_000));
});
