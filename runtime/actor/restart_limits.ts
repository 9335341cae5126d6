/**
 * How often and how soon a supervisor restarts its children.
 *
 * @module
 */
import type { Backoff, Intensity } from "./supervision.ts";

/** Counts the restarts of a supervisor. */
export class RestartCount {
  readonly #intensity: Intensity;
  readonly #now: () => number;
  #recent: number[] = [];

  /** Counts none so far. `now` is a clock in ms. */
  constructor(intensity: Intensity, now: () => number = () => performance.now()) {
    this.#intensity = intensity;
    this.#now = now;
  }

  /**
   * Counts a restart. Returns whether it is within the intensity.
   *
   * @see https://www.erlang.org/doc/system/sup_princ.html#maximum-restart-intensity
   */
  add(): boolean {
    const { restarts, within } = this.#intensity;
    if (restarts === Infinity) return true;
    const now = this.#now();
    this.#recent = [...this.#recent.filter((at) => now - at <= within), now];
    return this.#recent.length <= restarts;
  }
}

/** The growing delays of one child's restarts. */
export class RestartDelay {
  readonly #backoff: Backoff | undefined;
  #next: number;

  /** Begins with the first delay. Without a backoff, there is none. */
  constructor(backoff: Backoff | undefined) {
    this.#backoff = backoff;
    this.#next = backoff?.initial ?? 0;
  }

  /** The delay of the next restart, in ms, after the child ran for `age` ms. */
  next(age: number): number {
    if (!this.#backoff) return 0;
    const { initial, max } = this.#backoff;
    if (age >= max) this.#next = initial;
    const delay = this.#next;
    this.#next = Math.min(max, 2 * delay);
    return delay;
  }
}
