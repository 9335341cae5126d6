import assert from "node:assert/strict";
import { Narrowing } from "../../runtime/narrowed_value.ts";

/** An object of so many properties. */
function wide(count: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]));
}

function show(value: unknown, depth = 4): string {
  const narrowed = new Narrowing(2).narrow(value, depth);
  return Deno.inspect(narrowed, { depth, compact: true, breakLength: Infinity });
}

Deno.test("narrow gives the value itself where nothing is too much", () => {
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

Deno.test("narrow shows the first properties, and how many there are more", () => {
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

Deno.test("narrow takes care of what is not shown, of cycles, and of long lists", () => {
  // What lies deeper is not shown, but the runtime looks at its keys.
  const narrowed = new Narrowing(2).narrow({ big: wide(5) }, 0) as { big: object };
  assert.deepEqual(Object.keys(narrowed.big), []);
  const cycle: Record<string, unknown> = { big: wide(5) };
  cycle.self = cycle;
  assert.match(show(cycle), /self: \[Circular\]/);
  const list = Array.from({ length: 150 }, (_, index) => index < 149 ? 0 : wide(5));
  assert.match(show([list, wide(5)]), /0, \.\.\. 50 more items \]/);
});
