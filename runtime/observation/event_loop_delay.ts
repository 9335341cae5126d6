/**
 * The delay of this process's event loop: how late its timers are.
 *
 * `monitorEventLoopDelay` of `node:perf_hooks` is not used: that of Deno 2.9 does not see code that
 * blocks the event loop.
 *
 * @module
 */
import type { EventLoopDelay } from "./status_protocol.ts";

/** The interval of the timer, in ms. Each time that it wakes an idle process takes about 0.2 ms. */
const INTERVAL = 250;

/** The number of times that the timer fires in a second. */
const PER_SECOND = 1000 / INTERVAL;

/** The longest time of which the delay is known, in ms. */
export const DELAY_WINDOW = 60_000;

const CAPACITY = DELAY_WINDOW / INTERVAL;

/** The last delays of a timer. */
class Delays {
  readonly #ends = new Float64Array(CAPACITY).fill(-Infinity);
  readonly #delays = new Float64Array(CAPACITY);
  #next = 0;
  #last = performance.now();

  /** Notes that the timer fired now. */
  note(): void {
    const now = performance.now();
    this.#ends[this.#next] = now;
    this.#delays[this.#next] = Math.max(0, now - this.#last - INTERVAL);
    this.#next = (this.#next + 1) % CAPACITY;
    this.#last = now;
  }

  /** The delays of the last `window` ms, at most {@linkcode DELAY_WINDOW}. */
  over(window: number): EventLoopDelay {
    const since = performance.now() - window;
    const sorted = this.#delays.filter((_delay, index) => this.#ends[index]! > since).sort();
    const at = (part: number) => sorted[Math.ceil(part * sorted.length) - 1] ?? 0;
    return { p50: at(0.5), p99: at(0.99), max: at(1) };
  }
}

/** What the servers of this process call every second, and the timer while there are any. */
const watchers = new Set<{ onSecond(): void }>();
let timer: ReturnType<typeof setInterval> | undefined;
let delays = new Delays();
let untilSecond = PER_SECOND;

/**
 * Measures the delay of this process's event loop, and calls a function every second, until disposed.
 * All servers of a process share one timer, which does not keep the process running.
 */
export function watchEventLoop(onSecond: () => void): Disposable {
  const watcher = { onSecond };
  if (watchers.size === 0) {
    delays = new Delays();
    untilSecond = PER_SECOND;
    timer = setInterval(beat, INTERVAL);
    Deno.unrefTimer(timer as unknown as number);
  }
  watchers.add(watcher);
  return {
    [Symbol.dispose]() {
      watchers.delete(watcher);
      if (watchers.size === 0) clearInterval(timer);
    },
  };
}

function beat(): void {
  delays.note();
  if (--untilSecond > 0) return;
  untilSecond = PER_SECOND;
  for (const { onSecond } of watchers) onSecond();
}

/** The delay of the event loop in the last `window` ms, at most {@linkcode DELAY_WINDOW}. */
export function eventLoopDelay(window: number = DELAY_WINDOW): EventLoopDelay {
  return delays.over(window);
}
