import assert from "node:assert/strict";
import { coarseNow } from "../../runtime/clock.ts";
import { moveClock, stopClock } from "../fake_clock.ts";

Deno.test("coarseNow never runs ahead of performance.now() or back", () => {
  let last = 0;
  for (let i = 0; i < 100_000; i++) {
    const now = coarseNow();
    assert.ok(now <= performance.now());
    assert.ok(now >= last);
    last = now;
  }
});

Deno.test("coarseNow goes on while a test keeps the date", () => {
  using _clock = stopClock("Date");
  const start = coarseNow();
  const end = performance.now() + 10;
  while (performance.now() < end) { /* wait */ }
  assert.ok(coarseNow() > start);
});

Deno.test("coarseNow follows a clock that a test moves, and then the real one", () => {
  const before = performance.now();
  {
    using _moved = moveClock(60_000);
    assert.ok(coarseNow() >= before + 60_000);
  }
  assert.ok(coarseNow() <= performance.now());
});
