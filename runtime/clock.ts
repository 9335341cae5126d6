/**
 * The clock for the deadlines of messages.
 *
 * @module
 */

const { now: readDate } = Date;
const { now: readClock } = performance;

/** How often a reading is used at most, in case the system's date stands still. */
const MAX_USES = 16;

let millisecond = 0;
let reading = 0;
let uses = 0;

/**
 * The time by `performance.now()`, as it was read in the same ms, in ms. `Date.now()` takes half as
 * long, so it says when to read again.
 */
export function coarseNow(): number {
  // A test has replaced it, and moves it while the date stands still.
  if (performance.now !== readClock) return performance.now();
  const now = readDate();
  if (now !== millisecond || --uses === 0) {
    millisecond = now;
    uses = MAX_USES;
    reading = readClock.call(performance);
  }
  return reading;
}
