/**
 * The instances of units: each unit is written to a file, imported from there, and evaluated at most
 * once.
 *
 * @module
 */
import type { LibraryTable, ModuleNamespace } from "./library_table.ts";
import { ModuleError } from "./module_error.ts";
import { decodeMappings } from "./source_map.ts";
import { applyEdits, editMappings, type TextEdit } from "./text_edits.ts";
import { type Link, linkedUnit, type Unit } from "./unit.ts";
import { fileStem, type UnitFiles } from "./unit_files.ts";
import { accessSurroundings, authorMeta, surround } from "./unit_surroundings.ts";
import { evaluationOrder, staticImports, type Units } from "./unit_tree.ts";

interface UnitModule {
  /** The name of its file. */
  file: string;
  /** Resolves when the file is there. */
  written: Promise<void>;
  /** How many evaluations had failed when it was made. */
  failuresBefore: number;
}

/**
 * Evaluates units. The runtime does the work: it imports a whole tree at once, and remembers the
 * outcome by URL for good. So when one unit fails, its file and the files that import it are given up,
 * and get new names when they are next asked for.
 */
export class UnitInstances {
  readonly #units: Units;
  readonly #files: UnitFiles;
  readonly #libraries: LibraryTable;
  readonly #modules = new Map<string, UnitModule>();
  readonly #namespaces = new Map<string, ModuleNamespace>();
  #failures = 0;

  /** No instances yet, of these `units`; the map may grow. */
  constructor(units: Units, files: UnitFiles, libraries: LibraryTable) {
    this.#units = units;
    this.#files = files;
    this.#libraries = libraries;
  }

  /** The exports of a unit that has been evaluated, or undefined. */
  namespace(hash: string): ModuleNamespace | undefined {
    return this.#namespaces.get(hash);
  }

  /**
   * Evaluates a unit, and before it what it imports, as far as they have not been; gives its exports.
   *
   * @throws {ModuleError} at the author's file and line that fails.
   */
  async evaluate(hash: string): Promise<ModuleNamespace> {
    const order = evaluationOrder(hash, this.#units);
    const failuresBefore = this.#failures;
    for (;;) {
      const evaluated = this.#namespaces.get(hash);
      if (evaluated) return evaluated;
      const modules = await this.#materialise(order);
      const failure = await this.#import(order, modules);
      if (failure === undefined) continue;
      this.#failures++;
      this.#giveUp(failure.unit, failure.module);
      // One that an earlier failure passed over may only remember how it failed then.
      if (failure.module.failuresBefore >= failuresBefore) throw failure.error;
    }
  }

  /** Makes files of the units that have none. Gives those of all, which are there when this resolves. */
  async #materialise(order: Unit[]): Promise<UnitModule[]> {
    const fresh = order.filter(({ hash }) => !this.#modules.has(hash));
    // All names first: the units may import each other in a cycle.
    for (const unit of fresh) {
      this.#modules.set(unit.hash, {
        file: this.#files.reserve(`${fileStem(unit.module)}-${unit.hash}`, unit.path),
        written: Promise.resolve(),
        failuresBefore: this.#failures,
      });
    }
    for (const unit of fresh) {
      const module = this.#modules.get(unit.hash)!;
      module.written = this.#write(unit, module.file);
      module.written.catch(() => this.#giveUp(unit, module));
    }
    const modules = order.map(({ hash }) => this.#modules.get(hash)!);
    await Promise.all(modules.map(({ written }) => written));
    return modules;
  }

  /** Imports units that are in the order of their evaluation; gives the first that fails. */
  async #import(
    order: Unit[],
    modules: UnitModule[],
  ): Promise<{ unit: Unit; module: UnitModule; error: ModuleError } | undefined> {
    // The last imports all others; if it fails, importing them one by one shows which it was.
    await import(this.#files.url(modules.at(-1)!.file)).catch(() => {});
    for (const [index, unit] of order.entries()) {
      const module = modules[index]!;
      try {
        this.#namespaces.set(unit.hash, await import(this.#files.url(module.file)));
      } catch (error) {
        return { unit, module, error: this.#files.explainFailure(error, unit.path) };
      }
    }
  }

  /** Forgets the file of a unit that failed, and those of all units that import it. */
  #giveUp(failed: Unit, module: UnitModule): void {
    // When several wait for the same failure, the first has done this, and the file is a new one.
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

  async #write(unit: Unit, file: string): Promise<void> {
    const { edits, declarations } = accessSurroundings(unit);
    if (declarations !== undefined) {
      surround(this.#files.url(file), {
        describe: (own) => authorMeta(unit.path, own),
        import: (target) => this.#importLinked(unit, target),
      });
    }
    const links = unit.links.filter((link) =>
      link.keyword === undefined || linkedUnit(unit, link.target) === undefined
    );
    edits.push(...await Promise.all(links.map((link) => this.#linkEdit(unit, link))));
    edits.sort((a, b) => a.start - b.start);
    const text = applyEdits(unit.text, edits) + (declarations ? `\n${declarations}` : "");
    const mappings = unit.mappings === undefined
      ? undefined
      : editMappings(decodeMappings(unit.mappings), unit.text, edits);
    await this.#files.write(file, text, mappings);
  }

  async #linkEdit(unit: Unit, link: Link): Promise<TextEdit> {
    const hash = linkedUnit(unit, link.target);
    try {
      const file = hash === undefined
        ? await this.#libraries.shim(link.target)
        : this.#modules.get(hash)!.file;
      return { start: link.start, end: link.end, replacement: `./${file}` };
    } catch (error) {
      throw new ModuleError((error as Error).message, { path: unit.path }, { cause: error });
    }
  }

  /** What `import()` in a unit gives; it rejects with what the module itself threw. */
  async #importLinked(unit: Unit, target: string): Promise<ModuleNamespace> {
    try {
      return await this.evaluate(linkedUnit(unit, target)!);
    } catch (error) {
      throw (error as Error).cause ?? error;
    }
  }
}
