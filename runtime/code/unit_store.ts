/**
 * The unit store: the shipped code of one server, and the history of its loads.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { DisconnectedError, ProtocolError } from "../errors.ts";
import { LibraryTable, type ModuleNamespace, type OfferedModule } from "./library_table.ts";
import { LoadedModules } from "./loaded_modules.ts";
import { ModuleError, type SourceLocation } from "./source_map.ts";
import { type ModuleName, type Unit, verifyUnits } from "./unit.ts";
import { UnitFiles } from "./unit_files.ts";
import { evaluatedTogether, hashesBelow } from "./unit_graph.ts";

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
  /** The library modules of the program; loaded before any unit. */
  libraries: LibraryImport[];
  /** The operator, for the history: `user@host`. */
  by: string;
  /** Whether the entry is evaluated anew, with what it imports in a cycle, when it has been before. */
  rerun?: boolean;
}

/** What a load did with one module of its request. */
export interface LoadOutcome extends ModuleName {
  /** Whether it was not loaded before. */
  loaded: boolean;
  /** Whether it was loaded once, replaced by another text, and is current again. */
  restored: boolean;
  /** Whether its `install` was called, after that. */
  installed: boolean;
  /** Whether it was loaded before and has been evaluated anew. */
  rerun: boolean;
}

/** A module that a server has evaluated; it stays until the server ends. */
export interface LoadedModule {
  /** The module id. */
  module: string;
  /** The hash that names the unit. */
  hash: string;
  /** The length of its text and source map, in bytes; what it holds is not known. */
  bytes: number;
}

/** A load that made a unit the current one of its module id. */
export interface LoadRecord extends ModuleName {
  /** When, in ms since the epoch. */
  time: number;
  /** The operator: `user@host`. */
  by: string;
  /** Whether the unit was evaluated anew. */
  rerun?: boolean;
  /** Whether the module id still stands for this unit. */
  current: boolean;
}

/** Options of {@linkcode UnitStore.load}. */
export interface LoadProgramOptions {
  /** Whether the module is what the process was started for: its `import.meta.main` is true. */
  asMain?: boolean;
}

/** A module that a program was compiled with, and has evaluated. */
export interface CompiledModule extends ModuleName {
  /** Its exports. */
  namespace: ModuleNamespace;
}

/** How far before a function its comment may begin, in UTF-16 code units. */
const MAX_COMMENT = 16 * 1024;

/** A comment, and what may stand between it and the text of the function or class that it is about. */
const COMMENT_BEFORE =
  /\/\*\*(?:(?!\*\/)[^])*\*\/\s*(?:(?:export|default|static|const|let|var)\s+)*(?:[\p{ID_Start}$_][\p{ID_Continue}$]*\s*=\s*)?$/u;

/**
 * Keeps the units of one server and evaluates each at most once: the same text is the same module for every load. A unit
 * that fails is forgotten, and tried again by the next load that needs it.
 */
export class UnitStore {
  readonly #files: UnitFiles;
  readonly #libraries: LibraryTable;
  readonly #units = new Map<string, Unit>();
  readonly #modules: LoadedModules;
  readonly #history = new LoadHistory();
  /** The hashes of units that stand for compiled modules, without their texts. */
  readonly #compiled = new Set<string>();
  #closed = false;

  private constructor(files: UnitFiles) {
    this.#files = files;
    this.#libraries = new LibraryTable(files);
    this.#modules = new LoadedModules(this.#units, files, this.#libraries);
  }

  /** Opens an empty store on its `directory`, which is made or emptied. */
  static async open(directory: string): Promise<UnitStore> {
    return new UnitStore(await UnitFiles.open(directory));
  }

  /** Removes the directory; what has been evaluated goes on. Loads that are under way may fail. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#files.close();
  }

  /** Which of these hashes the store has no unit for, in the order given. */
  missing(hashes: string[]): string[] {
    return hashes.filter((hash) => !this.#units.has(hash) || this.#compiled.has(hash));
  }

  /**
   * Takes units, to be loaded later. The members of an import cycle come together.
   *
   * @throws {ProtocolError} when units are not what their hashes say; then none is taken.
   */
  async add(units: Unit[]): Promise<void> {
    await verifyUnits(units);
    for (const unit of units) {
      if (this.#units.has(unit.hash) && !this.#compiled.delete(unit.hash)) continue;
      this.#units.set(unit.hash, unit);
    }
  }

  /**
   * Takes the modules that a program was compiled with as the current modules of their units: code that is loaded
   * later shares them. A store that has a unit already keeps its own module.
   *
   * @param by who started the program, for the history: `user@host`.
   */
  adopt(modules: readonly CompiledModule[], by: string): void {
    for (const { module, path, hash, namespace } of modules) {
      if (this.#units.has(hash)) continue;
      const name = { module, path, hash };
      // Its text and what it imports are in the executable, and come here when a program that has it is loaded.
      this.#units.set(hash, { ...name, text: "", links: [], metaProperties: [], pauses: false });
      this.#compiled.add(hash);
      this.#modules.adopt(hash, namespace);
      this.#history.makeCurrent(name, { by });
    }
  }

  /**
   * Loads a program whose units the store has: imports its libraries, evaluates what has not been,
   * and then, if all went well, makes its modules the current ones. Those that were current before and
   * are again do not run again; where they export a function `install`, it is called.
   *
   * @throws {ProtocolError} when units are missing.
   * @throws {ModuleError} when a library or a module fails, at the author's file and line; also when an
   * `install` does, but then its module is current.
   * @throws {DisconnectedError} when the store was closed meanwhile, and its files are gone.
   */
  async load(
    request: LoadRequest,
    { asMain = false }: LoadProgramOptions = {},
  ): Promise<{ namespace: ModuleNamespace; outcomes: LoadOutcome[] }> {
    try {
      if (asMain) this.#modules.makeMain(request.entry);
      return await this.#load(request);
    } catch (error) {
      if (!this.#closed || asMain) throw error;
      throw new DisconnectedError("the server has stopped, and loads nothing any more", {
        cause: error,
      });
    }
  }

  async #load(
    { entry, modules, libraries, by, rerun }: LoadRequest,
  ): Promise<{ namespace: ModuleNamespace; outcomes: LoadOutcome[] }> {
    const tree = hashesBelow(entry, this.#units);
    const stranger = modules.find(({ module, hash }) =>
      !tree.has(hash) || this.#units.get(hash)!.module !== module
    );
    if (stranger) throw new ProtocolError(`${stranger.path}: not a part of the unit ${entry}`);

    for (const library of libraries) await this.#importFor(library);
    const anew = new Set(rerun && this.#modules.count(entry) > 0 ? this.#together(entry) : []);
    const outcomes = modules.map((name): LoadOutcome => {
      const state = anew.has(name.hash) ? "rerun" : this.#state(name);
      return {
        ...name,
        loaded: state === "loaded",
        restored: state === "restored",
        installed: false,
        rerun: state === "rerun",
      };
    });
    if (anew.size > 0) await this.#modules.rerun(entry);
    else await this.#modules.evaluate(entry);
    for (const name of modules) {
      this.#history.makeCurrent(name, { by, rerun: anew.has(name.hash) });
    }
    for (const outcome of outcomes) {
      if (outcome.restored) outcome.installed = await this.#install(outcome);
    }
    return { namespace: this.#modules.namespace(entry)!, outcomes };
  }

  #together(entry: string): string[] {
    return evaluatedTogether(entry, this.#units).map(({ hash }) => hash);
  }

  /** Calls the `install` of a module that is current again; says whether it has one. */
  async #install({ hash, path }: ModuleName): Promise<boolean> {
    const { install } = this.#modules.namespace(hash) ?? {};
    if (typeof install !== "function") return false;
    try {
      await install();
    } catch (error) {
      const { reason, location } = this.#files.explainFailure(error, path);
      throw new ModuleError(`it is current again, but its install() failed: ${reason}`, location, {
        cause: error,
      });
    }
    return true;
  }

  /** The hashes that are current under these module ids; ids that nothing was loaded as are left out. */
  running(modules: string[]): Map<string, string> {
    const running = new Map<string, string>();
    for (const module of modules) {
      const record = this.#history.current(module);
      if (record) running.set(module, record.hash);
    }
    return running;
  }

  /** Every load that changed what is current; see {@linkcode LoadHistory.list}. */
  history(): LoadRecord[] {
    return this.#history.list();
  }

  /**
   * All modules that have been evaluated: one for each text that a module id was loaded with, and one more each time
   * that it was evaluated anew.
   */
  loaded(): LoadedModule[] {
    return [...this.#units.values()].flatMap(({ module, hash, text, mappings = "" }) => {
      const bytes = Buffer.byteLength(text) + mappings.length;
      return Array.from({ length: this.#modules.count(hash) }, () => ({ module, hash, bytes }));
    });
  }

  /** The exports of what is current under a module id, or undefined when it has not been evaluated. */
  namespace(module: string): ModuleNamespace | undefined {
    const record = this.#history.current(module);
    return record && this.#modules.namespace(record.hash);
  }

  /**
   * Offers a module that the program was built with to shipped code, under a bare specifier or under
   * its module id: then it stands in for the author's file of that id.
   */
  registerLibrary(specifier: string, module: OfferedModule): void {
    this.#libraries.register(specifier, module);
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
  importLibrary(
    specifier: string,
    attributes?: Record<string, string>,
  ): Promise<ModuleNamespace> {
    return this.#libraries.import(specifier, attributes);
  }

  /** Puts the author's files in place of the store's own, in a stack trace or message. */
  restoreSources(text: string): string {
    return this.#files.restoreSources(text);
  }

  /** The comment before a function or a class, given its text; undefined when no unit has it. */
  commentBefore(source: string): string | undefined {
    for (const { text } of this.#units.values()) {
      const start = text.indexOf(source);
      if (start < 0) continue;
      const [comment] = COMMENT_BEFORE.exec(text.slice(Math.max(0, start - MAX_COMMENT), start)) ??
        [];
      if (comment !== undefined) return comment.slice(0, comment.lastIndexOf("*/") + 2);
    }
  }

  /** What a load will do with a module. */
  #state(name: ModuleName): "loaded" | "restored" | "already" {
    if (this.#history.isSuperseded(name)) return "restored";
    // What only an import() leads to is loaded when it has been shipped, and evaluated later.
    const isKnown = this.#modules.namespace(name.hash) || this.#history.has(name.hash);
    return isKnown ? "already" : "loaded";
  }

  async #importFor({ specifier, importer, attributes }: LibraryImport): Promise<void> {
    try {
      await this.#libraries.import(specifier, attributes);
    } catch (error) {
      throw new ModuleError((error as Error).message, importer, { cause: error });
    }
  }
}

/** The history of one server. Every record is kept: the code that it tells of is, too. */
class LoadHistory {
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
    const before = this.current(module);
    if (!rerun && before?.hash === hash) return;
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
  }

  /** The whole history, in the order of module ids, and of each the newest last. */
  list(): LoadRecord[] {
    return [...this.#records.entries()]
      .sort(([a], [b]) => a < b ? -1 : 1)
      .flatMap(([, records]) => records.map((record) => ({ ...record })));
  }
}
