/**
 * Turns units into modules: each unit is written to a file, imported from there, and evaluated at
 * most once.
 *
 * @module
 */
import {
  authorMeta,
  type FileLink,
  findComputed,
  WorkerFiles,
  writeUnit,
} from "./import_context.ts";
import type { LibraryTable, ModuleNamespace } from "./library_table.ts";
import { ModuleError } from "./source_map.ts";
import { type Link, linkedUnit, type Unit } from "./unit.ts";
import { fileStem, type UnitFiles } from "./unit_files.ts";
import {
  evaluatedTogether,
  evaluationOrder,
  importedUnits,
  staticImports,
  type Units,
} from "./unit_graph.ts";

interface UnitModule {
  /** The name of its file. */
  file: string;
  /** Resolves when the file is written. */
  written: Promise<void>;
  /** Settles with its evaluation, once started. */
  evaluated?: Promise<void>;
}

/** A unit, and the file that evaluates it. */
interface Member {
  unit: Unit;
  module: UnitModule;
}

/** The name of the file of a unit. */
type FileOf = (hash: string) => string;

/**
 * Evaluates units one at a time, each after those that it imports. So a failure belongs to one
 * unit, and Deno does not remember the units above it as failed. A load waits only for the units it
 * needs.
 *
 * Units that do not pause are first imported together. Each `import()` makes Deno visit everything
 * below it: importing a chain of 500 units one by one takes seconds, and together a tenth of that.
 *
 * No file is imported twice at the same time. Deno 2.9.6 panics when two imports wait for a module
 * with a top-level `await` and the second goes on to import another: `resolve_tla_waiters` in its
 * modules/map.rs runs the waiters' continuations while it holds the module map.
 */
export class LoadedModules {
  readonly #units: Units;
  readonly #files: UnitFiles;
  readonly #libraries: LibraryTable;
  readonly #modules = new Map<string, UnitModule>();
  readonly #namespaces = new Map<string, ModuleNamespace>();
  /** The number of times that units were evaluated again. */
  readonly #reruns = new Map<string, number>();
  /** The units whose modules are compiled into the executable, and have no own files. */
  readonly #compiled = new Set<string>();
  /** The unit that the process was started for. */
  #main: string | undefined;
  readonly #workers: WorkerFiles;

  /** Starts without modules, for these `units`, to which more may be added. */
  constructor(units: Units, files: UnitFiles, libraries: LibraryTable) {
    this.#units = units;
    this.#files = files;
    this.#libraries = libraries;
    this.#workers = new WorkerFiles(units, files);
  }

  /** The exports of a unit's newest module; undefined if it was not evaluated. */
  namespace(hash: string): ModuleNamespace | undefined {
    return this.#namespaces.get(hash);
  }

  /** The number of a unit's modules. */
  count(hash: string): number {
    return this.#namespaces.has(hash) ? 1 + (this.#reruns.get(hash) ?? 0) : 0;
  }

  /** Registers a module that was evaluated elsewhere as the module of a unit. */
  adopt(hash: string, namespace: ModuleNamespace): void {
    this.#namespaces.set(hash, namespace);
    this.#compiled.add(hash);
  }

  /** Makes a unit the main module of the process: its `import.meta.main` is true. */
  makeMain(hash: string): void {
    this.#main = hash;
  }

  /**
   * Evaluates a unit, and first its imports, unless they have been evaluated.
   *
   * @throws {ModuleError} at the failing line of the author's file.
   */
  async evaluate(hash: string): Promise<void> {
    const order = evaluationOrder(hash, this.#units)
      .filter(([first]) => !this.#namespaces.has(first!.hash));
    if (order.length > 0) {
      const imported = importedUnits(hash, this.#units);
      await this.#writeFiles(imported.filter(({ hash }) => !this.#namespaces.has(hash)));
    }
    const groups = order.map((group) =>
      group.map((unit): Member => ({ unit, module: this.#modules.get(unit.hash)! }))
    );
    for (const run of unpausedRuns(groups)) {
      await this.#importTogether(run.flat());
      for (const group of run) await this.#evaluateGroup(group);
    }
  }

  /**
   * Evaluates a unit again, with the units of its import cycle. The new modules replace the earlier
   * ones: what is evaluated later imports them, while importers of the earlier modules keep those.
   * The new modules import existing ones.
   *
   * @throws {ModuleError} at the failing line of the author's file; nothing has changed then.
   */
  async rerun(hash: string): Promise<void> {
    const group = evaluatedTogether(hash, this.#units);
    const fresh = new Map(group.map((unit): [string, UnitModule] => {
      const module = { file: this.#reserve(unit), written: Promise.resolve() };
      return [unit.hash, { ...module, evaluated: Promise.resolve() }];
    }));
    const fileOf: FileOf = (hash) => (fresh.get(hash) ?? this.#modules.get(hash)!).file;
    await Promise.all(group.map((unit) => this.#write(unit, fileOf)));
    const namespaces = new Map<string, ModuleNamespace>();
    for (const unit of group) {
      try {
        namespaces.set(unit.hash, (await this.#import(unit, fileOf(unit.hash))).namespace);
      } catch (error) {
        throw this.#files.explainFailure(error, unit.path);
      }
    }
    for (const [hash, namespace] of namespaces) {
      this.#namespaces.set(hash, namespace);
      this.#modules.set(hash, fresh.get(hash)!);
      this.#compiled.delete(hash);
      this.#reruns.set(hash, (this.#reruns.get(hash) ?? 0) + 1);
    }
  }

  #reserve({ module, hash, path }: Unit): string {
    return this.#files.reserve(`${fileStem(module)}-${hash}`, path);
  }

  /** Writes the files of units that have none. */
  async #writeFiles(units: Unit[]): Promise<void> {
    const fresh = units.filter(({ hash }) => !this.#modules.has(hash));
    // All names first, since the units may import each other in a cycle.
    for (const unit of fresh) {
      this.#modules.set(unit.hash, { file: this.#reserve(unit), written: Promise.resolve() });
    }
    const fileOf: FileOf = (hash) => this.#modules.get(hash)!.file;
    for (const unit of fresh) {
      const module = this.#modules.get(unit.hash)!;
      module.written = this.#write(unit, fileOf);
      module.written.catch(() => this.#giveUp(unit, module));
    }
    await Promise.all(units.map(({ hash }) => this.#modules.get(hash)!.written));
  }

  /** Evaluates units that do not pause, in order, up to the first that fails. */
  async #importTogether(members: Member[]): Promise<void> {
    const fresh = members.filter(({ module }) => module.evaluated === undefined);
    if (fresh.length < 2) return;
    const file = this.#files.reserve("batch", "several modules at once");
    const lines = fresh.map(({ module }, index) =>
      `export * as unit${index} from "./${module.file}";`
    );
    await this.#files.write(file, lines.join("\n"));
    try {
      const batch: Record<string, ModuleNamespace> = await import(this.#files.url(file));
      for (const [index, { unit, module }] of fresh.entries()) {
        this.#namespaces.set(unit.hash, batch[`unit${index}`]!);
        module.evaluated = Promise.resolve();
      }
    } catch {
      // Importing them one by one shows which one fails. Those before it have been evaluated.
    } finally {
      await this.#files.remove(file);
    }
  }

  /**
   * Evaluates a unit, or the units of a cycle by importing the first, unless that has been started.
   */
  #evaluateGroup(group: Member[]): Promise<void> {
    const { module } = group[0]!;
    if (module.evaluated === undefined) {
      const evaluated = this.#importGroup(group);
      for (const member of group) member.module.evaluated = evaluated;
    }
    return module.evaluated!;
  }

  async #importGroup(group: Member[]): Promise<void> {
    for (const { unit, module } of group) {
      try {
        this.#namespaces.set(unit.hash, (await this.#import(unit, module.file)).namespace);
      } catch (error) {
        this.#giveUp(unit, module);
        throw this.#files.explainFailure(error, unit.path);
      }
    }
  }

  /** Imports the file of a unit. */
  async #import({ text }: Unit, file: string): Promise<{ namespace: ModuleNamespace }> {
    // A module that exports a function `then`, directly or re-exported, would be treated as a
    // promise, here and wherever it is awaited.
    if (!/\bthen\b|\bexport\s*\*/.test(text)) {
      return { namespace: await import(this.#files.url(file)) };
    }
    const batch = this.#files.reserve("batch", "a module by itself");
    await this.#files.write(batch, `export * as namespace from "./${file}";`);
    try {
      return await import(this.#files.url(batch));
    } finally {
      await this.#files.remove(batch);
    }
  }

  /** Forgets the file of a failed unit, and those of all units that import it, including cycles. */
  #giveUp(failed: Unit, module: UnitModule): void {
    if (this.#modules.get(failed.hash) !== module) return;
    const importers = new Map<string, string[]>();
    for (const hash of this.#modules.keys()) {
      for (const imported of staticImports(this.#units.get(hash)!)) {
        importers.set(imported, [...importers.get(imported) ?? [], hash]);
      }
    }
    const pending = [failed.hash];
    for (let hash = pending.pop(); hash !== undefined; hash = pending.pop()) {
      if (this.#modules.delete(hash)) pending.push(...importers.get(hash) ?? []);
    }
  }

  async #write(unit: Unit, fileOf: FileOf): Promise<void> {
    await this.#writeWorkers(unit);
    const links = unit.links.filter((link) =>
      link.keyword === undefined || linkedUnit(unit, link.target) === undefined
    );
    await writeUnit(unit, {
      files: this.#files,
      file: fileOf(unit.hash),
      links: await Promise.all(links.map((link) => this.#fileLink(unit, link, fileOf))),
      context: {
        meta: (own) => authorMeta(unit, { own, main: unit.hash === this.#main }),
        import: (target) => this.#importLinked(unit, target),
        importComputed: (specifier, options) => this.#importComputed(unit, specifier, options),
        worker: (url) => this.#workerStart(unit, url),
      },
    });
  }

  async #writeWorkers(unit: Unit): Promise<void> {
    for (const { type, target } of unit.candidates ?? []) {
      if (type === "worker") await this.#workers.write(linkedUnit(unit, target)!);
    }
  }

  #workerStart(unit: Unit, url: unknown): unknown {
    const found = findComputed(unit, url, { with: { type: "worker" } });
    // A worker of the program itself, or one made from text.
    if (!("candidate" in found)) return url;
    return new URL(this.#workers.url(linkedUnit(unit, found.candidate.target)!));
  }

  async #fileLink(unit: Unit, link: Link, fileOf: FileOf): Promise<FileLink> {
    const hash = linkedUnit(unit, link.target);
    try {
      const file = hash === undefined
        ? await this.#libraries.shim(link.target)
        : this.#compiled.has(hash)
        ? await this.#libraries.shimOf(this.#units.get(hash)!.module, this.#namespaces.get(hash)!)
        : fileOf(hash);
      return { start: link.start, end: link.end, file };
    } catch (error) {
      throw new ModuleError((error as Error).message, { path: unit.path }, { cause: error });
    }
  }

  /** The `import()` of a unit; rejects with the error that the module threw. */
  async #importLinked(unit: Unit, target: string): Promise<ModuleNamespace> {
    try {
      const hash = linkedUnit(unit, target)!;
      await this.evaluate(hash);
      return this.#namespaces.get(hash)!;
    } catch (error) {
      throw (error as Error).cause ?? error;
    }
  }

  /** An `import()` with a computed specifier. */
  async #importComputed(
    unit: Unit,
    specifier: unknown,
    options?: ImportCallOptions,
  ): Promise<ModuleNamespace> {
    const found = findComputed(unit, specifier, options);
    if ("candidate" in found) return await this.#importLinked(unit, found.candidate.target);
    try {
      return await this.#libraries.import(found.specifier, options?.with as Record<string, string>);
    } catch (error) {
      throw (error as Error).cause ?? error;
    }
  }
}

/** Splits an evaluation order where it may pause; a unit that may pause is alone. */
function unpausedRuns(groups: Member[][]): Member[][][] {
  const runs: Member[][][] = [];
  let isOpen = false;
  for (const group of groups) {
    const pauses = group.some(({ unit }) => unit.pauses);
    if (isOpen && !pauses) runs.at(-1)!.push(group);
    else runs.push([group]);
    isOpen = !pauses;
  }
  return runs;
}
