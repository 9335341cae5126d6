/**
 * A table of values under numbers that count up.
 *
 * @module
 */

/** The size of the ring of recent values, a power of 2. */
const RECENT = 1024;

/**
 * Values under numbers that count up, such as serial numbers. Most of them are removed before
 * {@linkcode RECENT} others are added: a ring finds these faster than a `Map` does. A value that is
 * still there when its slot is needed moves to a `Map`.
 *
 * In a `Map` alone, short-lived values would also outlive their use. V8 makes its table anew as
 * entries come and go, and each old table refers to the next one. Once one of them is in the old
 * space, all that follow stay with everything that was in them until the next full collection.
 */
export class NumberTable<Value extends object> {
  readonly #step: number;
  readonly #numbers = new Float64Array(RECENT);
  readonly #recent: (Value | undefined)[] = new Array(RECENT).fill(undefined);
  readonly #older = new Map<number, Value>();
  #size = 0;

  /** Makes an empty table. The numbers, from 1, are mostly `step` apart. */
  constructor(step = 1) {
    this.#step = step;
  }

  /** The number of values. */
  get size(): number {
    return this.#size;
  }

  /** The value under a number. */
  get(number: number): Value | undefined {
    const slot = this.#slotOf(number);
    return this.#numbers[slot] === number ? this.#recent[slot] : this.#older.get(number);
  }

  /** Adds a value under a number that has none. */
  add(number: number, value: Value): void {
    const slot = this.#slotOf(number);
    const earlier = this.#recent[slot];
    if (earlier) this.#older.set(this.#numbers[slot]!, earlier);
    this.#numbers[slot] = number;
    this.#recent[slot] = value;
    this.#size++;
  }

  /** Removes the value under a number. Returns whether there was one. */
  delete(number: number): boolean {
    const slot = this.#slotOf(number);
    const isRecent = this.#numbers[slot] === number && this.#recent[slot] !== undefined;
    if (isRecent) this.#recent[slot] = undefined;
    else if (!this.#older.delete(number)) return false;
    this.#size--;
    return true;
  }

  /** All values, by number. */
  values(): Value[] {
    const entries = [...this.#older];
    this.#recent.forEach((value, slot) => value && entries.push([this.#numbers[slot]!, value]));
    return entries.sort(([a], [b]) => a - b).map(([, value]) => value);
  }

  #slotOf(number: number): number {
    return (number / this.#step) & (RECENT - 1);
  }
}
