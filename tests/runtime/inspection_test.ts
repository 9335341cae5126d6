import assert from "node:assert/strict";
import { describeValue, inspectBounded, Narrowing } from "../../runtime/inspection.ts";
import { quoted, QUOTED_LENGTH, shorten } from "../../runtime/safe_text.ts";

/**
 * An array that holds another one twice, and so on: few bytes on the wire, and 2 ** depth places in
 * a text.
 */
function doubled(depth: number): unknown[] {
  let array: unknown[] = [];
  for (let i = 0; i < depth; i++) array = [array, array];
  return array;
}

/** An integer of megabytes would take seconds to print. This one is as large to the code. */
const HUGE = 2n ** 4096n;

Deno.test("shorten keeps a short text, and cuts a longer one to its limit", () => {
  assert.equal(shorten("abc"), "abc");
  assert.equal(shorten("x".repeat(QUOTED_LENGTH)).length, QUOTED_LENGTH);
  const cut = shorten("x".repeat(20_000_000));
  assert.match(cut, /^x+\.\.\. 19999\d+ more characters$/);
  assert.ok(cut.length <= QUOTED_LENGTH);
  // Shortening once is enough: passing it on does not cut it again.
  assert.equal(shorten(cut), cut);
});

Deno.test("shorten does not cut a character in two", () => {
  for (let before = 0; before < 4; before++) {
    assert.ok(shorten("x".repeat(before) + "😀".repeat(500)).isWellFormed());
  }
});

Deno.test("quoted escapes its text", () => {
  assert.equal(quoted('a"\n'), '"a\\"\\n"');
});

Deno.test("describeValue names the kind of a compound value, and reads none of its parts", () => {
  const never = {
    get type() {
      throw new Error("was looked at");
    },
  };
  const values: [unknown, string][] = [
    ["a", '"a"'],
    [7, "7"],
    [7n, "7n"],
    [-HUGE, "a huge bigint"],
    [null, "null"],
    [undefined, "undefined"],
    [true, "true"],
    [doubled(60), "an array of 2"],
    [new Map([[1, 2]]), "an object of the class Map"],
    [new Uint8Array(9), "an object of the class Uint8Array"],
    [never, "an object of the class Object"],
    [() => 1, "a function"],
  ];
  for (const [value, text] of values) assert.equal(describeValue(value), text);
  assert.ok(describeValue("x".repeat(1_000_000)).length < 300);
});

Deno.test("inspectBounded shows little of a large value, within its limit", () => {
  const values = [
    doubled(60),
    new Map([[doubled(60), doubled(60)]]),
    { cause: doubled(60) },
    HUGE,
    [HUGE],
    { a: { b: HUGE } },
    new Set([HUGE]),
    Object.assign(new Error("x"), { cause: HUGE }),
    new Array(1e8),
    "x".repeat(1_000_000),
    { text: "x".repeat(1_000_000) },
    Array.from({ length: 1000 }, () => "x".repeat(1000)),
    new Uint8Array(1e7),
    new Error("x".repeat(1_000_000)),
  ];
  for (const limit of [QUOTED_LENGTH, 10_000]) {
    for (const value of values) assert.ok(inspectBounded(value, { limit }).length <= limit);
  }
  assert.equal(inspectBounded([1, { a: 2n }], { oneLine: true }), "[ 1, { a: 2n } ]");
  assert.equal(inspectBounded(HUGE), "[a huge bigint]");
  assert.equal(inspectBounded({ a: HUGE }), "[an object of 1 properties: look at some of them]");
  // Inspecting them takes seconds, since each text would be made before it is cut.
  const failure = new Error("\n".repeat(1_000_000));
  assert.match(inspectBounded(failure), /^Error: \n+\.\.\. \d+ more characters$/);
  for (const each of [failure, new Error("short", { cause: failure })]) {
    assert.equal(inspectBounded([each]), "[an array of 1]");
  }
  assert.match(inspectBounded({ failure: new Error("short") }), /^\{\n? *failure: Error: short\n/);
});

/** An object with a number of properties. */
function wide(count: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]));
}

function show(value: unknown, depth = 4): string {
  const narrowed = new Narrowing(2).narrow(value, depth);
  return Deno.inspect(narrowed, { depth, compact: true, breakLength: Infinity });
}

Deno.test("narrow returns a small value itself", () => {
  const values = [
    1,
    "a",
    null,
    wide(2),
    [wide(2)],
    new Map([[1, wide(1)]]),
    new Proxy(wide(9), {}),
  ];
  for (const value of values) assert.equal(new Narrowing(2).narrow(value, 4), value);
});

Deno.test("narrow shows the first properties, and the number of the rest", () => {
  const few = "{ k0: 0, k1: 1, ... 3 more properties }";
  assert.equal(show(wide(5)), few);
  assert.equal(show({ a: [wide(5)] }), `{ a: [ ${few} ] }`);
  assert.equal(show(new Map([[1, wide(5)]])), `Map(1) { 1 => ${few} }`);
  assert.equal(show(new Set([wide(5), 7])), `Set(2) { ${few}, 7 }`);
  class Own {
    big = wide(5);
    get getter(): never {
      throw new Error("was run");
    }
  }
  assert.equal(show(new Own()), `Own { big: ${few} }`);
  const symbols = { [Symbol("a")]: 1, b: 2, c: 3 };
  assert.equal(show(symbols), "{ b: 2, c: 3, ... 1 more property }");
});

Deno.test("narrow handles hidden properties, cycles and long lists", () => {
  // Deeper values are not shown, but the runtime reads their keys.
  const narrowed = new Narrowing(2).narrow({ big: wide(5) }, 0) as { big: object };
  assert.deepEqual(Object.keys(narrowed.big), []);
  const cycle: Record<string, unknown> = { big: wide(5) };
  cycle.self = cycle;
  assert.match(show(cycle), /self: \[Circular\]/);
  const list = Array.from({ length: 150 }, (_, index) => index < 149 ? 0 : wide(5));
  assert.match(show([list, wide(5)]), /0, \.\.\. 50 more items \]/);
});
