import assert from "node:assert/strict";
import {
  Absences,
  FIRST_PAUSE,
  FORGET_AFTER,
  LONGEST_PAUSE,
} from "../../../runtime/server/peers.ts";
import { type FakeClock, stopClock } from "../../fake_clock.ts";
import { CapturedLogs } from "./captured_logs.ts";

const A = "a";
const B = "b";
const always = { allows: () => true };

function stopTimers(): FakeClock {
  return stopClock("setTimeout", "clearTimeout", "performance");
}

Deno.test("a failed attempt makes a pause, which doubles with each further one up to the longest", () => {
  using clock = stopTimers();
  const absences = new Absences(always);
  assert.equal(absences.isPausing(A), false);
  let pause = FIRST_PAUSE;
  for (let failure = 0; failure < 12; failure++) {
    absences.failed(A, "why");
    clock.tick(pause - 1);
    assert.equal(absences.isPausing(A), true, `failure ${failure}`);
    clock.tick(1);
    assert.equal(absences.isPausing(A), false, `failure ${failure}`);
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
  assert.equal(pause, LONGEST_PAUSE);
  assert.equal(absences.isPausing(B), false, "each server for itself");
  absences.close();
});

Deno.test("a lost connection causes no pause, and reaching a server resets its absence", () => {
  using clock = stopTimers();
  const absences = new Absences(always);
  absences.lost(A, "why");
  assert.equal(absences.isPausing(A), false);
  absences.failed(A, "why");
  absences.failed(A, "why");
  absences.reached(A);
  assert.equal(absences.isPausing(A), false);
  absences.failed(A, "why");
  clock.tick(FIRST_PAUSE);
  assert.equal(absences.isPausing(A), false);
  absences.close();
});

Deno.test("drop logs a line when the first messages are dropped, and one with their number at the end", async () => {
  using logs = await CapturedLogs.start();
  using clock = stopTimers();
  const absences = new Absences(always);
  absences.failed(A, "cannot reach a: because");
  assert.deepEqual(logs.lines, [], "who asks is told");
  for (let i = 0; i < 100; i++) absences.drop(A, 3);
  absences.failed(A, "cannot reach a: for another reason");
  absences.drop(A, 0);
  absences.drop(B, 7);
  assert.deepEqual(logs.lines.splice(0), [
    "WARN server: cannot reach a: because; messages for it are dropped",
  ]);
  clock.tick(12_000);
  absences.reached(A);
  assert.deepEqual(logs.lines.splice(0), [
    "WARN server: a is reached again: 300 messages for it were dropped in 12 s",
  ]);
  absences.reached(A);
  absences.failed(A, "cannot reach a");
  absences.reached(A);
  assert.deepEqual(logs.lines, [], "nothing was dropped");
});

Deno.test("an absence ends after a time without attempts, and not before", async () => {
  using logs = await CapturedLogs.start();
  using clock = stopTimers();
  const absences = new Absences(always);
  for (let i = 0; i < 3; i++) {
    absences.failed(A, "cannot reach a");
    absences.drop(A, 1);
    clock.tick(FORGET_AFTER - 1);
    assert.equal(logs.lines.length, 1);
  }
  clock.tick(1);
  assert.deepEqual(logs.lines.slice(1), [
    "WARN server: a is no longer tried: 3 messages for it were dropped in 180 s",
  ]);
  absences.close();
  assert.equal(logs.lines.length, 2);
  assert.equal(clock.countTimers(), 0);
});

Deno.test("close logs the dropped messages", async () => {
  using logs = await CapturedLogs.start();
  using clock = stopTimers();
  const absences = new Absences(always);
  absences.lost(A, "the connection to a was lost");
  absences.drop(A, 2);
  absences.failed(B, "cannot reach b");
  absences.close();
  assert.deepEqual(logs.lines, [
    "WARN server: the connection to a was lost; messages for it are dropped",
    "WARN server: a was not reached again: 2 messages for it were dropped in 0 s",
  ]);
  assert.equal(clock.countTimers(), 0);
});
