import assert from "node:assert/strict";
import { coarseNow } from "../../runtime/clock.ts";

Deno.test("the coarse clock never runs ahead of performance.now() or back", () => {
  let last = 0;
  for (let i = 0; i < 100_000; i++) {
    const now = coarseNow();
    assert.ok(now <= performance.now());
    assert.ok(now >= last);
    last = now;
  }
});

Deno.test("the coarse clock goes on while Date stands still", () => {
  const { now } = Date;
  const frozen = now();
  Date.now = () => frozen;
  try {
    const start = coarseNow();
    while (performance.now() - start < 1) { /* wait */ }
    assert.ok(Array.from({ length: 100 }, () => coarseNow()).at(-1)! > start);
  } finally {
    Date.now = now;
  }
});
