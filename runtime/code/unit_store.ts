/**
 * The unit store: the shipped code of one server.
 *
 * @module
 */
import { ProtocolError } from "../errors.ts";
import { LibraryTable, type ModuleNamespace } from "./library_table.ts";
import { ModuleError, type SourceLocation } from "./module_error.ts";
import {
  evaluationGroup,
  type Link,
  linkedUnit,
  type ModuleName,
  type Unit,
  verifyUnits,
} from "./unit.ts";
import { fileStem, UnitFiles } from "./unit_files.ts";

/** A library module that a program needs from the server. */
export interface LibraryImport {
  /** The specifier, absolute or bare. */
  specifier: string;
  /** Where the program imports it first, for messages. */
  importer: SourceLocation;
  /** The import attributes written there, when there are any. */
  attributes?: Record<string, string>;
}

/** What a client asks the store to load. */
export interface LoadRequest {
  /** The hash of the module to load. */
  entry: string;
  /** The modules that the load makes current: the program's, or the one of a forced load. */
  modules: ModuleName[];
  /** The units that the store said it misses. */
  units: Unit[];
  /** The library modules of the program; loaded before any unit. */
  libraries: LibraryImport[];
}

/** What a load did. */
export interface LoadResult {
  /** The exports of the entry. */
  namespace: ModuleNamespace;
  /** The request's modules that this load had to evaluate. */
  loaded: ModuleName[];
  /** The request's modules that already ran. */
  already: ModuleName[];
}

/** One line of the table of what runs. */
export interface RunningModule extends ModuleName {
  /** When the unit was evaluated, in ms since the epoch. */
  loadedAt: number;
}

interface Instance {
  namespace: ModuleNamespace;
  loadedAt: number;
}

/**
 * Keeps the units of one server and evaluates each at most once: the same text is the same instance,
 * whoever loads it. What fails is forgotten and tried again when it is next asked for.
 */
export class UnitStore {
  readonly #files: UnitFiles;
  readonly #libraries: LibraryTable;
  readonly #units = new Map<string, Unit>();
  /** File names by hash, of the units being evaluated or evaluated. */
  readonly #fileNames = new Map<string, string>();
  readonly #instances = new Map<string, Instance>();
  /** Evaluations that run or have succeeded, by the first member of the group. */
  readonly #evaluations = new Map<string, Promise<void>>();
  readonly #running = new Map<string, ModuleName>();

  private constructor(files: UnitFiles) {
    this.#files = files;
    this.#libraries = new LibraryTable(files);
  }

  /** Opens an empty store on its `directory`, which is made or emptied. */
  static async open(directory: string): Promise<UnitStore> {
    return new UnitStore(await UnitFiles.open(directory));
  }

  /** Which of these hashes the store has no unit for, in the order given. */
  missing(hashes: string[]): string[] {
    return hashes.filter((hash) => !this.#units.has(hash));
  }

  /**
   * Loads a program: takes its new units, imports its libraries, evaluates what does not run yet, and
   * then, if all went well, notes its modules as the running ones.
   *
   * @throws {ProtocolError} when units are not what their hashes say, or some are missing.
   * @throws {ModuleError} when a library or a module fails, at the author's file and line.
   */
  async load({ entry, modules, units, libraries }: LoadRequest): Promise<LoadResult> {
    await verifyUnits(units);
    for (const unit of units) if (!this.#units.has(unit.hash)) this.#units.set(unit.hash, unit);
    const tree = this.#tree(entry);
    const stranger = modules.find(({ hash }) => !tree.has(hash));
    if (stranger) throw new ProtocolError(`${stranger.path}: not a part of the unit ${entry}`);

    for (const library of libraries) await this.#importFor(library);
    const [already, loaded] = partition(modules, ({ hash }) => this.#instances.has(hash));
    await this.#evaluate(entry);
    for (const { module, path, hash } of modules) this.#running.set(module, { module, path, hash });
    return { namespace: this.#instances.get(entry)!.namespace, loaded, already };
  }

  /** The hashes that run under these module ids; ids that run nothing are left out. */
  running(modules: string[]): Map<string, string> {
    const running = new Map<string, string>();
    for (const module of modules) {
      const name = this.#running.get(module);
      if (name) running.set(module, name.hash);
    }
    return running;
  }

  /** Everything that runs, in the order of module ids. */
  modules(): RunningModule[] {
    return [...this.#running.values()]
      .map((name) => ({ ...name, loadedAt: this.#instances.get(name.hash)!.loadedAt }))
      .sort((a, b) => a.module < b.module ? -1 : 1);
  }

  /** The exports of what runs under a module id, or undefined. */
  namespace(module: string): ModuleNamespace | undefined {
    const name = this.#running.get(module);
    return name && this.#instances.get(name.hash)?.namespace;
  }

  /**
   * Offers a module that the program was built with to shipped code, under a bare specifier or under
   * its module id: then it stands in for the author's file of that id.
   */
  registerLibrary(specifier: string, namespace: ModuleNamespace): void {
    this.#libraries.register(specifier, namespace);
  }

  /** The specifiers of the modules registered with `registerLibrary`, sorted. */
  libraries(): string[] {
    return this.#libraries.registered();
  }

  /**
   * Imports a library module: a registered one, or any that this process can import.
   *
   * @throws {EnsembleError} when it cannot.
   */
  importLibrary(specifier: string): Promise<ModuleNamespace> {
    return this.#libraries.import(specifier);
  }

  /** Puts the author's files and lines in place of the store's own, in a stack trace or message. */
  restoreSources(text: string): string {
    return this.#files.restoreSources(text);
  }

  /** The hashes of everything below and including a unit. */
  #tree(entry: string): Set<string> {
    const tree = new Set<string>();
    const visit = (hash: string, importer?: Unit): void => {
      if (tree.has(hash)) return;
      const unit = this.#units.get(hash);
      if (unit === undefined) {
        const message = `unit ${hash} was not sent, and this server does not have it`;
        throw new ProtocolError(importer ? `${importer.path}: its import ${message}` : message);
      }
      tree.add(hash);
      for (const next of this.#imports(unit)) visit(next, unit);
    };
    visit(entry);
    return tree;
  }

  #imports(unit: Unit): string[] {
    return unit.links.flatMap((link) => linkedUnit(unit, link) ?? []);
  }

  async #importFor({ specifier, importer, attributes }: LibraryImport): Promise<void> {
    try {
      await this.#libraries.import(specifier, attributes);
    } catch (error) {
      throw new ModuleError((error as Error).message, importer, { cause: error });
    }
  }

  #evaluate(hash: string): Promise<void> {
    const group = evaluationGroup(this.#units.get(hash)!);
    const key = group[0]!;
    let evaluation = this.#evaluations.get(key);
    if (evaluation === undefined) {
      evaluation = this.#evaluateGroup(hash, group);
      this.#evaluations.set(key, evaluation);
      evaluation.catch(() => this.#evaluations.delete(key));
    }
    return evaluation;
  }

  /**
   * Evaluates a unit, with its cycle if it is in one. What it imports is evaluated first, each unit
   * by an import of its own: so a failure belongs to one unit, and no unit above it is imported and
   * remembered as failed. The order is that of the ECMAScript module evaluation.
   */
  async #evaluateGroup(entry: string, group: string[]): Promise<void> {
    const members = this.#orderedMembers(entry, new Set(group));
    for (const member of members) {
      for (const hash of this.#imports(member)) {
        if (!group.includes(hash)) await this.#evaluate(hash);
      }
    }
    for (const unit of members) {
      const file = this.#files.reserve(`${fileStem(unit.module)}-${unit.hash}`, unit);
      this.#fileNames.set(unit.hash, file);
    }
    for (const unit of members) {
      await this.#files.write(this.#fileNames.get(unit.hash)!, await this.#linkedText(unit));
    }
    // The unit that the cycle was entered by comes first: the others are evaluated before it.
    for (const unit of members) {
      const namespace = await this.#import(unit);
      this.#instances.set(unit.hash, { namespace, loadedAt: Date.now() });
    }
  }

  /** The members of a group, in the order in which imports reach them from `entry`. */
  #orderedMembers(entry: string, group: Set<string>): Unit[] {
    const members = new Map<string, Unit>();
    const visit = (hash: string): void => {
      if (members.has(hash) || !group.has(hash)) return;
      const unit = this.#units.get(hash)!;
      members.set(hash, unit);
      this.#imports(unit).forEach(visit);
    };
    visit(entry);
    return [...members.values()];
  }

  async #import(unit: Unit): Promise<ModuleNamespace> {
    try {
      return await import(this.#files.url(this.#fileNames.get(unit.hash)!));
    } catch (error) {
      throw this.#files.explainFailure(error, unit);
    }
  }

  async #linkedText(unit: Unit): Promise<string> {
    const pieces: string[] = [];
    let position = 0;
    for (const link of unit.links) {
      pieces.push(unit.text.slice(position, link.start), `./${await this.#linkedFile(unit, link)}`);
      position = link.end;
    }
    return pieces.join("") + unit.text.slice(position);
  }

  async #linkedFile(unit: Unit, link: Link): Promise<string> {
    const hash = linkedUnit(unit, link);
    if (hash !== undefined) return this.#fileNames.get(hash)!;
    try {
      return await this.#libraries.shim(link.target);
    } catch (error) {
      throw new ModuleError((error as Error).message, { path: unit.path }, { cause: error });
    }
  }
}

function partition<T>(values: T[], holds: (value: T) => boolean): [T[], T[]] {
  return [values.filter(holds), values.filter((value) => !holds(value))];
}
