/**
 * A clock that a test moves: timers and dates of the code under test advance without waiting.
 *
 * @module
 */
// @ts-types="npm:@types/sinonjs__fake-timers@^15.0.1"
import fakeTimers from "npm:@sinonjs/fake-timers@^15.5.0";

/** A clock that replaces the process's own until disposed. */
export type FakeClock = fakeTimers.Clock & Disposable;

/**
 * Stops the process's clock, so that only the test moves it. Existing timers continue by
 * themselves, and so do timeouts of 0 ms, which a connection uses to continue after its turn on a
 * busy machine.
 *
 * @param methods what to fake: timeouts and intervals by default. `performance` and `Date` follow
 * the clock if they are named.
 */
export function stopClock(
  ...methods: fakeTimers.FakeMethod[]
): FakeClock {
  const toFake = methods.length > 0 ? methods : DEFAULT_METHODS;
  const { setTimeout: nextTurn } = globalThis;
  // Code under test may clear a timer that it set before.
  const clock = fakeTimers.install({ toFake, now: Date.now(), shouldClearNativeTimers: true });
  const { setTimeout: onClock } = globalThis;
  if (toFake.includes("setTimeout")) {
    globalThis.setTimeout = ((...[callback, delay = 0, ...args]: Parameters<typeof setTimeout>) =>
      (delay > 0 ? onClock : nextTurn)(callback, delay, ...args)) as typeof setTimeout;
  }
  return Object.assign(clock, { [Symbol.dispose]: () => clock.uninstall() });
}

const DEFAULT_METHODS: fakeTimers.FakeMethod[] = [
  "setTimeout",
  "clearTimeout",
  "setInterval",
  "clearInterval",
];

/** Moves `performance.now()` forward by a number of ms, while it keeps running, until disposed. */
export function moveClock(by: number): Disposable {
  const { now } = performance;
  performance.now = () => now.call(performance) + by;
  return { [Symbol.dispose]: () => void (performance.now = now) };
}

/** Lets `ms` pass for the timers of a clock and for `performance.now()`, until it is disposed of. */
export function passTime(clock: FakeClock, ms: number): Disposable {
  const moved = moveClock(ms);
  clock.tick(ms);
  return moved;
}
