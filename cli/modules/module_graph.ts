/**
 * The module graph of a program: the author's modules, and where their imports lead.
 *
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ModuleError, type SourceLocation } from "../../runtime/code/module_error.ts";
import { sourcePosition } from "../../runtime/code/source_map.ts";
import { lineStarts, positionAt } from "../../runtime/code/text_position.ts";
import { dataToJavaScript, type DataType, dataType } from "./data_module.ts";
import { findImports, type Import, type ModuleImports } from "./imports.ts";
import { type JavaScript, toJavaScript } from "./javascript.ts";
import { findProject, moduleId, type Project } from "./project.ts";
import { mayPause } from "./top_level_await.ts";
import { type LibraryTarget, type LocalTarget, Resolver } from "./resolver.ts";

/** One of the author's modules as an import leads to it. */
export interface ModuleTarget extends LocalTarget {
  /** Its module id. */
  module: string;
  /** What it is imported as, where it is data. */
  type?: DataType;
}

/** An import, and what it leads to. */
export interface ResolvedImport extends Import {
  target: ModuleTarget | LibraryTarget;
  /** Where the author wrote it. */
  location: SourceLocation;
}

/** One of the author's modules, without its types. */
export interface SourceModule extends JavaScript, Pick<ModuleImports, "metaProperties"> {
  /** The module id. */
  module: string;
  /** The absolute path of its file. */
  path: string;
  imports: ResolvedImport[];
  /** Whether its evaluation may pause. */
  pauses: boolean;
}

/** What is to be read, beside the entry. */
export interface GraphOptions {
  /** Package prefixes of library modules that are installed in the server. */
  libraryPrefixes?: string[];
  /** Ids of the author's modules that the server was built with, and has as library modules. */
  libraryModules?: string[];
}

/** Reads the modules of one program. */
export class ModuleReader {
  /** The absolute path of the module that the program is named by. */
  readonly entry: string;
  readonly #project: Project;
  readonly #resolver: Resolver;
  readonly #libraryModules: Set<string>;

  private constructor(entry: string, project: Project, options: GraphOptions) {
    this.entry = entry;
    this.#project = project;
    this.#resolver = new Resolver(project.importMap, options.libraryPrefixes ?? []);
    this.#libraryModules = new Set(options.libraryModules);
  }

  /**
   * Makes a reader for the program whose entry is `file`: a path, or a `file:` URL.
   *
   * @throws {ModuleError} when there is no such file, or its project cannot be read.
   */
  static async open(file: string, options: GraphOptions = {}): Promise<ModuleReader> {
    if (/^(?:https?|jsr|npm|node|data|blob):/.test(file)) {
      throw new ModuleError(
        "is not a file on this host, and only those are shipped: load it with --library, or import " +
          "it in a module of your own",
        { path: file },
      );
    }
    const entry = file.startsWith("file:") ? fileURLToPath(file) : resolve(file);
    if (!await isFile(entry)) throw await missingModule(entry, { path: entry });
    return new ModuleReader(entry, await findProject(entry), options);
  }

  /** The module id of a file of the program; of data it ends in what the file is imported as. */
  moduleId(path: string, type?: DataType): string {
    const id = moduleId(this.#project, path);
    return type === undefined ? id : `${id}?${type}`;
  }

  /**
   * Reads a module; `importer` is where it is asked for, for errors.
   *
   * @throws {ModuleError} when it cannot be read or parsed, or imports what cannot be shipped.
   */
  async read(target: ModuleTarget, importer: SourceLocation): Promise<SourceModule> {
    const { path, module, type } = target;
    const bytes = await readBytes(path, importer);
    if (type !== undefined) {
      const text = await dataToJavaScript(bytes, type, path);
      return { text, module, path, imports: [], metaProperties: [], pauses: false };
    }
    const javascript = await toJavaScript(new TextDecoder().decode(bytes), path);
    const { imports, metaProperties } = await findImports(javascript.text, path);
    const locate = locator(javascript, path);
    return {
      ...javascript,
      module,
      path,
      imports: imports.map((found) => this.#resolve(found, path, locate(found.start))),
      metaProperties,
      pauses: await mayPause(javascript.text),
    };
  }

  /** Reads the module that the program is named by, as {@linkcode ModuleReader.read} does. */
  readEntry(): Promise<SourceModule> {
    const path = this.entry;
    return this.read({ kind: "local", path, module: this.moduleId(path) }, { path });
  }

  #resolve(found: Import, path: string, location: SourceLocation): ResolvedImport {
    const { specifier, attributes = {}, libraryOnly } = found;
    const resolved = this.#inServer(this.#resolver.resolve(specifier, path));
    if (resolved === undefined) {
      throw new ModuleError(
        `nothing says what ${JSON.stringify(specifier)} is: map it in the imports of ` +
          `deno.json, or, if it is installed in the server, name its package with --library-prefix`,
        location,
      );
    }
    const hasAttributes = Object.keys(attributes).length > 0;
    if (resolved.kind === "library") {
      // The shim by which a bare library is linked is JavaScript, whatever the library is.
      if (hasAttributes && !URL.canParse(resolved.specifier)) {
        throw new ModuleError(
          "a library module that the server resolves cannot be imported with attributes",
          location,
        );
      }
      return { ...found, target: resolved, location };
    }
    if (libraryOnly !== undefined) throw new ModuleError(libraryOnly, location);
    const type = hasAttributes ? dataType(attributes) : undefined;
    if (hasAttributes && type === undefined) {
      throw new ModuleError(
        'a local file is imported as a module, or with the one attribute type: "json", "text" or ' +
          '"bytes"',
        location,
      );
    }
    const target = { ...resolved, module: this.moduleId(resolved.path, type), ...type && { type } };
    return { ...found, target, location };
  }

  #inServer(
    target: LocalTarget | LibraryTarget | undefined,
  ): LocalTarget | LibraryTarget | undefined {
    if (target?.kind !== "local") return target;
    const specifier = this.moduleId(target.path);
    return this.#libraryModules.has(specifier) ? { kind: "library", specifier } : target;
  }
}

/**
 * Reads all modules of a program, by module id, the entry first. `onRead` is told how many they are so
 * far, after each.
 *
 * @throws {ModuleError} as {@linkcode ModuleReader.read} does.
 */
export async function readModuleGraph(
  reader: ModuleReader,
  onRead?: (count: number) => void,
): Promise<Map<string, SourceModule>> {
  const graph = new Map<string, SourceModule>();
  const pending: ResolvedImport[] = [];
  const add = (source: SourceModule): void => {
    graph.set(source.module, source);
    onRead?.(graph.size);
    // Reversed, for the stack to give them back in the order of the text.
    pending.push(...source.imports.toReversed());
  };
  add(await reader.readEntry());
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { target, location } = next;
    if (target.kind === "library" || graph.has(target.module)) continue;
    add(await reader.read(target, location));
  }
  return graph;
}

/** Finds where the author wrote what is at a position in a module's text. */
function locator(
  { text, mappings }: JavaScript,
  path: string,
): (position: number) => SourceLocation {
  const starts = lineStarts(text);
  return (position) => ({
    path,
    ...sourcePosition(mappings ?? [], positionAt(starts, position)),
  });
}

async function readBytes(path: string, importer: SourceLocation): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw await missingModule(path, importer);
    throw new ModuleError(`cannot read ${path}: ${(error as Error).message}`, importer, {
      cause: error,
    });
  }
}

async function missingModule(path: string, importer: SourceLocation): Promise<ModuleError> {
  const subject = importer.path === path ? "there is no such module" : `there is no module ${path}`;
  for (const extension of [".ts", ".mts", ".js", ".mjs"]) {
    if (await isFile(path + extension)) {
      return new ModuleError(`${subject}; did you mean ${path}${extension}?`, importer);
    }
  }
  return new ModuleError(subject, importer);
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
