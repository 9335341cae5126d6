/**
 * A clock that a test moves: timers and dates of the code under test, without waiting.
 *
 * @module
 */
// @ts-types="npm:@types/sinonjs__fake-timers@^15.0.1"
import fakeTimers from "npm:@sinonjs/fake-timers@^15.5.0";

// Those of the process, before any test has stopped them.
const realTimeout = globalThis.setTimeout;
const realNow = performance.now.bind(performance);

/** How long {@linkcode happened} waits, in ms that really pass. */
const PATIENCE = 20_000;

/** A clock in the place of the process's own until it is disposed of. */
export type FakeClock = fakeTimers.Clock & Disposable;

/**
 * Stops the process's clock: from now on only the test moves it. Timers that exist already go on by themselves, and
 * so do time-outs of 0 ms: a connection that has had its turn on a busy machine goes on after one.
 *
 * @param methods what is faked: timeouts and intervals where not given. `performance` and `Date` follow the
 * clock where they are named.
 */
export function stopClock(
  ...methods: fakeTimers.FakeMethod[]
): FakeClock {
  const toFake = methods.length > 0 ? methods : DEFAULT_METHODS;
  const { setTimeout: nextTurn } = globalThis;
  const clock = fakeTimers.install({ toFake, now: Date.now() });
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

/** Moves `performance.now()` on by so many ms, where it goes on running, until this is disposed of. */
export function moveClock(by: number): Disposable {
  const { now } = performance;
  performance.now = () => now.call(performance) + by;
  return { [Symbol.dispose]: () => void (performance.now = now) };
}

/**
 * Waits until something is so that real work brings about: a connection, a signature. It goes by the time that really
 * passes, as a clock that stands ends no wait, and a number of turns is over too soon on a busy machine.
 */
export async function happened(condition: () => boolean): Promise<void> {
  const until = realNow() + PATIENCE;
  while (!condition()) {
    if (realNow() > until) throw new Error(`never: ${condition}`);
    await new Promise((resolve) => realTimeout(resolve, 1));
  }
}
