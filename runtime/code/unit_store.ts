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
  /** The position of its first import in the program, for messages. */
  importer: SourceLocation;
  /** The import attributes there, if any. */
  attributes?: Record<string, string>;
}

/** A client's request to load a program. */
export interface LoadRequest {
  /** The hash of the module to load. */
  entry: string;
  /** The modules that become current: the program's, or the single one of a forced load. */
  modules: ModuleName[];
  /** The library modules of the program; loaded before any unit. */
  libraries: LibraryImport[];
  /** The operator, for the history: `user@host`. */
  by: string;
  /** Whether to evaluate the entry again, with its import cycle, if it was evaluated before. */
  rerun?: boolean;
}

/** The result of a load for one module. */
export interface LoadOutcome extends ModuleName {
  /** Whether it was newly loaded. */
  loaded: boolean;
  /** Whether it had been replaced by another text, and is current again. */
  restored: boolean;
  /** Whether its `install` was called. */
  installed: boolean;
  /** Whether it was evaluated again. */
  rerun: boolean;
}

/** A loaded module. It remains until the server ends. */
export interface LoadedModule {
  /** The module id. */
  module: string;
  /** The SHA-256 of the unit. */
  hash: string;
  /** The length of its text and source map, in bytes. The memory that it uses is unknown. */
  bytes: number;
}

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

/** Options of {@linkcode UnitStore.load}. */
export interface LoadProgramOptions {
  /** Whether it is the main module of the process: its `import.meta.main` is true. */
  asMain?: boolean;
}

/** A module that is compiled into the program, and already evaluated. */
export interface CompiledModule extends ModuleName {
  /** Its exports. */
  namespace: ModuleNamespace;
}

/** The maximum distance from a function to the start of its comment, in UTF-16 code units. */
const MAX_COMMENT = 16 * 1024;

/** A comment, and the text allowed between it and its function or class. */
const COMMENT_BEFORE =
  /\/\*\*(?:(?!\*\/)[^])*\*\/\s*(?:(?:export|default|static|const|let|var)\s+)*(?:[\p{ID_Start}$_][\p{ID_Continue}$]*\s*=\s*)?$/u;

/**
 * Stores the units of one server and evaluates each at most once: the same text is the same module
 * for every load. A failed unit is forgotten, and retried by the next load that needs it.
 */
export class UnitStore {
  readonly #files: UnitFiles;
  readonly #libraries: LibraryTable;
  readonly #units = new Map<string, Unit>();
  readonly #modules: LoadedModules;
  readonly #history = new LoadHistory();
  /** The hashes of units that represent compiled modules, without their texts. */
  readonly #compiled = new Set<string>();
  #closed = false;

  private constructor(files: UnitFiles) {
    this.#files = files;
    this.#libraries = new LibraryTable(files);
    this.#modules = new LoadedModules(this.#units, files, this.#libraries);
  }

  /** Opens an empty store in its `directory`, which is created or emptied. */
  static async open(directory: string): Promise<UnitStore> {
    return new UnitStore(await UnitFiles.open(directory));
  }

  /** Removes the directory. Loaded modules continue to run. Pending loads may fail. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#files.close();
  }

  /** The hashes whose units the store lacks, in the given order. */
  missing(hashes: string[]): string[] {
    return hashes.filter((hash) => !this.#units.has(hash) || this.#compiled.has(hash));
  }

  /**
   * Adds units, to be loaded later. The members of an import cycle must come together.
   *
   * @throws {ProtocolError} if a unit does not match its hash; then none is added.
   */
  async add(units: Unit[]): Promise<void> {
    await verifyUnits(units);
    for (const unit of units) {
      if (this.#units.has(unit.hash) && !this.#compiled.delete(unit.hash)) continue;
      this.#units.set(unit.hash, unit);
    }
  }

  /**
   * Registers the modules compiled into a program as the current modules of their units, so that
   * code that is loaded later shares them. If the store has a unit already, it keeps its own
   * module.
   *
   * @param by the user who started the program, for the history: `user@host`.
   */
  adopt(modules: readonly CompiledModule[], by: string): void {
    for (const { module, path, hash, namespace } of modules) {
      if (this.#units.has(hash)) continue;
      const name = { module, path, hash };
      // The executable contains the text and links; they are shipped when a program that imports it
      // is loaded.
      this.#units.set(hash, { ...name, text: "", links: [], metaProperties: [], pauses: false });
      this.#compiled.add(hash);
      this.#modules.adopt(hash, namespace);
      this.#history.makeCurrent(name, { by });
    }
  }

  /**
   * Loads a program whose units the store has: imports its libraries, evaluates units that have not
   * been evaluated, and then, if nothing failed, makes its modules current. Modules that become
   * current again do not run again; if they export a function `install`, it is called.
   *
   * @throws {ProtocolError} if units are missing.
   * @throws {ModuleError} if a library or a module fails, at the author's file and line; also if an
   * `install` does, but then its module is current.
   * @throws {DisconnectedError} if the store was closed meanwhile, and its files are gone.
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
      throw new DisconnectedError("the server has stopped, and no longer loads code", {
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

  /** Calls the `install` of a module that is current again. Returns whether it has one. */
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

  /** The current hashes of module ids; ids without one are left out. */
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
   * All loaded modules: one for each text that a module id was loaded with, and one more each time
   * that it was evaluated again.
   */
  loaded(): LoadedModule[] {
    return [...this.#units.values()].flatMap(({ module, hash, text, mappings = "" }) => {
      const bytes = Buffer.byteLength(text) + mappings.length;
      return Array.from({ length: this.#modules.count(hash) }, () => ({ module, hash, bytes }));
    });
  }

  /** The exports of the current module of a module id; undefined if it was not evaluated. */
  namespace(module: string): ModuleNamespace | undefined {
    const record = this.#history.current(module);
    return record && this.#modules.namespace(record.hash);
  }

  /**
   * Registers a module built into the program as a library, under a bare specifier or its module
   * id; in the latter case it replaces the author's file of that id.
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
   * @throws {EnsembleError} if it cannot.
   */
  importLibrary(
    specifier: string,
    attributes?: Record<string, string>,
  ): Promise<ModuleNamespace> {
    return this.#libraries.import(specifier, attributes);
  }

  /** Replaces the store's files by the author's in a stack trace or message. */
  restoreSources(text: string): string {
    return this.#files.restoreSources(text);
  }

  /**
   * The comment before a function or class with the given text; undefined if no unit contains it.
   */
  commentBefore(source: string): string | undefined {
    for (const { text } of this.#units.values()) {
      const start = text.indexOf(source);
      if (start < 0) continue;
      const [comment] = COMMENT_BEFORE.exec(text.slice(Math.max(0, start - MAX_COMMENT), start)) ??
        [];
      if (comment !== undefined) return comment.slice(0, comment.lastIndexOf("*/") + 2);
    }
  }

  /** Determines what a load will do with a module. */
  #state(name: ModuleName): "loaded" | "restored" | "already" {
    if (this.#history.isSuperseded(name)) return "restored";
    // A module behind an import() counts as loaded when it has been shipped; it is evaluated later.
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

/** The history of one server. Every record is kept, since the code is kept, too. */
class LoadHistory {
  readonly #records = new Map<string, LoadRecord[]>();
  readonly #hashes = new Set<string>();

  /** The current record of a module id. */
  current(module: string): LoadRecord | undefined {
    return this.#records.get(module)?.at(-1);
  }

  /** Whether a unit was current for its module id, and another is now. */
  isSuperseded({ module, hash }: ModuleName): boolean {
    const records = this.#records.get(module) ?? [];
    return records.at(-1)?.hash !== hash && records.some((record) => record.hash === hash);
  }

  /** Whether a unit is, or was, current for any module id. */
  has(hash: string): boolean {
    return this.#hashes.has(hash);
  }

  /** Makes a unit current, and records it in the history unless nothing changed. */
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

  /** The whole history, by module id, each with the newest last. */
  list(): LoadRecord[] {
    return [...this.#records.entries()]
      .sort(([a], [b]) => a < b ? -1 : 1)
      .flatMap(([, records]) => records.map((record) => ({ ...record })));
  }
}
