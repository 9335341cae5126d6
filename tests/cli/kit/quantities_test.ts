import assert from "node:assert/strict";
import {
  formatAge,
  formatBytes,
  formatCount,
  formatCounted,
  formatDelay,
  formatNames,
  formatShare,
  formatWhole,
} from "../../../cli/kit/quantities.ts";

Deno.test("quantities have at most three digits and a unit", () => {
  const bytes = [0, 812, 999, 1_000, 3_449, 12_345, 999_499, 999_500, 1.2e9, 5e15];
  assert.deepEqual(bytes.map(formatBytes), [
    ...["0 B", "812 B", "999 B", "1 kB", "3.4 kB", "12 kB", "999 kB", "1.0 MB", "1.2 GB"],
    "5000 TB",
  ]);
  const counts = [0, 0.04, 0.5, 7, 9.97, 123.4, 3_400, 12e6];
  assert.deepEqual(counts.map(formatCount), ["0", "0.0", "0.5", "7", "10", "123", "3.4k", "12M"]);
  const delays = [0, 0.37, 9.94, 9.96, 12.4, 999, 1_000, 3_449, 61_000];
  assert.deepEqual(delays.map(formatDelay), [
    ...["0.0 ms", "0.4 ms", "9.9 ms", "10 ms", "12 ms", "999 ms", "1.0 s", "3.4 s", "61 s"],
  ]);
  assert.deepEqual([0, 0.004, 0.0994, 0.5, 1.37].map(formatShare), [
    ...["0%", "0.4%", "9.9%", "50%", "137%"],
  ]);
  assert.equal(formatWhole(1234567.4), "1,234,567");
  assert.deepEqual([0, 1, 1_234].map((count) => formatCounted(count, "server")), [
    ...["0 servers", "1 server", "1,234 servers"],
  ]);
  const names = Array.from({ length: 12 }, (_, at) => `s${at}`);
  assert.equal(formatNames(names.slice(0, 10)), "s0, s1, s2, s3, s4, s5, s6, s7, s8, s9");
  assert.equal(formatNames(names), "s0, s1, s2, s3, s4, s5, s6, s7, s8, s9 and 2 more");
  assert.deepEqual([56, 4_000, 184_000, 93_784_000].map(formatAge), [
    ...["56ms", "4s", "3m 4s", "1d 2h"],
  ]);
});
