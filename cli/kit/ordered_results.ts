/**
 * Results in order, of which none waits long for another.
 *
 * @module
 */

/** How long a result is held back for those before it, in ms. */
const PATIENCE = 1_000;

/** A result that is held back. */
interface Held<Result> {
  readonly result: Result;
  readonly timer: ReturnType<typeof setTimeout>;
}

/**
 * Passes results on in order. One that comes before others is held back for them, but at most for a
 * second: what answers is not held up by what does not.
 */
export class OrderedResults<Result> implements Disposable {
  readonly #pass: (result: Result) => void;
  /** Which results have not come. */
  readonly #missing: Set<number>;
  readonly #held = new Map<number, Held<Result>>();

  /** Expects `count` results, numbered from 0. */
  constructor(count: number, pass: (result: Result) => void) {
    this.#missing = new Set(Array(count).keys());
    this.#pass = pass;
  }

  /** Takes the result with a number. */
  add(index: number, result: Result): void {
    this.#missing.delete(index);
    const timer = setTimeout(() => this.#passUpTo(index), PATIENCE);
    this.#held.set(index, { result, timer });
    const [next = Infinity] = this.#missing; // Sets keep the order.
    this.#passUpTo(next - 1);
  }

  /** Passes on what is held back. */
  flush(): void {
    this.#passUpTo(Infinity);
  }

  #passUpTo(last: number): void {
    const indexes = [...this.#held.keys()].filter((index) => index <= last).sort((a, b) => a - b);
    for (const index of indexes) {
      const { result, timer } = this.#held.get(index)!;
      this.#held.delete(index);
      clearTimeout(timer);
      this.#pass(result);
    }
  }

  /** Drops what is held back. */
  [Symbol.dispose](): void {
    for (const { timer } of this.#held.values()) clearTimeout(timer);
    this.#held.clear();
  }
}
