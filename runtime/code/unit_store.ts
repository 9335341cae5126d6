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
import { evaluatedTogether, unitTree } from "./unit_graph.ts";

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
  /** Who asks, for the history: `user@host`. */
  by: string;
  /** Whether the entry is evaluated anew, with what it imports in a cycle, when it has been before. */
  rerun?: boolean;
}

/** What a load did with the modules of its request, in their order. */
export interface LoadOutcome {
  /** Those that were not loaded before. */
  loaded: ModuleName[];
  /** Those that were loaded once, then replaced by another text, and are current again. */
  restored: ModuleName[];
  /** Those that were loaded already. */
  already: ModuleName[];
  /** Those that were loaded before, and have been evaluated anew. */
  rerun: ModuleName[];
  /** Those of `restored` that export a function `install`, which has been called. */
  installed: ModuleName[];
}

/** A module that a server has evaluated; it stays until the server ends. */
export interface Instance {
  /** The module id. */
  module: string;
  /** The hash that names the unit. */
  hash: string;
  /** The length of its text and source map, in bytes; what it holds is not known. */
  bytes: number;
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

/** What a load did, and what it gives. */
export interface LoadResult extends LoadOutcome {
  /** The exports of the entry. */
  namespace: ModuleNamespace;
}

/** How far before a function its comment may begin, in UTF-16 code units. */
const MAX_COMMENT = 16 * 1024;

/** A comment, and what may stand between it and the text of the function or class that it is about. */
const COMMENT_BEFORE =
  /\/\*\*(?:(?!\*\/)[^])*\*\/\s*(?:(?:export|default|static|const|let|var)\s+)*(?:[\p{ID_Start}$_][\p{ID_Continue}$]*\s*=\s*)?$/u;

/**
 * Keeps the units of one server and evaluates each at most once: the same text is the same instance,
 * whoever loads it. What fails is forgotten and tried again when it is next asked for.
 */
export class UnitStore {
  readonly #files: UnitFiles;
  readonly #libraries: LibraryTable;
  readonly #units = new Map<string, Unit>();
  readonly #instances: LoadedModules;
  readonly #history = new LoadHistory();
  /** The hashes of units that stand for compiled modules, without their texts. */
  readonly #compiled = new Set<string>();
  #closed = false;

  private constructor(files: UnitFiles) {
    this.#files = files;
    this.#libraries = new LibraryTable(files);
    this.#instances = new LoadedModules(this.#units, files, this.#libraries);
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
   * Takes the modules that a program was compiled with as the current instances of their units: code that is
   * loaded later shares them. A store that has a unit already keeps its own instance.
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
      this.#instances.adopt(hash, namespace);
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
  ): Promise<LoadResult> {
    try {
      if (asMain) this.#instances.makeMain(request.entry);
      return await this.#load(request);
    } catch (error) {
      if (!this.#closed || asMain) throw error;
      throw new DisconnectedError("the server has stopped, and loads nothing any more", {
        cause: error,
      });
    }
  }

  async #load({ entry, modules, libraries, by, rerun }: LoadRequest): Promise<LoadResult> {
    const tree = unitTree(entry, this.#units);
    const stranger = modules.find(({ module, hash }) =>
      !tree.has(hash) || this.#units.get(hash)!.module !== module
    );
    if (stranger) throw new ProtocolError(`${stranger.path}: not a part of the unit ${entry}`);

    for (const library of libraries) await this.#importFor(library);
    const outcome: LoadOutcome = {
      loaded: [],
      restored: [],
      already: [],
      rerun: [],
      installed: [],
    };
    const anew = new Set(rerun && this.#instances.count(entry) > 0 ? this.#together(entry) : []);
    for (const name of modules) {
      outcome[anew.has(name.hash) ? "rerun" : this.#state(name)].push(name);
    }
    if (anew.size > 0) await this.#instances.rerun(entry);
    else await this.#instances.evaluate(entry);
    for (const name of modules) {
      this.#history.makeCurrent(name, { by, rerun: anew.has(name.hash) });
    }
    for (const name of outcome.restored) {
      if (await this.#install(name)) outcome.installed.push(name);
    }
    return { namespace: this.#instances.namespace(entry)!, ...outcome };
  }

  #together(entry: string): string[] {
    return evaluatedTogether(entry, this.#units).map(({ hash }) => hash);
  }

  /** Calls the `install` of a module that is current again; says whether it has one. */
  async #install({ hash, path }: ModuleName): Promise<boolean> {
    const { install } = this.#instances.namespace(hash) ?? {};
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
  history(): ListedLoad[] {
    return this.#history.list();
  }

  /**
   * All that has been evaluated: an instance for each text that a module was loaded with, and one more each
   * time that it was evaluated anew.
   */
  instances(): Instance[] {
    return [...this.#units.values()].flatMap(({ module, hash, text, mappings = "" }) => {
      const bytes = Buffer.byteLength(text) + mappings.length;
      return Array.from({ length: this.#instances.count(hash) }, () => ({ module, hash, bytes }));
    });
  }

  /** The exports of what is current under a module id, or undefined when it has not been evaluated. */
  namespace(module: string): ModuleNamespace | undefined {
    const record = this.#history.current(module);
    return record && this.#instances.namespace(record.hash);
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
    const isKnown = this.#instances.namespace(name.hash) || this.#history.has(name.hash);
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
