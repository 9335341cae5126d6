/**
 * The history of loads: what was made current under each module id, when, and by whom.
 *
 * @module
 */
import type { ModuleName } from "./unit.ts";

/** A load that made a unit the current one of its module id. */
export interface LoadRecord extends ModuleName {
  /** When, in ms since the epoch. */
  time: number;
  /** Who asked for it: `user@host`. */
  by: string;
  /** Whether the unit was evaluated anew. */
  rerun?: boolean;
}

/** A line of the history as it is listed. */
export interface ListedLoad extends LoadRecord {
  /** Whether the module id still stands for this unit. */
  current: boolean;
}

/** The history of one server. Every record is kept: the code that it tells of is, too. */
export class LoadHistory {
  readonly #records = new Map<string, LoadRecord[]>();
  readonly #hashes = new Set<string>();

  /** What is current under a module id. */
  current(module: string): LoadRecord | undefined {
    return this.#records.get(module)?.at(-1);
  }

  /** Whether a unit was current under its module id once, and another is now. */
  isSuperseded({ module, hash }: ModuleName): boolean {
    const records = this.#records.get(module) ?? [];
    return records.at(-1)?.hash !== hash && records.some((record) => record.hash === hash);
  }

  /** Whether any module id has, or had, the unit. */
  has(hash: string): boolean {
    return this.#hashes.has(hash);
  }

  /** Makes a unit current; that it is already is nothing to note, unless it was evaluated anew. */
  makeCurrent(
    { module, path, hash }: ModuleName,
    { by, rerun }: Pick<LoadRecord, "by" | "rerun">,
  ): void {
    if (!rerun && this.current(module)?.hash === hash) return;
    const records = this.#records.get(module) ?? [];
    records.push({ module, path, hash, time: Date.now(), by, ...rerun && { rerun } });
    this.#records.set(module, records);
    this.#hashes.add(hash);
  }

  /** The whole history, in the order of module ids, and of each the newest last. */
  list(): ListedLoad[] {
    return [...this.#records.entries()]
      .sort(([a], [b]) => a < b ? -1 : 1)
      .flatMap(([, records]) =>
        records.map((record, index) => ({ ...record, current: index === records.length - 1 }))
      );
  }
}
