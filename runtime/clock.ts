/**
 * The clock for the deadlines of messages.
 *
 * @module
 */

/** How often a reading is used at most. */
const MAX_USES = 64;

let millisecond = 0;
let reading = 0;
let uses = 0;

/**
 * The time by `performance.now()`, as it was read in the same ms, in ms. `Date.now()` takes half as
 * long, so it says when to read again.
 */
export function coarseNow(): number {
  const now = Date.now();
  if (now !== millisecond || --uses === 0) {
    millisecond = now;
    uses = MAX_USES;
    reading = performance.now();
  }
  return reading;
}
