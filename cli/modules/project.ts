/**
 * The project of a module: the directory of a `deno.json` or `package.json`, or the workspace that
 * this directory is a member of.
 *
 * @see https://docs.deno.com/runtime/fundamentals/workspaces/
 * @module
 */
import type { ParseError } from "npm:jsonc-parser@^3.3.1";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { lineStarts, ModuleError, positionAt } from "../../runtime/code/source_map.ts";
import { RELATIVE } from "../../runtime/code/unit.ts";
import { ImportMap, type ImportMapText, type MappedDirectory } from "./import_map.ts";
import {
  directoriesAbove,
  exportedFile,
  LockFile,
  type Package,
  Packages,
  readIfThere,
} from "./npm_packages.ts";

/** A local package that is imported by name: a workspace member or a link. */
export interface LocalPackage {
  /** The absolute path of its directory. */
  readonly directory: string;
  readonly name: string;
  readonly version: string | undefined;
  /**
   * The absolute path of the file that it exports as `subpath`, `.` or `./x`; undefined if there is
   * none.
   */
  exported(subpath: string): string | undefined;
}

/** The parts of a project that matter for loading its modules. */
export interface Project {
  /** The absolute path of its directory; undefined for a module outside any project. */
  readonly directory?: string;
  /** Its version, if it has one. */
  readonly version?: string | undefined;
  /** The files that say all this, and those that would if they existed. */
  readonly files: string[];
  /** Its import map, including those of workspace members; empty if it has none. */
  readonly importMap: ImportMap;
  /** The unstable features of Deno that it enables. */
  readonly unstable: string[];
  /** The packages that its modules import by name: itself, workspace members and links. */
  readonly localPackages: LocalPackage[];
  /** Whether a local package's version is in a range. */
  readonly satisfies: (version: string, range: string) => boolean;
  /** The npm packages around its files. */
  readonly packages: Packages;
  /** Its locked versions, if it has a lock file. */
  readonly lockFile?: LockFile | undefined;
  /** The compiler options of directories, innermost first. */
  readonly compilerOptions: DirectoryOptions[];
}

/** The compiler options of the files below a directory. */
interface DirectoryOptions {
  readonly directory: string;
  readonly options: CompilerOptions;
}

/** A directory of a workspace. */
interface Member {
  directory: string;
  configuration?: Configuration | undefined;
  package?: Package | undefined;
}

/**
 * Finds the project of the file at an absolute path.
 *
 * @throws {ModuleError} if a configuration, an import map or a `package.json` cannot be read.
 */
export async function findProject(path: string): Promise<Project> {
  const packages = new Packages();
  const found = await findRoot(path, packages);
  if (found === undefined) {
    const importMap = new ImportMap({}, pathToFileURL(path).href);
    return {
      files: CONFIGURATIONS.map((name) => join(dirname(path), name)),
      importMap,
      unstable: [],
      localPackages: [],
      satisfies: () => true,
      packages,
      compilerOptions: [],
    };
  }
  const { root, members } = found;
  const { configuration } = root;
  const links = await Promise.all(
    [...configuration?.links ?? [], ...configuration?.patch ?? []].map((link) =>
      readMember(resolve(root.directory, link), packages)
    ),
  );
  const all = [root, ...members, ...links];
  return {
    directory: root.directory,
    version: configuration?.version ?? root.package?.version,
    files: all.flatMap(configurationFiles),
    importMap: await readImportMaps(root, [...members, ...links]),
    unstable: configuration?.unstable ?? [],
    localPackages: all.flatMap(localPackages),
    // A package without a workspace satisfies every range of itself.
    satisfies: all.length > 1 ? await satisfying() : () => true,
    packages,
    lockFile: await LockFile.read(root.directory, configuration),
    compilerOptions: await readCompilerOptions(root, [...members, ...links]),
  };
}

/** The names of the files that configure a project, in its directory. */
const CONFIGURATIONS = ["deno.json", "deno.jsonc", "package.json", "tsconfig.json", "deno.lock"];

function configurationFiles({ directory, configuration }: Member): string[] {
  const { importMap } = configuration ?? {};
  return [...CONFIGURATIONS, ...importMap === undefined ? [] : [importMap]].map((name) =>
    resolve(directory, name)
  );
}

async function satisfying(): Promise<Project["satisfies"]> {
  const { default: satisfies } = await import("npm:semver@^7.8.6/functions/satisfies.js");
  // A tag, such as "latest", is not a range.
  return (version, range) => !/\d/.test(range) || satisfies(version, range);
}

/** The module id of the file at an absolute path. */
export function moduleId(project: Project, path: string): string {
  if (project.directory === undefined) return path;
  return relative(project.directory, path).split(sep).join("/");
}

/** The compiler options of the file at an absolute path. */
export function compilerOptions(project: Project, path: string): CompilerOptions {
  return project.compilerOptions.find(({ directory }) => isBelow(path, directory))?.options ?? {};
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}

/**
 * The nearest directory with a configuration or a package, unless it is a workspace member: then
 * the workspace's.
 */
async function findRoot(
  path: string,
  packages: Packages,
): Promise<{ root: Member; members: Member[] } | undefined> {
  let nearest: Member | undefined;
  for (const directory of directoriesAbove(path)) {
    const candidate = await readMember(directory, packages).catch((error): Member => {
      // A directory above the project may belong to another user.
      if (nearest && error instanceof ModuleError) return { directory };
      throw error;
    });
    if (!candidate.configuration && !candidate.package) continue;
    nearest ??= candidate;
    const directories = await memberDirectories(candidate);
    if (
      candidate === nearest && directories.length > 0 || directories.includes(nearest.directory)
    ) {
      const members = await Promise.all(directories.map((each) => readMember(each, packages)));
      return { root: candidate, members };
    }
  }
  return nearest && { root: nearest, members: [] };
}

async function readMember(directory: string, packages: Packages): Promise<Member> {
  return {
    directory,
    configuration: await readConfiguration(directory),
    package: packages.at(directory),
  };
}

/** The directories of workspace members, deepest first; empty without a workspace. */
async function memberDirectories({ directory, configuration, package: own }: Member) {
  const { workspace } = configuration ?? {};
  const patterns = [
    ...(Array.isArray(workspace) ? workspace : workspace?.members) ?? [],
    ...(Array.isArray(own?.workspaces) ? own.workspaces : own?.workspaces?.packages) ?? [],
  ].map((pattern) => pattern.replace(/^\.\//, "").replace(/\/+$/, ""));
  if (patterns.length === 0) return [];
  const { glob } = await import("node:fs/promises");
  const excluded = patterns.filter((pattern) => pattern.startsWith("!"));
  const included = patterns.filter((pattern) => !pattern.startsWith("!"));
  const found = new Set<string>();
  const options = {
    cwd: directory,
    exclude: (path: string) => basename(path) === "node_modules",
  };
  for await (const each of glob(included, options)) found.add(resolve(directory, each));
  for (const pattern of excluded) {
    for await (const each of glob(pattern.slice(1), options)) {
      found.delete(resolve(directory, each));
    }
  }
  found.delete(directory);
  return [...found].sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
}

async function readImportMaps(root: Member, others: Member[]): Promise<ImportMap> {
  const { text, base } = root.configuration
    ? await readImportMap(root.configuration)
    : { text: {}, base: pathToFileURL(join(root.directory, "package.json")).href };
  const directories = others.flatMap(({ configuration }): MappedDirectory[] => {
    if (!configuration?.imports) return [];
    const { imports, path } = configuration;
    return [{ imports, base: pathToFileURL(path).href }];
  });
  return new ImportMap(text, base, directories);
}

function localPackages({ directory, configuration, package: own }: Member): LocalPackage[] {
  const found: LocalPackage[] = [];
  if (configuration?.name !== undefined && configuration.exports !== undefined) {
    const { name, version, exports } = configuration;
    const all = typeof exports === "string" ? { ".": exports } : exports;
    found.push({
      directory,
      name,
      version,
      exported: (subpath) =>
        Object.hasOwn(all, subpath) ? join(directory, all[subpath]!) : undefined,
    });
  }
  if (own?.name !== undefined) {
    const { name, version } = own;
    found.push({ directory, name, version, exported: (subpath) => exportedFile(own, subpath) });
  }
  return found;
}

async function readCompilerOptions(root: Member, others: Member[]): Promise<DirectoryOptions[]> {
  const read = async ({ directory, configuration, package: own }: Member) => ({
    // As in Deno, tsconfig.json applies next to a package.json.
    ...own && await readTypeScriptOptions(directory),
    ...configuration?.compilerOptions,
  });
  const inherited = await read(root);
  const all = await Promise.all(others.map(async (member): Promise<DirectoryOptions> => ({
    directory: member.directory,
    options: { ...inherited, ...await read(member) },
  })));
  all.sort((a, b) => b.directory.length - a.directory.length);
  return [...all, { directory: root.directory, options: inherited }];
}

/** Compiler options that affect what a module does when it runs. */
export interface CompilerOptions {
  /** Whether decorators are TypeScript's legacy decorators. */
  experimentalDecorators?: boolean;
  /** Whether to emit type metadata for legacy decorators. */
  emitDecoratorMetadata?: boolean;
  jsx?: string;
  jsxFactory?: string;
  jsxFragmentFactory?: string;
  jsxImportSource?: string;
  /** Whether to keep imports that are only used as types. */
  verbatimModuleSyntax?: boolean;
}

/** The parts of a `deno.json` that matter for loading modules. */
export interface Configuration extends ImportMapText {
  /** Its absolute path. */
  path: string;
  name?: string;
  version?: string;
  exports?: string | Record<string, string>;
  importMap?: string;
  lock?: boolean | string | { path?: string };
  unstable?: string[];
  workspace?: string[] | { members?: string[] };
  links?: string[];
  /** The former name of `links`. */
  patch?: string[];
  compilerOptions?: CompilerOptions;
}

/**
 * Reads the `deno.json` or `deno.jsonc` in a directory; undefined if there is none.
 *
 * @throws {ModuleError} if it cannot be read.
 */
async function readConfiguration(directory: string): Promise<Configuration | undefined> {
  for (const name of ["deno.json", "deno.jsonc"]) {
    const path = join(directory, name);
    const configuration = await readJsonc<Configuration>(path);
    if (configuration) return { ...configuration, path };
  }
}

/** The import map of a configuration, and the URL that its addresses are relative to. */
async function readImportMap(
  configuration: Configuration,
): Promise<{ text: ImportMapText; base: string }> {
  const { imports, scopes, importMap, path } = configuration;
  const base = pathToFileURL(path).href;
  // As in Deno, an import map file applies only if the configuration itself has no map.
  if (imports || scopes || !importMap) return { text: configuration, base };
  const url = new URL(importMap, base);
  const text = url.protocol === "file:"
    ? await readJsonc<ImportMapText>(fileURLToPath(url))
    : undefined;
  if (text === undefined) {
    throw new ModuleError(`its import map ${importMap} cannot be read as a file`, { path });
  }
  return { text, base: url.href };
}

/**
 * Reads the compiler options of the `tsconfig.json` in a directory, including those that it
 * extends.
 */
async function readTypeScriptOptions(directory: string): Promise<CompilerOptions> {
  return await readExtended(join(directory, "tsconfig.json"), new Set());
}

async function readExtended(path: string, seen: Set<string>): Promise<CompilerOptions> {
  const read = seen.has(path)
    ? undefined
    : await readJsonc<{ extends?: string | string[]; compilerOptions?: CompilerOptions }>(path);
  if (read === undefined) return {};
  seen.add(path);
  const bases = [read.extends ?? []].flat().filter((base) => RELATIVE.test(base));
  const inherited = await Promise.all(bases.map((base) => {
    const file = resolve(dirname(path), base);
    return readExtended(file.endsWith(".json") ? file : `${file}.json`, seen);
  }));
  return Object.assign({}, ...inherited, read.compilerOptions);
}

async function readJsonc<T extends object>(path: string): Promise<T | undefined> {
  const text = readIfThere(path);
  return text === undefined ? undefined : await parseJson(text, path, { comments: true }) as T;
}

/** Options of {@linkcode parseJson}. */
interface ParseJsonOptions {
  /** Whether to accept comments and trailing commas, as in `deno.jsonc`. */
  comments?: boolean;
}

/**
 * Parses the JSON text of the file at `path`.
 *
 * @throws {ModuleError} at the line and column of the syntax error.
 */
export async function parseJson(
  text: string,
  path: string,
  { comments = false }: ParseJsonOptions = {},
): Promise<unknown> {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Loaded only on failure: JSON.parse is faster, but does not report positions or accept
    // comments.
    const { parse, printParseErrorCode } = await import("npm:jsonc-parser@^3.3.1");
    const faults: ParseError[] = [];
    const value = parse(text, faults, {
      disallowComments: !comments,
      allowTrailingComma: comments,
    });
    const fault = faults[0];
    if (fault) {
      const reason = printParseErrorCode(fault.error).replace(/(?<=[a-z])(?=[A-Z])/g, " ");
      const position = positionAt(lineStarts(text), fault.offset);
      throw new ModuleError(`not JSON: ${reason.toLowerCase()}`, { path, ...position }, {
        cause: error,
      });
    }
    if (!comments) throw new ModuleError((error as Error).message, { path }, { cause: error });
    return value;
  }
}
