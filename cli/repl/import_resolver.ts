/**
 * Resolves the imports of REPL inputs: to modules loaded in the server, or to its library modules.
 *
 * @module
 */
import { join, resolve } from "node:path";
import type { ImportTarget } from "../../runtime/repl/repl_protocol.ts";
import { findProject, moduleId, type Project } from "../modules/project.ts";
import { Resolver } from "../modules/resolver.ts";

/** The file from which inputs resolve imports, in the working directory. */
const REFERRER = "repl.ts";

/** Resolves an import. */
export type ResolveImport = (
  specifier: string,
  attributes?: Record<string, string>,
) => Promise<ImportTarget>;

/** Resolves specifiers like a module in a directory. It reads no files except configurations. */
export class ImportResolver {
  readonly #directory: string;
  readonly #resolver: Resolver;
  readonly #mapped: string[];

  private constructor(directory: string, project: Project, libraryPrefixes: string[]) {
    this.#directory = directory;
    this.#resolver = new Resolver(project, libraryPrefixes);
    this.#mapped = Object.keys(project.importMap.toJSON().imports ?? {})
      .filter((key) => !URL.canParse(key));
  }

  /**
   * Makes a resolver for a directory. `libraryPrefixes` come from `--library-prefix`.
   *
   * @throws {ModuleError} if the configuration of the project there cannot be read.
   */
  static async open(directory: string, libraryPrefixes: string[]): Promise<ImportResolver> {
    const project = await findProject(join(directory, REFERRER));
    return new ImportResolver(directory, project, libraryPrefixes);
  }

  /** The bare specifiers that the project maps. Those that end in a slash are prefixes. */
  mapped(): readonly string[] {
    return this.#mapped;
  }

  /** The path of the directory at the start of a specifier: all of it up to a slash, or nothing. */
  directory(specifier: string): string {
    const target = specifier === ""
      ? undefined
      : this.#resolver.resolve(specifier, join(this.#directory, REFERRER));
    return target?.kind === "local" ? target.path : resolve(this.#directory, specifier);
  }

  /**
   * Resolves a specifier. A bare one that is not mapped is a module id, or the path of a file from
   * the directory, as in `gxensemble load`.
   */
  async resolve(specifier: string, attributes?: Record<string, string>): Promise<ImportTarget> {
    const target = this.#resolver.resolve(specifier, join(this.#directory, REFERRER));
    if (target?.kind === "library") {
      return { ...target, ...(attributes && { attributes }) };
    }
    const path = target?.path ?? resolve(this.#directory, specifier);
    const id = moduleId(await findProject(path), path);
    const ids = target ? [id] : [specifier, id];
    return { kind: "module", specifier, ids: [...new Set(ids)] };
  }
}
