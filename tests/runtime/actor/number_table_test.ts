import assert from "node:assert/strict";
import { NumberTable } from "../../../runtime/actor/number_table.ts";

Deno.test("NumberTable finds values under any number, recent or not", () => {
  const table = new NumberTable<{ n: number }>(2);
  const numbers = Array.from({ length: 5_000 }, (_, i) => 2 * i + 2);
  for (const n of numbers) table.add(n, { n });
  assert.equal(table.size, 5_000);
  for (const n of numbers) assert.equal(table.get(n)?.n, n);
  for (const n of [0, 1, -2, 2.5, NaN, 10_002, 2 ** 53]) {
    assert.equal(table.get(n), undefined);
    assert.equal(table.delete(n), false);
  }
});

Deno.test("NumberTable lists its values by number, whatever was removed", () => {
  const table = new NumberTable<{ n: number }>();
  const kept: number[] = [];
  for (let n = 1; n <= 5_000; n++) {
    table.add(n, { n });
    if (n % 7 === 0) kept.push(n);
    else assert.equal(table.delete(n), true);
  }
  assert.deepEqual(table.values().map(({ n }) => n), kept);
  assert.equal(table.size, kept.length);
  for (const n of kept) {
    assert.equal(table.delete(n), true);
    assert.equal(table.delete(n), false);
    assert.equal(table.get(n), undefined);
  }
  assert.deepEqual(table.values(), []);
  assert.equal(table.size, 0);
});

Deno.test("NumberTable takes a number again once it is free", () => {
  const table = new NumberTable<{ n: number }>();
  table.add(1, { n: 1 });
  for (let n = 2; n <= 2_000; n++) table.add(n, { n });
  assert.equal(table.delete(1), true);
  table.add(1, { n: -1 });
  assert.equal(table.get(1)?.n, -1);
  assert.equal(table.get(1025)?.n, 1025);
});
