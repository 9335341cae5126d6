/**
 * The unit store: the shipped code of one server, and the history of its loads.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { DisconnectedError, ProtocolError } from "../errors.ts";
import { LibraryTable, type ModuleNamespace, type OfferedModule } from "./library_table.ts";
import { LoadedModules } from "./loaded_modules.ts";
import { type LoadEvent, LoadHistory, type LoadRecord } from "./load_history.ts";
import { type ChangeServices, serviceChange } from "./service_versions.ts";
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
  /** Whether modules that become current again, and have no `install`, are evaluated again. */
  rerunRestored?: boolean;
  /**
   * Names the load, so that the store can go back from it: the same in all servers of a roll-out.
   * Without one, it is the load of the program that the process was started for.
   */
  id?: string;
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

/**
 * What going back did with a module:
 *
 * - `installed`: its earlier version is current again, and its `install` was called.
 * - `rerun`: its earlier version is current again, and its text was run again.
 * - `restored`: its earlier version is current again, and there was nothing to run.
 * - `uninstalled`: it had no earlier version, and its `uninstall` was called.
 * - `not undone`: what it did stays, since it cannot be run again or exports no `uninstall`.
 * - `replaced`: a later load has replaced it, so it stays as it is.
 */
export type WayBack =
  | "installed"
  | "rerun"
  | "restored"
  | "uninstalled"
  | "not undone"
  | "replaced";

/** The result of going back for one module. */
export interface BackOutcome extends ModuleName {
  /** What was done. {@linkcode ModuleName.hash} is what is current now, or was until now. */
  way: WayBack;
  /** Why its `install`, `uninstall` or text failed; absent if it did not. */
  failure?: string;
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

/** A module that is current. */
interface CurrentModule {
  readonly name: ModuleName;
  readonly namespace: ModuleNamespace;
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
  /** The loads under way, by their ids. */
  readonly #underWay = new Map<string, Promise<unknown>>();
  /** The hashes of units that represent compiled modules, without their texts. */
  readonly #compiled = new Set<string>();
  #closed = false;
  /** Exchanges the handlers of running services. Default: none are exchanged. */
  changeServices: ChangeServices = () => Promise.resolve();

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
      this.#history.record({ by, entry: name, modules: [{ name }] });
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
      return await this.#note(request.id, this.#load(request));
    } catch (error) {
      if (!this.#closed || asMain) throw error;
      throw new DisconnectedError("the server has stopped, and no longer loads code", {
        cause: error,
      });
    }
  }

  /** Notes a load that is under way. */
  async #note<Result>(id: string | undefined, loading: Promise<Result>): Promise<Result> {
    if (id === undefined) return await loading;
    this.#underWay.set(id, loading);
    try {
      return await loading;
    } finally {
      if (this.#underWay.get(id) === loading) this.#underWay.delete(id);
    }
  }

  async #load(
    { entry, modules, libraries, by, rerun, rerunRestored, id }: LoadRequest,
  ): Promise<{ namespace: ModuleNamespace; outcomes: LoadOutcome[] }> {
    const tree = hashesBelow(entry, this.#units);
    const stranger = modules.find(({ module, hash }) =>
      !tree.has(hash) || this.#units.get(hash)!.module !== module
    );
    if (stranger) throw new ProtocolError(`${stranger.path}: not a part of the unit ${entry}`);

    for (const library of libraries) await this.#importFor(library);
    const replaced = this.#currentOf(modules);
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
    await this.#takeOver(modules, replaced);
    const program = modules.find(({ hash }) => hash === entry) ?? this.#units.get(entry)!;
    this.#history.record({
      id,
      by,
      entry: nameOf(program),
      modules: modules.map((name) => ({ name: nameOf(name), rerun: anew.has(name.hash) })),
    });
    const ran = new Set<string>();
    for (const outcome of outcomes) {
      if (!outcome.restored) continue;
      const again = this.#currentOf([outcome]);
      const way = await this.#runAgain(outcome, { ran, rerun: rerunRestored });
      outcome.installed = way === "installed";
      if (way === "rerun") await this.#takeOver([outcome], again);
      outcome.rerun = way === "rerun";
    }
    return { namespace: this.#modules.namespace(entry)!, outcomes };
  }

  /**
   * Goes back from a load: makes current again what it replaced, unless another load has replaced
   * that meanwhile. A module that is current again has its `install` called; one without it runs
   * again, in the order of the imports. A module that had no earlier version has its `uninstall`
   * called. A failure does not stop the others. Waits for the load if it is under way.
   *
   * @param by the operator, for the history: `user@host`.
   * @returns what was done with each module; undefined if there is no such load, or the store went
   * back from it before.
   */
  async goBack({ id, by }: { id: string; by: string }): Promise<BackOutcome[] | undefined> {
    await this.#underWay.get(id)?.catch(() => {});
    const replaced = this.#currentOf(this.#history.changed(id));
    const changes = this.#history.goBack(id, by);
    if (!changes) return undefined;
    const outcomes: BackOutcome[] = [];
    const ran = new Set<string>();
    for (const { name, before, isReplaced } of changes) {
      if (isReplaced) outcomes.push({ ...name, way: "replaced" });
      else if (before) {
        outcomes.push(
          await this.#attempt(before, "restored", async () => {
            try {
              return await this.#runAgain(before, { ran, rerun: true });
            } finally {
              await this.#takeOver([before], replaced);
            }
          }),
        );
      }
    }
    // What imports others is undone before them.
    for (const { name, before, isReplaced } of changes.toReversed()) {
      if (isReplaced || before) continue;
      outcomes.push(await this.#attempt(name, "not undone", () => this.#uninstall(name)));
    }
    return outcomes;
  }

  async #restore(
    hash: string,
    { ran, rerun }: { ran: Set<string>; rerun: boolean },
  ): Promise<WayBack> {
    const namespace = this.#modules.namespace(hash);
    if (!namespace) return "restored";
    if (typeof namespace.install === "function") {
      await namespace.install();
      return "installed";
    }
    if (ran.has(hash)) return "rerun";
    if (!rerun) return "restored";
    // The text is in the executable.
    if (this.#compiled.has(hash)) return "not undone";
    for (const each of this.#together(hash)) ran.add(each);
    await this.#modules.rerun(hash);
    return "rerun";
  }

  async #uninstall({ hash }: ModuleName): Promise<WayBack> {
    const namespace = this.#modules.namespace(hash);
    if (!namespace) return "restored";
    if (typeof namespace.uninstall !== "function") return "not undone";
    await namespace.uninstall();
    return "uninstalled";
  }

  /** Does what going back takes for one module; `failed` is the way if that fails. */
  async #attempt(
    name: ModuleName,
    failed: WayBack,
    work: () => Promise<WayBack>,
  ): Promise<BackOutcome> {
    try {
      return { ...name, way: await work() };
    } catch (error) {
      const { message } = error instanceof ModuleError
        ? error
        : this.#files.explainFailure(error, name.path);
      return { ...name, way: failed, failure: message };
    }
  }

  #together(entry: string): string[] {
    return evaluatedTogether(entry, this.#units).map(({ hash }) => hash);
  }

  /**
   * Calls the `install` of a module that is current again. One without it is evaluated again, if
   * that is wanted.
   */
  async #runAgain(
    { hash, path }: ModuleName,
    { ran, rerun = false }: { ran: Set<string>; rerun?: boolean | undefined },
  ): Promise<WayBack> {
    try {
      return await this.#restore(hash, { ran, rerun });
    } catch (error) {
      if (error instanceof ModuleError) throw error;
      const { reason, location } = this.#files.explainFailure(error, path);
      throw new ModuleError(`it is current again, but its install() failed: ${reason}`, location, {
        cause: error,
      });
    }
  }

  /** What is current of modules, with the exports that it has now. */
  #currentOf(modules: readonly ModuleName[]): Map<string, CurrentModule> {
    return new Map(modules.flatMap(({ module }): [string, CurrentModule][] => {
      const name = this.#history.current(module);
      const namespace = name && this.#modules.namespace(name.hash);
      return namespace ? [[module, { name, namespace }]] : [];
    }));
  }

  /**
   * Has modules take over the services of those that they replace.
   *
   * @throws {ModuleError} if a service cannot go on with them; then all go on as before.
   */
  async #takeOver(
    modules: readonly ModuleName[],
    replaced: ReadonlyMap<string, CurrentModule>,
  ): Promise<void> {
    const changes = modules.flatMap((to) => {
      const from = replaced.get(to.module);
      if (!from) return [];
      const namespace = this.#modules.namespace(to.hash);
      const direction = this.#history.direction(from.name, to);
      return serviceChange(from.namespace, namespace, direction) ?? [];
    });
    if (changes.length === 0) return;
    try {
      await this.changeServices(changes);
    } catch (error) {
      const { path } = modules.at(-1)!;
      const { message } = error as Error;
      throw new ModuleError(this.#files.restoreSources(message), { path }, { cause: error });
    }
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

  /** The hashes that the program which the process was started for has of these module ids. */
  program(modules: readonly string[]): Map<string, string> {
    return new Map(modules.flatMap((module): [string, string][] => {
      const hash = this.#history.program(module);
      return hash === undefined ? [] : [[module, hash]];
    }));
  }

  /** The loads that changed what is current, oldest first. */
  loads(): LoadEvent[] {
    return this.#history.loads();
  }

  /**
   * The units of a tree, with their texts.
   *
   * @throws {ProtocolError} if one is missing, or is compiled into the program.
   */
  tree(entry: string): Unit[] {
    return [...hashesBelow(entry, this.#units)].map((hash) => {
      if (!this.#compiled.has(hash)) return this.#units.get(hash)!;
      throw new ProtocolError(`unit ${hash} is compiled into the program, which has no text of it`);
    });
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

  /**
   * Checks that units of a length in bytes can be written to the store's directory.
   *
   * @throws {EnsembleError} if they cannot, such as on a full disk.
   */
  requireRoom(bytes: number): Promise<void> {
    return this.#files.requireRoom(bytes);
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

/** The name of a unit alone, without its text. */
function nameOf({ module, path, hash }: ModuleName): ModuleName {
  return { module, path, hash };
}
