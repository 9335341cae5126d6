import assert from "node:assert/strict";
import { LineLimit } from "../../runtime/line_limit.ts";
import { stopClock } from "../fake_clock.ts";
import { CapturedLogs } from "./server/captured_logs.ts";

Deno.test("allows lets five lines per kind and source through, and reports how many more there were", async () => {
  using logs = await CapturedLogs.start();
  using clock = stopClock("setTimeout", "clearTimeout", "performance");
  const limit = new LineLimit();
  const allowed = Array.from({ length: 1000 }, () => limit.allows("a", "junk"));
  assert.equal(allowed.filter(Boolean).length, 5);
  assert.ok(limit.allows("b", "junk"));
  assert.ok(limit.allows("a", "other"));
  assert.deepEqual(logs.lines, []);
  clock.tick(10_000);
  assert.deepEqual(logs.lines, ["WARN server: 995 more lines were left out: junk of a"]);
  assert.ok(limit.allows("a", "junk"));
  assert.equal(clock.countTimers(), 0);
});

Deno.test("allows needs no timer when nothing is left out", () => {
  using clock = stopClock("setTimeout", "clearTimeout", "performance");
  const limit = new LineLimit();
  for (let i = 0; i < 100; i++) {
    for (let line = 0; line < 5; line++) assert.ok(limit.allows("a", "junk"));
    clock.tick(10_000);
  }
  assert.equal(clock.countTimers(), 0);
});

Deno.test("allows reports each source at the end of its own period", async () => {
  using logs = await CapturedLogs.start();
  using clock = stopClock("setTimeout", "clearTimeout", "performance");
  const limit = new LineLimit();
  for (let i = 0; i < 6; i++) limit.allows("a", "junk");
  clock.tick(4_000);
  for (let i = 0; i < 7; i++) limit.allows("b", "junk");
  clock.tick(6_000);
  assert.equal(logs.lines.length, 1);
  clock.tick(4_000);
  assert.deepEqual(logs.lines, [
    "WARN server: 1 more lines were left out: junk of a",
    "WARN server: 2 more lines were left out: junk of b",
  ]);
});

Deno.test("allows counts sources beyond a limit together, and keeps none of them for long", async () => {
  using logs = await CapturedLogs.start();
  using clock = stopClock("setTimeout", "clearTimeout", "performance");
  const limit = new LineLimit();
  let allowed = 0;
  for (let i = 0; i < 10_000; i++) if (limit.allows(`source${i}`, "junk")) allowed++;
  assert.equal(allowed, 64 + 5);
  clock.tick(10_000);
  assert.deepEqual(logs.lines, ["WARN server: 9931 more lines were left out: junk of many others"]);
  assert.ok(limit.allows("source0", "junk"));
  assert.ok(limit.allows("a new one", "junk"));
});

Deno.test("allows counts kinds beyond a limit together, such as errors that differ by a number", async () => {
  using logs = await CapturedLogs.start();
  using clock = stopClock("setTimeout", "clearTimeout", "performance");
  const limit = new LineLimit();
  let allowed = 0;
  for (let i = 0; i < 10_000; i++) if (limit.allows("a", `job ${i} failed`)) allowed++;
  assert.equal(allowed, 2 * 64 + 5);
  clock.tick(10_000);
  assert.deepEqual(logs.lines, [
    "WARN server: 9867 more lines were left out: lines of other kinds of many others",
  ]);
});

Deno.test("allows shortens the name of a source", async () => {
  using logs = await CapturedLogs.start();
  const limit = new LineLimit();
  for (let i = 0; i < 10; i++) limit.allows("x".repeat(1_000_000), "junk");
  limit.close();
  assert.equal(logs.lines.length, 1);
  assert.ok(logs.lines[0]!.length < 400);
});

Deno.test("close reports what was left out so far, and leaves no timer", async () => {
  using logs = await CapturedLogs.start();
  using clock = stopClock("setTimeout", "clearTimeout", "performance");
  const limit = new LineLimit();
  for (let i = 0; i < 8; i++) limit.allows("a", "junk");
  limit.close();
  assert.deepEqual(logs.lines, ["WARN server: 3 more lines were left out: junk of a"]);
  assert.equal(clock.countTimers(), 0);
});

Deno.test("allows makes room for new sources when periods end, even if nothing was left out", () => {
  using clock = stopClock("setTimeout", "clearTimeout", "performance");
  const limit = new LineLimit();
  for (let i = 0; i < 64; i++) assert.ok(limit.allows(`source${i}`, "junk"));
  clock.tick(10_000);
  for (const source of ["a", "b", "c"]) {
    for (let line = 0; line < 5; line++) assert.ok(limit.allows(source, "junk"));
  }
});
