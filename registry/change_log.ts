/**
 * The latest changes of a registry's entries.
 *
 * @module
 */
import { KEPT_CHANGES, type Snapshot, type StoredChange } from "./store.ts";

/** The latest changes, at least {@linkcode KEPT_CHANGES} if there were as many. */
export class ChangeLog {
  #changes: StoredChange[] = [];
  /** All later changes are here. */
  #since = 0;
  #revision = 0;

  /** The revision of the last change. */
  get revision(): number {
    return this.#revision;
  }

  /** Starts with what a store knows. */
  reset({ revision, changes = [], since = revision }: Snapshot): void {
    this.#revision = revision;
    this.#changes = [...changes];
    this.#since = since;
  }

  /** Adds a change. */
  add(change: StoredChange): void {
    this.#changes.push(change);
    this.#revision = change.revision;
    // In large steps, since it moves the others.
    if (this.#changes.length < 2 * KEPT_CHANGES) return;
    this.#since = this.#changes[KEPT_CHANGES - 1]!.revision;
    this.#changes.splice(0, KEPT_CHANGES);
  }

  /** The changes after a revision; undefined if they are not all known any more. */
  after(revision: number): StoredChange[] | undefined {
    if (revision < this.#since) return undefined;
    let low = 0;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#changes[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#changes.slice(low);
  }
}
