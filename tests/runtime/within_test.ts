import assert from "node:assert/strict";
import { within } from "../../runtime/within.ts";
import { stopClock } from "../fake_clock.ts";

const NEVER = new Promise<never>(() => {});

Deno.test("within says whether a promise is settled in time, resolved or rejected", async () => {
  using clock = stopClock();
  assert.equal(await within(1000, Promise.resolve()), true);
  assert.equal(await within(1000, Promise.reject(new Error("settled too"))), true);
  assert.equal(clock.countTimers(), 0);
  let late: boolean | undefined;
  void within(1000, NEVER).then((settled) => late = settled);
  await clock.tickAsync(999);
  assert.equal(late, undefined);
  await clock.tickAsync(1);
  assert.equal(late, false);
});

Deno.test("within takes a time that is over, one of months, and one without an end", async () => {
  using clock = stopClock();
  let settled: boolean | undefined;
  for (const timeout of [-5, 0]) assert.equal(await within(timeout, NEVER), false);
  const months = 60 * 86_400_000;
  void within(months, NEVER).then((value) => settled = value);
  await clock.tickAsync(months - 1);
  assert.equal(settled, undefined);
  await clock.tickAsync(1);
  assert.equal(settled, false);
  settled = undefined;
  const gate = Promise.withResolvers<void>();
  const endless = within(Infinity, gate.promise).then((value) => settled = value);
  await clock.tickAsync(100 * 86_400_000);
  assert.equal(settled, undefined);
  gate.resolve();
  assert.equal(await endless, true);
  assert.equal(clock.countTimers(), 0);
});
