/**
 * The order of changes in the registry.
 *
 * @module
 */
import { REGISTRY_ID } from "../runtime/actor/references.ts";
import { EnsembleError } from "../runtime/errors.ts";

/** The maximum number of pending changes of one server. */
const MAX_PENDING = 64;

/**
 * The changes of each entry, in the order of the requests, since a server may leave a moment after
 * it registered, and that may wait for a look whether another instance still runs.
 */
export class ChangeQueue {
  /** The number of pending changes of each server. */
  readonly #pending = new Map<string, number>();
  /** The last change of each entry. */
  readonly #last = new Map<string, Promise<unknown>>();

  /**
   * Makes a change of an entry after its pending ones.
   *
   * @param id the id of the entry.
   * @param options.by the server that asks for the change.
   * @throws {EnsembleError} if that server has too many pending changes.
   */
  async make<Result>(
    id: string,
    { by, change }: { by: string; change: () => Promise<Result> },
  ): Promise<Result> {
    const pending = this.#pending.get(by) ?? 0;
    if (pending >= MAX_PENDING) {
      throw new EnsembleError(
        `${by} has ${pending} pending changes of the ${REGISTRY_ID}: wait until one is made`,
        { code: "LIMIT_REACHED" },
      );
    }
    this.#pending.set(by, pending + 1);
    const changed = (this.#last.get(id) ?? Promise.resolve()).then(change);
    const last = changed.catch(() => {});
    this.#last.set(id, last);
    try {
      return await changed;
    } finally {
      if (this.#last.get(id) === last) this.#last.delete(id);
      const left = this.#pending.get(by)! - 1;
      if (left > 0) this.#pending.set(by, left);
      else this.#pending.delete(by);
    }
  }
}
