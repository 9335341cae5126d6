import assert from "node:assert/strict";
import { OrderedResults } from "../../../cli/kit/ordered_results.ts";
import { stopClock } from "../../fake_clock.ts";

/** Expects four results, whose numbers are passed on. */
function expectFour() {
  const passed: number[] = [];
  return { passed, results: new OrderedResults<number>(4, (result) => passed.push(result)) };
}

Deno.test("OrderedResults passes results on in order when they come soon after each other", () => {
  using clock = stopClock("setTimeout", "clearTimeout", "performance");
  const { passed, results } = expectFour();
  for (const [index, expected] of [[2, []], [0, [0]], [3, [0]], [1, [0, 1, 2, 3]]] as const) {
    results.add(index, index);
    assert.deepEqual(passed, expected);
    clock.tick(300);
  }
});

Deno.test("OrderedResults holds a result back for a second at most", () => {
  using clock = stopClock("setTimeout", "clearTimeout", "performance");
  const { passed, results } = expectFour();
  results.add(3, 3);
  clock.tick(600);
  results.add(1, 1);
  clock.tick(399);
  assert.deepEqual(passed, []);
  clock.tick(1);
  assert.deepEqual(passed, [1, 3], "those before it come with it");
  results.add(2, 2);
  assert.deepEqual(passed, [1, 3], "0 is missing");
  clock.tick(1000);
  assert.deepEqual(passed, [1, 3, 2]);
  results.add(0, 0);
  assert.deepEqual(passed, [1, 3, 2, 0]);
});

Deno.test("OrderedResults passes on what it holds back when it is flushed", () => {
  using clock = stopClock("setTimeout", "clearTimeout", "performance");
  const { passed, results } = expectFour();
  results.add(3, 3);
  results.add(1, 1);
  results.flush();
  assert.deepEqual(passed, [1, 3]);
  results.add(2, 2);
  results[Symbol.dispose]();
  assert.equal(clock.countTimers(), 0);
});

Deno.test("OrderedResults passes many results on in little time", () => {
  using clock = stopClock("setTimeout", "clearTimeout", "performance");
  const passed: number[] = [];
  const results = new OrderedResults<number>(20_001, (result) => passed.push(result));
  for (let index = 20_000; index > 0; index--) results.add(index, index);
  clock.tick(1000);
  assert.deepEqual(passed, Array.from({ length: 20_000 }, (_, n) => n + 1));
  results[Symbol.dispose]();
});
