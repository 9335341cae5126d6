/**
 * The project that a module belongs to: a directory with a `deno.json` or a `package.json`, or the
 * workspace that this directory is a member of.
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

/** A package of the author's own, which others import by its name. */
export interface LocalPackage {
  /** The absolute path of its directory. */
  readonly directory: string;
  readonly name: string;
  readonly version: string | undefined;
  /** The absolute path of the file that it exports as `subpath`, `.` or `./x`, or undefined. */
  exported(subpath: string): string | undefined;
}

/** A project, as far as loading its modules needs to know it. */
export interface Project {
  /** The absolute path of its directory, or undefined for a module outside any project. */
  readonly directory?: string;
  /** Its version, where it has one. */
  readonly version?: string | undefined;
  /** Its import map, with those of the members of a workspace; empty where it has none. */
  readonly importMap: ImportMap;
  /** The unstable features of Deno that it uses. */
  readonly unstable: string[];
  /** The packages that its modules import by their names: its own, members and links. */
  readonly localPackages: LocalPackage[];
  /** Whether the version of one of them is in a range. */
  readonly satisfies: (version: string, range: string) => boolean;
  /** The packages of npm's kind around its files. */
  readonly packages: Packages;
  /** The versions of packages that it uses, where it has a lock file. */
  readonly lockFile?: LockFile | undefined;
  /** The compiler options of directories; those inside others stand before them. */
  readonly compilerOptions: DirectoryOptions[];
}

/** The compiler options of the files below a directory. */
interface DirectoryOptions {
  readonly directory: string;
  readonly options: CompilerOptions;
}

/** One directory of a project. */
interface Member {
  directory: string;
  configuration?: Configuration | undefined;
  package?: Package | undefined;
}

/**
 * Finds the project of the file at an absolute path.
 *
 * @throws {ModuleError} when a configuration, an import map or a `package.json` cannot be read.
 */
export async function findProject(path: string): Promise<Project> {
  const packages = new Packages();
  const found = await findRoot(path, packages);
  if (found === undefined) {
    const importMap = new ImportMap({}, pathToFileURL(path).href);
    return {
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
    importMap: await readImportMaps(root, [...members, ...links]),
    unstable: configuration?.unstable ?? [],
    localPackages: all.flatMap(localPackages),
    // A package alone satisfies every range for itself.
    satisfies: all.length > 1 ? await satisfying() : () => true,
    packages,
    lockFile: await LockFile.read(root.directory, configuration),
    compilerOptions: await readCompilerOptions(root, [...members, ...links]),
  };
}

async function satisfying(): Promise<Project["satisfies"]> {
  const { default: satisfies } = await import("npm:semver@^7.8.6/functions/satisfies.js");
  // A tag, such as "latest", says nothing of versions.
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
 * The nearest directory with a configuration or a package, unless it is a member of the workspace of one
 * above it.
 */
async function findRoot(
  path: string,
  packages: Packages,
): Promise<{ root: Member; members: Member[] } | undefined> {
  let nearest: Member | undefined;
  for (const directory of directoriesAbove(path)) {
    const candidate = await readMember(directory, packages).catch((error): Member => {
      // A directory above the project often belongs to somebody else.
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

/** The directories of the members of a workspace, deepest first; none where there is no workspace. */
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
    // As in Deno, a tsconfig.json counts beside a package.json.
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

/** The compiler options that change what a module does when it runs. */
export interface CompilerOptions {
  /** Whether decorators are those that TypeScript had before the standard. */
  experimentalDecorators?: boolean;
  /** Whether these decorators find the types of what they decorate. */
  emitDecoratorMetadata?: boolean;
  jsx?: string;
  jsxFactory?: string;
  jsxFragmentFactory?: string;
  jsxImportSource?: string;
  /** Whether imports stay that are used only as types. */
  verbatimModuleSyntax?: boolean;
}

/** A `deno.json`, as far as loading modules needs to know it. */
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
  /** What `links` was called before. */
  patch?: string[];
  compilerOptions?: CompilerOptions;
}

/**
 * The `deno.json` or `deno.jsonc` in a directory, or undefined.
 *
 * @throws {ModuleError} when it cannot be read.
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
  // As in Deno, an import map file counts only where the configuration has no map of its own.
  if (imports || scopes || !importMap) return { text: configuration, base };
  const url = new URL(importMap, base);
  const text = url.protocol === "file:"
    ? await readJsonc<ImportMapText>(fileURLToPath(url))
    : undefined;
  if (text === undefined) {
    throw new ModuleError(`its import map ${importMap} is no file that can be read`, { path });
  }
  return { text, base: url.href };
}

/** The compiler options of the `tsconfig.json` in a directory, with those that it extends. */
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
  /** Whether comments and trailing commas are read over, as in `deno.jsonc`. */
  comments?: boolean;
}

/**
 * Reads the JSON text of the file at `path`.
 *
 * @throws {ModuleError} at the line and column where it is not JSON.
 */
export async function parseJson(
  text: string,
  path: string,
  { comments = false }: ParseJsonOptions = {},
): Promise<unknown> {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Only now: JSON.parse is faster, but does not say where the fault is, and knows no comments.
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
