/**
 * Tickers: time, as messages.
 *
 * @module
 */

import { MAX_DELAY } from "../within.ts";

/** The message of a ticker. */
export interface Tick {
  /** Tells it from other messages. */
  type: "tick";
  /** The number of the ticker it is from. */
  ticker: number;
  /** 1 for the first tick, and so on. */
  count: number;
}

/** What a ticker is made of. Times are in ms. */
interface TickerOptions {
  readonly delay: number;
  readonly interval: number | undefined;
  readonly message: unknown;
  readonly send: (message: unknown) => void;
  readonly stopped: () => void;
}

let lastId = 0;

/** Sends its actor messages until it is stopped, or its actor ends. */
export class Ticker {
  /** Its number, in its ticks. */
  readonly id: number = ++lastId;
  readonly #options: TickerOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #count = 0;
  #due: number;

  /** Made by an actor's `ticker`, `tickerAfter` and `after`; runs at once. */
  constructor(options: TickerOptions) {
    this.#options = options;
    this.#due = performance.now() + options.delay;
    this.#schedule();
  }

  /** Ends it; a tick that is already in the mailbox stays there. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#options.stopped();
  }

  #schedule(): void {
    const delay = Math.max(0, this.#due - performance.now());
    this.#timer = delay > MAX_DELAY
      ? setTimeout(() => this.#schedule(), MAX_DELAY)
      : setTimeout(() => this.#fire(), delay);
  }

  #fire(): void {
    const { interval, message, send } = this.#options;
    if (interval === undefined) {
      this.stop();
      send(message);
      return;
    }
    // From the time it was due, so that a busy event loop delays a tick and not all that follow.
    this.#due = Math.max(this.#due + interval, performance.now());
    this.#schedule();
    send({ type: "tick", ticker: this.id, count: ++this.#count } satisfies Tick);
  }
}
