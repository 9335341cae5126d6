/**
 * The module graph of a program: the author's modules, and where their imports lead.
 *
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ModuleError, type SourceLocation } from "../../runtime/code/module_error.ts";
import { findImports, type Import, positionAt } from "./imports.ts";
import { type JavaScript, toJavaScript } from "./javascript.ts";
import { findProject, moduleId, type Project } from "./project.ts";
import { Resolver, type Target } from "./resolver.ts";

/** An import, and what it leads to. */
export interface ResolvedImport extends Import {
  target: Target;
  /** Where the author wrote it. */
  location: SourceLocation;
}

/** One of the author's modules, without its types. */
export interface SourceModule extends JavaScript {
  /** The module id. */
  module: string;
  /** The absolute path of its file. */
  path: string;
  imports: ResolvedImport[];
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
    const entry = file.startsWith("file:") ? fileURLToPath(file) : resolve(file);
    if (!await isFile(entry)) throw await missingModule(entry, { path: entry });
    return new ModuleReader(entry, await findProject(entry), options);
  }

  /** The module id of a file of the program. */
  moduleId(path: string): string {
    return moduleId(this.#project, path);
  }

  /**
   * Reads a module; `importer` is where it is asked for, for errors.
   *
   * @throws {ModuleError} when it cannot be read or parsed, or imports what cannot be shipped.
   */
  async read(path: string, importer: SourceLocation = { path }): Promise<SourceModule> {
    const javascript = await toJavaScript(await readSource(path, importer), path);
    const imports = await findImports(javascript.text, path);
    return {
      ...javascript,
      module: this.moduleId(path),
      path,
      imports: imports.map((found) => this.#resolve(found, javascript, path)),
    };
  }

  #resolve(found: Import, javascript: JavaScript, path: string): ResolvedImport {
    const location = authorLocation(javascript, path, found.start);
    const target = this.#inServer(this.#resolver.resolve(found.specifier, path));
    const refusal = target === undefined
      ? `nothing says what ${JSON.stringify(found.specifier)} is: map it in the imports of ` +
        `deno.json, or, if it is installed in the server, name its package with --library-prefix`
      : refuse(found, target);
    if (refusal !== undefined) throw new ModuleError(refusal, location);
    return { ...found, target: target!, location };
  }

  #inServer(target: Target | undefined): Target | undefined {
    if (target?.kind !== "local") return target;
    const specifier = this.moduleId(target.path);
    return this.#libraryModules.has(specifier) ? { kind: "library", specifier } : target;
  }
}

/**
 * Reads all modules of a program, by path, the entry first.
 *
 * @throws {ModuleError} as {@linkcode ModuleReader.read} does.
 */
export async function readModuleGraph(reader: ModuleReader): Promise<Map<string, SourceModule>> {
  const graph = new Map<string, SourceModule>();
  const pending: [path: string, importer?: SourceLocation][] = [[reader.entry]];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const [path, importer] = next;
    if (graph.has(path)) continue;
    const module = await reader.read(path, importer);
    graph.set(path, module);
    // Reversed, for the stack to give them back in the order of the text.
    for (const { target, location } of module.imports.toReversed()) {
      if (target.kind === "local") pending.push([target.path, location]);
    }
  }
  return graph;
}

/** Why an import cannot be shipped, or undefined when it can. */
function refuse({ dynamic, attributes }: Import, target: Target): string | undefined {
  if (target.kind === "local" && attributes) {
    return `an import with attributes (${
      formatAttributes(attributes)
    }) of a local file cannot be ` +
      `shipped: export the data from a module`;
  }
  if (target.kind === "local" && dynamic) {
    return "a dynamic import of a local module cannot be shipped: import it with a statement";
  }
  // The shim by which a bare library is linked is JavaScript, whatever the library is.
  if (target.kind === "library" && attributes && !URL.canParse(target.specifier)) {
    return "a library module that the server resolves cannot be imported with attributes";
  }
}

function formatAttributes(attributes: Record<string, string>): string {
  return Object.entries(attributes).map(([key, value]) => `${key}: "${value}"`).join(", ");
}

function authorLocation({ text, lines }: JavaScript, path: string, start: number): SourceLocation {
  const position = positionAt(text, start);
  return lines ? { path, line: lines[position.line - 1] } : { path, ...position };
}

async function readSource(path: string, importer: SourceLocation): Promise<string> {
  try {
    return await Deno.readTextFile(path);
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
