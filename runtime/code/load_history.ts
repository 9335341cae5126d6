/**
 * The history of one server's loads: what was current when, and what each load replaced.
 *
 * @module
 */
import type { Direction } from "./service_versions.ts";
import type { ModuleName } from "./unit.ts";

/** A load that made a unit the current one of its module id. */
export interface LoadRecord extends ModuleName {
  /** The time, in ms since the epoch. */
  time: number;
  /** The operator: `user@host`. */
  by: string;
  /** Whether the unit was evaluated again. */
  rerun?: boolean;
  /** Whether the unit is still current for its module id. */
  current: boolean;
}

/**
 * A load that changed what is current, by the name of its entry. Loads of the program that the
 * process was started for are none of these.
 */
export interface LoadEvent extends ModuleName {
  /** Its id. */
  id: string;
  /** The time, in ms since the epoch. */
  time: number;
  /** The operator: `user@host`. */
  by: string;
  /** Whether the server went back from it. */
  undone: boolean;
  /** Whether its entry is still current for its module id. */
  current: boolean;
}

/** What a load made of one module. */
interface Change {
  readonly name: ModuleName;
  /** What was current before; absent if nothing was. */
  readonly before: ModuleName | undefined;
}

/** A {@linkcode Change} on the way back. */
export interface UndoneChange extends Change {
  /** Whether a later load has replaced the module, so that it stays as it is. */
  readonly isReplaced: boolean;
}

interface Load {
  readonly id: string;
  readonly entry: ModuleName;
  readonly time: number;
  readonly by: string;
  readonly changes: Change[];
  undone: boolean;
}

/** What a load makes current. */
export interface RecordedLoad {
  /** See {@linkcode LoadEvent.id}; absent for the program that the process was started for. */
  readonly id?: string | undefined;
  /** The module that was loaded. */
  readonly entry: ModuleName;
  /** The operator: `user@host`. */
  readonly by: string;
  /** The modules, each after those that it imports. */
  readonly modules: readonly { readonly name: ModuleName; readonly rerun?: boolean }[];
}

/** The history of one server. Every record is kept, since the code is kept, too. */
export class LoadHistory {
  readonly #records = new Map<string, LoadRecord[]>();
  readonly #hashes = new Set<string>();
  readonly #loads: Load[] = [];
  /** The hashes of the program's own modules. */
  readonly #program = new Map<string, string>();

  /** The current record of a module id. */
  current(module: string): LoadRecord | undefined {
    const last = this.#records.get(module)?.at(-1);
    return last?.current ? last : undefined;
  }

  /** The hash that the process's own program has of a module id. */
  program(module: string): string | undefined {
    return this.#program.get(module);
  }

  /** Whether a unit was current for its module id, and is not now. */
  isSuperseded({ module, hash }: ModuleName): boolean {
    const records = this.#records.get(module) ?? [];
    return this.current(module)?.hash !== hash && records.some((record) => record.hash === hash);
  }

  /** How a version of a module relates to another, by when each was first current. */
  direction(from: ModuleName, to: ModuleName): Direction {
    if (from.hash === to.hash) return "same";
    const records = this.#records.get(to.module) ?? [];
    const first = ({ hash }: ModuleName) => {
      const index = records.findIndex((record) => record.hash === hash);
      return index < 0 ? Infinity : index;
    };
    return first(to) < first(from) ? "older" : "newer";
  }

  /** Whether a unit is, or was, current for any module id. */
  has(hash: string): boolean {
    return this.#hashes.has(hash);
  }

  /** Makes the modules of a load current. One that changes nothing is not recorded. */
  record({ id, entry, by, modules }: RecordedLoad): void {
    if (id === undefined) {
      for (const { name } of modules) this.#program.set(name.module, name.hash);
    }
    const changes = modules.flatMap(({ name, rerun }): Change[] => {
      const before = this.current(name.module);
      return this.#makeCurrent(name, { by, rerun }) ? [{ name, before }] : [];
    });
    if (changes.length === 0 || id === undefined) return;
    const begun = this.#open(id);
    if (begun) begun.changes.push(...changes);
    else this.#loads.push({ id, entry, time: Date.now(), by, changes, undone: false });
  }

  /**
   * Makes a unit current, and records it in the history unless nothing changed.
   *
   * @returns whether something changed.
   */
  #makeCurrent(
    { module, path, hash }: ModuleName,
    { by, rerun }: { readonly by: string; readonly rerun?: boolean | undefined },
  ): boolean {
    const before = this.current(module);
    if (!rerun && before?.hash === hash) return false;
    if (before) before.current = false;
    const record = {
      module,
      path,
      hash,
      time: Date.now(),
      by,
      ...rerun && { rerun },
      current: true,
    };
    this.#records.set(module, [...this.#records.get(module) ?? [], record]);
    this.#hashes.add(hash);
    return true;
  }

  /** The modules that a load made current; none if there is no such load, or it was undone. */
  changed(id: string): ModuleName[] {
    return this.#open(id)?.changes.map(({ name }) => name) ?? [];
  }

  /**
   * Makes current again what a load replaced.
   *
   * @returns the changes of the load, in their order; undefined if there is no such load, or it was
   * undone before.
   */
  goBack(id: string, by: string): UndoneChange[] | undefined {
    const load = this.#open(id);
    if (!load) return undefined;
    load.undone = true;
    return load.changes.map(({ name, before }) => {
      const current = this.current(name.module);
      const isReplaced = current?.hash !== name.hash;
      if (!isReplaced) {
        if (before) this.#makeCurrent(before, { by });
        else current.current = false;
      }
      return { name, before, isReplaced };
    });
  }

  /** The whole history, by module id, each with the newest last. */
  list(): LoadRecord[] {
    return [...this.#records.entries()]
      .sort(([a], [b]) => a < b ? -1 : 1)
      .flatMap(([, records]) => records.map((record) => ({ ...record })));
  }

  /** The loads, oldest first. */
  loads(): LoadEvent[] {
    return this.#loads.map(({ id, entry, time, by, undone }) => ({
      ...entry,
      id,
      time,
      by,
      undone,
      current: this.current(entry.module)?.hash === entry.hash,
    }));
  }

  /** The load of an id that was not undone. */
  #open(id: string): Load | undefined {
    return this.#loads.findLast((load) => load.id === id && !load.undone);
  }
}
