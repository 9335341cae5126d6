/**
 * Results in order, of which none waits long for another.
 *
 * @module
 */

/** How long a result is held back for those before it, in ms. */
const PATIENCE = 1_000;

/** Results that have been held back for this much less are passed on together, in ms. */
const SLACK = 50;

/** A result that is held back. */
interface Held<Result> {
  readonly result: Result;
  /** When it came, as `performance.now()`. */
  readonly since: number;
}

/**
 * Passes results on in order. One that comes before others is held back for them, but at most for a
 * second: what answers is not held up by what does not.
 */
export class OrderedResults<Result> implements Disposable {
  readonly #pass: (result: Result) => void;
  /** The numbers of those that have not come, in order. */
  readonly #missing: Set<number>;
  /** Those that are held back, in the order in which they came. */
  readonly #held = new Map<number, Held<Result>>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Expects `count` results, numbered from 0. */
  constructor(count: number, pass: (result: Result) => void) {
    this.#missing = new Set(Array(count).keys());
    this.#pass = pass;
  }

  /** Takes the result with a number. */
  add(index: number, result: Result): void {
    this.#missing.delete(index);
    this.#held.set(index, { result, since: performance.now() });
    const [next = Infinity] = this.#missing;
    if (index < next) this.#passUpTo(next - 1);
    this.#wait();
  }

  /** Passes on what is held back. */
  flush(): void {
    this.#passUpTo(Infinity);
  }

  #passUpTo(last: number): void {
    const indexes = [...this.#held.keys()].filter((index) => index <= last);
    for (const index of indexes.sort((a, b) => a - b)) {
      const { result } = this.#held.get(index)!;
      this.#held.delete(index);
      this.#pass(result);
    }
  }

  /** Waits until the one that came first has been held back for long enough. */
  #wait(): void {
    const [first] = this.#held.values();
    if (!first || this.#timer !== undefined) return;
    const left = first.since + PATIENCE - performance.now();
    this.#timer = setTimeout(() => this.#passDue(), Math.max(0, left));
  }

  #passDue(): void {
    this.#timer = undefined;
    const now = performance.now();
    let last = -1;
    for (const [index, { since }] of this.#held) {
      if (since + PATIENCE - SLACK > now) break;
      last = Math.max(last, index);
    }
    this.#passUpTo(last);
    this.#wait();
  }

  /** Drops what is held back. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#held.clear();
  }
}
