/**
 * Forced loads: one module alone, linked to what a server already runs.
 *
 * @module
 */
import { ModuleError } from "../../runtime/code/module_error.ts";
import { unitSpecifier } from "../../runtime/code/unit.ts";
import { type GraphOptions, ModuleReader, type SourceModule } from "./module_graph.ts";
import { buildUnit, libraryImports, type Program } from "./program.ts";

/** A module that is to be loaded without what it imports. */
export class ForcedModule {
  /** The ids of the local modules that it imports, each once. */
  readonly imports: string[];
  readonly #source: SourceModule;

  private constructor(source: SourceModule) {
    this.#source = source;
    const modules = source.imports.flatMap(({ target }) =>
      target.kind === "local" ? [target.module] : []
    );
    const candidates = source.candidates.map(({ target }) => target.module);
    this.imports = [...new Set([...modules, ...candidates])];
  }

  /**
   * Reads the module in `file`, a path or `file:` URL.
   *
   * @throws {ModuleError} when it cannot be read, parsed or resolved.
   */
  static async read(file: string, options?: GraphOptions): Promise<ForcedModule> {
    const reader = await ModuleReader.open(file, options);
    return new ForcedModule(await reader.readEntry());
  }

  /**
   * Builds the program of this one module for a server that runs these hashes under module ids.
   *
   * @throws {ModuleError} at the import of a module that the server does not run.
   */
  async build(running: Map<string, string>): Promise<Program> {
    // What a computed import may lead to is what is there.
    const candidates = this.#source.candidates.filter(({ target }) => running.has(target.module));
    const unit = await buildUnit({ ...this.#source, candidates }, (module) => {
      const hash = running.get(module);
      if (hash !== undefined) return unitSpecifier(hash);
      const { location } = this.#source.imports.find(({ target }) =>
        target.kind === "local" && target.module === module
      )!;
      throw new ModuleError(`the server does not run ${module}: load without -f`, location);
    });
    return {
      entry: unit.hash,
      units: [unit],
      libraries: libraryImports([this.#source]),
      failures: this.#source.failures,
    };
  }
}
