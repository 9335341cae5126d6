/**
 * A sorted set of ids.
 *
 * @module
 */

/** The maximum number of ids in a block. */
const BLOCK = 512;

/**
 * Ids sorted by code unit, in blocks: adding and removing one moves the ids of its block only, and
 * a page begins without a look at the ids before it.
 */
export class SortedIds {
  /** No block is empty. */
  readonly #blocks: string[][] = [];
  #size = 0;

  /** The number of ids. */
  get size(): number {
    return this.#size;
  }

  /** Adds an id, unless it is there. */
  add(id: string): void {
    const at = Math.max(0, this.#blockOf(id));
    const block = this.#blocks[at];
    if (!block) {
      this.#blocks.push([id]);
      this.#size++;
      return;
    }
    const place = placeOf(id, block);
    if (block[place] === id) return;
    block.splice(place, 0, id);
    this.#size++;
    if (block.length > BLOCK) this.#blocks.splice(at + 1, 0, block.splice(BLOCK / 2));
  }

  /** Removes an id, if it is there. */
  delete(id: string): void {
    const at = this.#blockOf(id);
    const block = this.#blocks[at];
    if (!block) return;
    const place = placeOf(id, block);
    if (block[place] !== id) return;
    block.splice(place, 1);
    this.#size--;
    if (block.length === 0) this.#blocks.splice(at, 1);
  }

  /** The ids after an id, or all. The set must not be changed meanwhile. */
  *after(id?: string): Generator<string, void> {
    let at = id === undefined ? 0 : Math.max(0, this.#blockOf(id));
    let place = 0;
    if (id !== undefined && at < this.#blocks.length) {
      place = placeOf(id, this.#blocks[at]!);
      if (this.#blocks[at]![place] === id) place++;
    }
    for (; at < this.#blocks.length; at++, place = 0) {
      const block = this.#blocks[at]!;
      for (; place < block.length; place++) yield block[place]!;
    }
  }

  /** The last block that does not begin after an id; -1 if all do. */
  #blockOf(id: string): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#blocks[middle]![0]! <= id) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** The place of an id in a block, or where it would be. */
function placeOf(id: string, block: readonly string[]): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (block[middle]! < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
