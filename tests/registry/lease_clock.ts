/**
 * The clock of a store, moved by a test.
 *
 * @module
 */
import type { Clock } from "../../registry/leases.ts";

/** A clock that stands until it is moved. Then the timer of the store runs as often as it would. */
export class LeaseClock implements Clock {
  #now = 0;
  #timer: { readonly interval: number; readonly react: () => void; due: number } | undefined;

  now(): number {
    return this.#now;
  }

  repeat(interval: number, react: () => void): () => void {
    this.#timer = { interval, react, due: this.#now + interval };
    return () => void (this.#timer = undefined);
  }

  /** Lets time pass, in ms. */
  pass(time: number): void {
    const end = this.#now + time;
    while (this.#timer && this.#timer.due <= end) {
      this.#now = this.#timer.due;
      this.#timer.due += this.#timer.interval;
      this.#timer.react();
    }
    this.#now = end;
  }

  /** Lets time pass, in ms, while the process of the store does not run. Its timer is late then. */
  passHeldUp(time: number): void {
    this.#now += time;
    if (!this.#timer || this.#timer.due > this.#now) return;
    this.#timer.due = this.#now + this.#timer.interval;
    this.#timer.react();
  }
}
