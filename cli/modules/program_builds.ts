/**
 * The units of one program for several servers: it is read and compiled once for all servers that
 * have the same library modules.
 *
 * @module
 */
import { ProgressLine } from "../kit/progress.ts";
import type { Loader } from "./loader_set.ts";
import { ModuleReader, openAnalyses } from "./module_reader.ts";
import { buildUnits, type UnitTree } from "./unit_building.ts";

/** Options of {@linkcode ProgramBuilds}. */
export interface BuildingOptions {
  /** Whether to build only the entry, linked to what each server has loaded. */
  readonly force: boolean;
  /** The prefixes of library modules, which servers resolve themselves. */
  readonly libraryPrefix: string[];
}

/** Builds one program. */
export class ProgramBuilds {
  readonly #file: string;
  readonly #options: BuildingOptions;
  /** The units by the library modules of the server. */
  readonly #built = new Map<string, Promise<UnitTree>>();

  /** Will build the module in `file`, a path or `file:` URL. */
  constructor(file: string, options: BuildingOptions) {
    this.#file = file;
    this.#options = options;
  }

  /**
   * The units for a server.
   *
   * @throws {ModuleError} at the file and line that cannot be read, parsed, resolved or shipped.
   */
  async for(loader: Loader, timeout: number): Promise<UnitTree> {
    const libraryModules = await loader.libraries({}, { timeout });
    if (this.#options.force) return await this.#build(libraryModules, loader);
    const key = JSON.stringify(libraryModules);
    const built = this.#built.get(key) ?? this.#build(libraryModules);
    this.#built.set(key, built);
    return await built;
  }

  /** Builds the program; with the loader of a server, only its entry. */
  async #build(libraryModules: string[], loader?: Loader): Promise<UnitTree> {
    using progress = new ProgressLine();
    const libraryPrefixes = this.#options.libraryPrefix;
    const cache = await openAnalyses(this.#file);
    const reader = await ModuleReader.open(this.#file, { libraryPrefixes, libraryModules, cache });
    const tree = await buildUnits(reader, {
      onRead: (count) => progress.showBar("reading modules:", count),
      ...loader && { running: (modules: string[]) => loader.running({ modules }) },
    });
    // A forced load has read only one module of the program.
    if (!loader) await cache?.save();
    return tree;
  }
}
