/**
 * The changes that a watcher has not taken yet.
 *
 * @module
 */
/** From how many waiting changes on those of the same server are folded into the newest. */
export const MAX_WAITING_CHANGES = 1_024;

/**
 * A queue of changes, which one watcher takes in their order. If it is slow, and many wait, only
 * the newest of each server is kept, so that what waits is bounded by the number of servers.
 */
export class WatchQueue<Change extends { readonly id: string }>
  implements AsyncIterableIterator<Change, undefined> {
  #waiting: Change[] = [];
  /** How many of the waiting changes were taken. */
  #taken = 0;
  /** The length from which it is folded. */
  #limit = MAX_WAITING_CHANGES;
  readonly #end = Promise.withResolvers<void>();
  #isClosed = false;
  #news: PromiseWithResolvers<void> | undefined;

  /** The number of waiting changes. */
  get size(): number {
    return this.#waiting.length - this.#taken;
  }

  /** Whether it has ended. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves when it has ended. */
  get ended(): Promise<void> {
    return this.#end.promise;
  }

  /** Adds a change. */
  push(change: Change): void {
    if (this.#isClosed) return;
    this.#waiting.push(change);
    if (this.#waiting.length >= this.#limit) this.#fold();
    this.#news?.resolve();
  }

  /** Ends the queue: what waits is dropped, and the watcher's loop ends. */
  close(): void {
    this.#isClosed = true;
    this.#end.resolve();
    this.#waiting = [];
    this.#taken = 0;
    this.#news?.resolve();
  }

  /** Waits for the next change. */
  async next(): Promise<IteratorResult<Change, undefined>> {
    while (this.size === 0) {
      if (this.#isClosed) return { done: true, value: undefined };
      this.#news ??= Promise.withResolvers();
      await this.#news.promise;
      this.#news = undefined;
    }
    const value = this.#waiting[this.#taken++]!;
    if (this.size === 0) {
      this.#waiting = [];
      this.#taken = 0;
      this.#limit = MAX_WAITING_CHANGES;
    }
    return { done: false, value };
  }

  /** Ends the queue, as the watcher's loop has ended. */
  return(): Promise<IteratorResult<Change, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  #fold(): void {
    const newest = new Map<string, Change>();
    for (const change of this.#waiting.slice(this.#taken)) {
      // Where the newest one is in the order, not the first.
      newest.delete(change.id);
      newest.set(change.id, change);
    }
    this.#waiting = [...newest.values()];
    this.#taken = 0;
    // So that folding takes a constant time for each change.
    this.#limit = Math.max(MAX_WAITING_CHANGES, 2 * this.#waiting.length);
  }
}
