/**
 * Time: deadlines of messages and asks, and tickers.
 *
 * @module
 */
import { MAX_DELAY } from "../timeout.ts";

/** The number of empty queues that keep their timers, for later deadlines of the same duration. */
const MAX_IDLE_ROWS = 32;

/** Delay from which a timer counts as late because the event loop was blocked, in ms. */
const BLOCKED = 100;

/** How long the process may then read what arrived meanwhile, in ms, before deadlines expire. */
const CATCHING_UP = 50;

/** An item with a deadline. {@linkcode Deadlines} maintains its links. */
export class Deadline {
  /** The time when it expires, on the clock of `performance.now()`, in ms. */
  due = 0;
  /** Its duration, in ms. */
  duration = 0;
  /** Its queue, while it is in one. */
  row: Row | undefined = undefined;
  /** The previous item in its queue. */
  previous: Deadline | undefined = undefined;
  /** The next item in its queue. */
  next: Deadline | undefined = undefined;
}

/** A queue of deadlines with the same duration, in the order in which they expire. */
export interface Row {
  readonly duration: number;
  first: Deadline | undefined;
  last: Deadline | undefined;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Deadlines by duration, with one timer per duration. Almost all deadlines use the same few
 * durations, so adding and removing one takes a few assignments, and no timer is created or
 * cancelled. The process is kept alive while a deadline is pending.
 */
export class Deadlines<Item extends Deadline> {
  readonly #rows = new Map<number, Row>();
  readonly #onDue: (item: Item) => void;

  /**
   * Makes an empty set. `onDue` is called with each item whose deadline passes. If it throws, that
   * is an uncaught error, and the other deadlines still expire.
   */
  constructor(onDue: (item: Item) => void) {
    this.#onDue = onDue;
  }

  /** Starts an item's deadline, `duration` ms from `now`, a time by `performance.now()`. */
  add(item: Item, duration: number, now: number = performance.now()): void {
    let row = this.#rows.get(duration);
    if (!row) {
      row = { duration, first: undefined, last: undefined, timer: undefined };
      this.#rows.set(duration, row);
    }
    item.due = now + duration;
    item.duration = duration;
    item.row = row;
    item.previous = row.last;
    item.next = undefined;
    if (row.last) row.last.next = item;
    else row.first = item;
    row.last = item;
    if (row.timer === undefined) this.#arm(row, duration);
    else if (row.first === item) row.timer.ref();
  }

  /** Ends an item's deadline. Does nothing if it has none. */
  remove(item: Item): void {
    const row = item.row;
    if (!row) return;
    if (item.previous) item.previous.next = item.next;
    else row.first = item.next;
    if (item.next) item.next.previous = item.previous;
    else row.last = item.previous;
    item.row = item.previous = item.next = undefined;
    if (row.first || row.timer === undefined) return;
    if (this.#rows.size <= MAX_IDLE_ROWS) {
      row.timer.unref();
    } else {
      clearTimeout(row.timer);
      this.#rows.delete(row.duration);
    }
  }

  #arm(row: Row, delay: number, isCatchingUp = false): void {
    const wait = Math.min(delay, MAX_DELAY);
    const until = performance.now() + wait;
    row.timer = setTimeout(() => {
      row.timer = undefined;
      const now = performance.now();
      // Timers run before sockets are read, so the awaited data may have arrived while the process
      // was busy or stopped.
      if (!isCatchingUp && now - until > BLOCKED) return this.#arm(row, CATCHING_UP, true);
      try {
        while (row.first && row.first.due <= now) {
          const item = row.first as Item;
          this.remove(item);
          this.#onDue(item);
        }
      } finally {
        if (row.timer === undefined) {
          if (row.first) this.#arm(row, Math.max(1, Math.ceil(row.first.due - now)));
          else this.#rows.delete(row.duration);
        }
      }
    }, wait);
  }
}

/**
 * The message that a ticker sends.
 *
 * @example Stop after ten ticks
 * ```ts
 * import { type Actor, on, type Tick } from "@gxensemble/ensemble";
 *
 * async function countdown(self: Actor) {
 *   self.ticker(1_000);
 *   let left = 10;
 *   while (left > 0) left = await self.receive([on("tick", ({ count }: Tick) => 10 - count)]);
 * }
 * ```
 */
export interface Tick {
  /** Distinguishes it from other messages. */
  type: "tick";
  /** The number of the ticker that sent it. */
  ticker: number;
  /** 1 for the first tick, and so on. */
  count: number;
}

/** The properties of a ticker. Times are in ms. */
interface TickerOptions {
  readonly delay: number;
  readonly interval: number | undefined;
  readonly message: unknown;
  readonly send: (message: unknown) => void;
  readonly stopped: () => void;
}

let lastId = 0;

/**
 * Sends its actor messages until it is stopped, or its actor ends.
 *
 * @example Do something each minute, until told to stop
 * ```ts
 * import { type Actor, on, type Ticker } from "@gxensemble/ensemble";
 *
 * async function poller(self: Actor) {
 *   const ticker: Ticker = self.ticker(60_000);
 *   await self.loop([
 *     on("tick", () => fetch("http://localhost:8080/poll").then((response) => response.text())),
 *     on("stop", () => ticker.stop()),
 *   ]);
 * }
 * ```
 */
export class Ticker {
  /** Its number, in its ticks. */
  readonly id: number = ++lastId;
  readonly #options: TickerOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #count = 0;
  #due: number;

  /** Called by an actor's `ticker`, `tickerAfter` and `after`. Starts at once. */
  constructor(options: TickerOptions) {
    this.#options = options;
    this.#due = performance.now() + options.delay;
    this.#schedule();
  }

  /** Stops it. A tick that is already in the mailbox stays there. */
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
    // Counted from the time it was due, so that a busy event loop delays one tick and not all later
    // ones.
    this.#due = Math.max(this.#due + interval, performance.now());
    this.#schedule();
    send({ type: "tick", ticker: this.id, count: ++this.#count } satisfies Tick);
  }
}
