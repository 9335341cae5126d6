/**
 * Where the imports of a program lead: to the author's files, or to library modules of the server.
 *
 * @module
 */
import { fileURLToPath, pathToFileURL } from "node:url";
import { RUNTIME_MODULE } from "../../runtime/code/library_table.ts";
import type { ImportMap } from "./import_map.ts";
import { isRuntime } from "./runtime_module.ts";

/** A file of the author's. */
export interface LocalTarget {
  kind: "local";
  /** Its absolute path. */
  path: string;
}

/** A library module of the server. */
export interface LibraryTarget {
  kind: "library";
  /** What the server calls it. */
  specifier: string;
}

/** Bare specifiers that are library modules in every server: the runtime's own. */
const RUNTIME_PREFIX = "@gxensemble/";

/** Resolves specifiers as the modules of one program mean them. */
export class Resolver {
  readonly #importMap: ImportMap;
  readonly #libraryPrefixes: string[];

  /**
   * Makes a resolver. `libraryPrefixes` are the packages that are installed in the server, such as
   * `my` or `my/`: what starts with one is a library module as it stands, whatever the map says.
   */
  constructor(importMap: ImportMap, libraryPrefixes: string[]) {
    this.#importMap = importMap;
    this.#libraryPrefixes = [RUNTIME_PREFIX, ...libraryPrefixes];
  }

  /** The target of `specifier` in the file `referrer`; undefined for a bare one that nothing maps. */
  resolve(specifier: string, referrer: string): LocalTarget | LibraryTarget | undefined {
    if (this.#libraryPrefixes.some((prefix) => isWithin(specifier, prefix))) {
      return { kind: "library", specifier };
    }
    const resolved = this.#importMap.resolve(specifier, pathToFileURL(referrer).href);
    if (resolved === undefined) return undefined;
    if (isRuntime(resolved)) return { kind: "library", specifier: RUNTIME_MODULE };
    return resolved.startsWith("file:")
      ? { kind: "local", path: fileURLToPath(resolved) }
      : { kind: "library", specifier: resolved };
  }
}

function isWithin(specifier: string, prefix: string): boolean {
  const directory = prefix.endsWith("/") ? prefix : `${prefix}/`;
  return specifier === prefix || specifier.startsWith(directory);
}
