/**
 * Reads one module of a program as JavaScript, and resolves its imports.
 *
 * @module
 */
import { extname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ModuleError, type SourceLocation } from "../../runtime/code/source_map.ts";
import { RELATIVE } from "../../runtime/code/unit.ts";
import { findPlaces } from "../../runtime/home/paths.ts";
import { type Analysis, analyze, locator } from "./analysis.ts";
import { AnalysisCache } from "./analysis_cache.ts";
import {
  COMMON_JS,
  commonJsFacade,
  commonJsModule,
  completeRequired,
  isCommonJs,
  requiredModule,
} from "./common_js.ts";
import { type ComputedImport, findCandidates } from "./computed_imports.ts";
import {
  dataToJavaScript,
  type DataType,
  dataType,
  type JavaScript,
  toJavaScript,
  wasmToJavaScript,
} from "./javascript.ts";
import { type Import, type ModuleImports, parseModule } from "./syntax.ts";
import { isFile } from "./npm_packages.ts";
import { compilerOptions, findProject, moduleId, type Project } from "./project.ts";
import { type LibraryTarget, type LocalTarget, Resolver } from "./resolver.ts";

/** Ways to import a file other than as the module its extension says. */
export type TargetType = DataType | "commonjs";

/** A local module as the target of an import. */
export interface ModuleTarget extends LocalTarget {
  /** Its module id. */
  module: string;
  /** How to import it, if not as its extension says. */
  type?: TargetType;
}

/** Returns a position in an author's file. Finding it takes time, and only messages show it. */
export type Locate = () => SourceLocation;

/** An import and its target. */
export interface ResolvedImport extends Import {
  target: ModuleTarget | LibraryTarget;
  /** Returns its position in the author's file. */
  locate: Locate;
}

/** A module that a computed `import()` may lead to. */
export interface SourceCandidate {
  /** Its URL relative to the importer's file. */
  specifier: string;
  /** The type of the import attributes. */
  type?: string;
  target: ModuleTarget;
  /** Returns the position of the import in the author's file. */
  locate: Locate;
}

/** A specifier in a text that is replaced by another. */
export interface ResolvedSpecifier {
  /** The start of its literal, at the quote. */
  start: number;
  /** The end of its literal, after the quote. */
  end: number;
  /** The specifier that replaces it. */
  specifier: string;
  /** Absent, since it imports nothing. */
  target?: undefined;
}

/** A local module as JavaScript. */
export interface SourceModule extends JavaScript, Pick<ModuleImports, "metaProperties"> {
  /** The module id. */
  module: string;
  /** The absolute path of its file. */
  path: string;
  imports: ResolvedImport[];
  /** The positions of the keywords of its computed imports. */
  computedImports: number[];
  /** The positions of `Worker` where it starts workers with local modules. */
  workers: number[];
  /** The modules that these may lead to. */
  candidates: SourceCandidate[];
  /** The specifiers of `import.meta.resolve` that the project maps, with their targets. */
  resolved: ResolvedSpecifier[];
  /** Errors of dynamically imported modules; the `import()` fails with them when it runs. */
  failures: ModuleError[];
  /** The specifiers of the missing ones. */
  dangling: string[];
  /** Whether it has a top-level await. */
  pauses: boolean;
}

/** Options of {@linkcode ModuleReader.open}: the modules that the server has, and a cache. */
export interface ReaderOptions {
  /** Package prefixes of library modules that are installed in the server. */
  libraryPrefixes?: string[];
  /** Ids of local modules that are built into the server's program as library modules. */
  libraryModules?: string[];
  /** The analyses of an earlier load or run, to which those of new and changed modules are added. */
  cache?: AnalysisCache | undefined;
}

/** The URL of this module, which imports all that compiles modules and finds their imports. */
export const COMPILER: string = import.meta.url;

/** The absolute path of a program that is given as a path or `file:` URL. */
export function absolutePath(file: string): string {
  return file.startsWith("file:") ? fileURLToPath(file) : resolve(file);
}

/** Opens the user's cache of the analyses of a program, see {@linkcode AnalysisCache.open}. */
export async function openAnalyses(file: string): Promise<AnalysisCache | undefined> {
  const { analyses } = findPlaces();
  return await AnalysisCache.open(analyses, { entry: absolutePath(file), compiler: COMPILER });
}

/** Reads the modules of one program. */
export class ModuleReader {
  /** The absolute path of the entry module. */
  readonly entry: string;
  /** The project of the entry module. */
  readonly project: Project;
  /** The files that were asked for so far, also those that are missing. */
  readonly paths: Set<string> = new Set<string>();
  readonly #resolver: Resolver;
  readonly #libraryModules: Set<string>;
  readonly #cache: AnalysisCache | undefined;
  readonly #sources = new Map<string, Promise<SourceModule>>();

  private constructor(entry: string, project: Project, options: ReaderOptions) {
    this.entry = entry;
    this.project = project;
    this.#resolver = new Resolver(project, options.libraryPrefixes ?? []);
    this.#libraryModules = new Set(options.libraryModules);
    this.#cache = options.cache;
  }

  /**
   * Creates a reader for the program whose entry is `file`: a path, or a `file:` URL.
   *
   * @throws {ModuleError} if there is no such file, or its project cannot be read.
   */
  static async open(file: string, options: ReaderOptions = {}): Promise<ModuleReader> {
    if (/^(?:https?|jsr|npm|node|data|blob):/.test(file)) {
      throw new ModuleError(
        "is not a file on this host, and only files are shipped: load it with --library, or import " +
          "it in a module of your own",
        { path: file },
      );
    }
    const entry = absolutePath(file);
    if (!isFile(entry)) throw missingModule(entry, { path: entry });
    return new ModuleReader(entry, await findProject(entry), options);
  }

  /** The module id of a file of the program. For data it ends in the import type. */
  moduleId(path: string, type?: TargetType): string {
    const id = moduleId(this.project, path);
    return type === undefined ? id : `${id}?${type}`;
  }

  /**
   * Reads a module, once. `importer` returns the position of its first import, for errors.
   *
   * @throws {ModuleError} if it cannot be read or parsed, or imports something that cannot be
   * shipped.
   */
  read(target: ModuleTarget, importer: Locate): Promise<SourceModule> {
    this.paths.add(target.path);
    const source = this.#sources.get(target.module) ?? this.#read(target, importer);
    this.#sources.set(target.module, source);
    return source;
  }

  async #read(target: ModuleTarget, importer: Locate): Promise<SourceModule> {
    return await this.#resolveAll(await this.#analyze(target, importer), target);
  }

  async #analyze({ path, module, type }: ModuleTarget, importer: Locate): Promise<Analysis> {
    const bytes = readBytes(path, importer);
    if (type !== undefined && type !== "commonjs") {
      return await analyze({ text: await dataToJavaScript(bytes, type, path) }, path);
    }
    if (path.endsWith(".wasm")) return await analyze({ text: wasmToJavaScript(bytes, path) }, path);
    const source = new TextDecoder().decode(bytes);
    const options = compilerOptions(this.project, path);
    const origin = { source, options: JSON.stringify([extname(path), options]) };
    const known = this.#cache?.find(module, origin);
    const javascript = known ??
      await toJavaScript(source, path, { compilerOptions: options, module });
    const isCommon = await isCommonJs(javascript.text, path, {
      packages: this.project.packages,
      kind: type === "commonjs" ? "require" : "import",
    });
    if (type === "commonjs") {
      const generated = isCommon
        ? await commonJsModule(javascript, path, (specifier) => this.#required(specifier, path))
        : { text: requiredModule(path) };
      return await analyze(generated, path);
    }
    if (!isCommon) {
      if (known) return known;
      const analysis = await analyze(javascript, path);
      this.#cache?.add(module, origin, analysis);
      return analysis;
    }
    const facade = await commonJsFacade(
      javascript.text,
      path,
      (specifier, from) => this.#required(specifier, from),
    );
    return await analyze({ text: facade }, path);
  }

  /** Reads the entry module, as {@linkcode read} does. */
  readEntry(): Promise<SourceModule> {
    const path = this.entry;
    return this.read({ kind: "local", path, module: this.moduleId(path) }, () => ({ path }));
  }

  /** Resolves the imports of a module. */
  async #resolveAll(
    { computed, ...analysis }: Analysis,
    { path, module }: ModuleTarget,
  ): Promise<SourceModule> {
    const { imports } = analysis;
    const position = locator(analysis, path);
    const locate = (found: Import): Locate => () => position(found.start);
    const failures: ModuleError[] = [];
    // A missing target of an import() is an error only when it runs.
    const resolved = imports.flatMap((found): ResolvedImport | [] => {
      try {
        return this.#resolve(found, path, locate(found));
      } catch (error) {
        if (found.keyword === undefined || found.libraryOnly) throw error;
        if (!(error instanceof ModuleError)) throw error;
        failures.push(error);
        return [];
      }
    });
    for (const { target, locate } of resolved) {
      if (target.kind === "library") await checkDataUrl(target.specifier, locate);
    }
    const leading = new Set(resolved.map(({ keyword }) => keyword));
    const dangling = imports.filter(({ keyword }) =>
      keyword !== undefined && !leading.has(keyword)
    );
    return {
      ...analysis,
      module,
      path,
      imports: resolved,
      computedImports: [...computed.imports, ...dangling].map(({ keyword }) => keyword!),
      workers: computed.workers.map(({ keyword }) => keyword),
      candidates: [...computed.imports, ...computed.workers].flatMap((each) =>
        this.#candidates(each, path, position(each.keyword))
      ),
      resolved: computed.resolved.flatMap((each) => this.#mapped(each, path)),
      failures,
      dangling: dangling.map(({ specifier }) => specifier),
    };
  }

  #candidates(
    computed: ComputedImport,
    path: string,
    location: SourceLocation,
  ): SourceCandidate[] {
    const { type } = computed;
    const data = type === undefined || type === "worker" ? undefined : dataType({ type });
    if (type !== undefined && type !== "worker" && data === undefined) return [];
    const mapped = (specifier: string) => {
      const target = this.#resolver.resolve(specifier, path);
      return target?.kind === "local" ? target.path : undefined;
    };
    const found = findCandidates(computed, { path, location, mapped });
    return found.map((file): SourceCandidate => ({
      specifier: file.specifier,
      ...type !== undefined && { type },
      target: {
        kind: "local",
        path: file.path,
        module: this.moduleId(file.path, data),
        ...data && { type: data },
      },
      locate: () => location,
    }));
  }

  /** The mapped target of a specifier, if it differs. */
  #mapped(found: ResolvedSpecifier, path: string): ResolvedSpecifier | [] {
    const target = this.#resolver.resolve(found.specifier, path);
    if (target === undefined) return [];
    const specifier = target.kind === "library"
      ? target.specifier
      : pathToFileURL(target.path).href + (target.suffix ?? "");
    const plain = RELATIVE.test(found.specifier)
      ? new URL(found.specifier, pathToFileURL(path)).href
      : found.specifier;
    return specifier === plain ? [] : { ...found, specifier };
  }

  #required(specifier: string, from: string): LocalTarget | LibraryTarget | undefined {
    const target = this.#inServer(this.#resolver.resolve(specifier, from, "require"));
    if (target?.kind !== "local") return target;
    const path = completeRequired(target.path, this.project.packages);
    return isFile(path) ? { ...target, path } : undefined;
  }

  #resolve(found: Import, path: string, locate: Locate): ResolvedImport {
    const { specifier, attributes = {}, libraryOnly } = found;
    if (specifier.startsWith(COMMON_JS)) {
      const file = specifier.slice(COMMON_JS.length);
      const target = { kind: "local", path: file, type: "commonjs" } as const;
      return { ...found, target: { ...target, module: this.moduleId(file, "commonjs") }, locate };
    }
    const resolved = this.#inServer(this.#resolver.resolve(specifier, path));
    if (resolved === undefined) {
      throw new ModuleError(
        `cannot resolve ${JSON.stringify(specifier)}: map it in the imports of deno.json, add ` +
          "it to the dependencies of package.json, or, if it is installed in the server, name its " +
          "package with --library-prefix",
        locate(),
      );
    }
    const hasAttributes = Object.keys(attributes).length > 0;
    if (resolved.kind === "library") {
      // The shim that links a bare library is always JavaScript.
      if (hasAttributes && !URL.canParse(resolved.specifier)) {
        throw new ModuleError(
          "a library module that the server resolves cannot be imported with attributes",
          locate(),
        );
      }
      return { ...found, target: resolved, locate };
    }
    if (libraryOnly !== undefined) throw new ModuleError(libraryOnly, locate());
    const isLate = found.keyword !== undefined;
    if (isLate && !isFile(resolved.path)) throw missingModule(resolved.path, locate());
    const type = hasAttributes ? dataType(attributes) : undefined;
    if (hasAttributes && type === undefined) {
      throw new ModuleError(
        'a local file is imported as a module, or with the one attribute type: "json", "text" or ' +
          '"bytes"',
        locate(),
      );
    }
    const module = this.moduleId(resolved.path + (resolved.suffix ?? ""), type);
    const target = { ...resolved, module, ...type && { type } };
    return { ...found, target, locate };
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
 * Checks the module in a `data:` URL as one in a file.
 *
 * @throws {ModuleError} at its import, if it is not JavaScript or TypeScript, or is nested too
 * deep.
 */
async function checkDataUrl(specifier: string, locate: Locate): Promise<void> {
  const [, language] = /^data:(?:text|application)\/(?:x-)?(java|type)script\b/.exec(specifier) ??
    [];
  if (language === undefined) return;
  const text = await (await fetch(specifier)).text();
  const path = language === "type" ? "data.ts" : "data.js";
  try {
    const { text: javascript } = await toJavaScript(text, path, {
      compilerOptions: {},
      module: path,
    });
    const { fault, reason } = await parseModule(javascript, path);
    if (fault !== undefined) throw new ModuleError(`SyntaxError: ${reason}`, { path });
  } catch (error) {
    if (!(error instanceof ModuleError)) throw error;
    throw new ModuleError(`the module in this data: URL: ${error.reason}`, locate(), {
      cause: error,
    });
  }
}

/**
 * Reads a file. Not asynchronously: a program has hundreds of small files, and each would cost more
 * than its content.
 */
function readBytes(path: string, importer: Locate): Uint8Array<ArrayBuffer> {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw missingModule(path, importer());
    throw new ModuleError(`cannot read ${path}: ${(error as Error).message}`, importer(), {
      cause: error,
    });
  }
}

function missingModule(path: string, importer: SourceLocation): ModuleError {
  const subject = importer.path === path ? "there is no such module" : `there is no module ${path}`;
  for (const extension of [".ts", ".tsx", ".mts", ".js", ".mjs", ".jsx"]) {
    if (isFile(path + extension)) {
      return new ModuleError(`${subject}; did you mean ${path}${extension}?`, importer);
    }
  }
  return new ModuleError(subject, importer);
}
