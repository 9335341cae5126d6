/**
 * npm packages: names, exports, imports and dependencies from `package.json`, and versions from
 * `deno.lock`.
 *
 * @see https://nodejs.org/api/packages.html
 * @see https://docs.deno.com/runtime/fundamentals/modules/#integrity-checking-and-lock-files
 *
 * @module
 */
import { dirname, join, resolve } from "node:path";
import { exports, imports } from "npm:resolve.exports@^2.0.4";
import { ModuleError } from "../../runtime/code/source_map.ts";
import type { Configuration } from "./project.ts";

/** The parts of a package that matter for imports. */
export interface Package {
  /** The absolute path of its directory. */
  readonly directory: string;
  readonly name?: string;
  readonly version?: string;
  readonly type?: string;
  readonly main?: string;
  readonly exports?: unknown;
  readonly imports?: unknown;
  readonly workspaces?: string[] | { packages?: string[] };
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
}

/** A package in a `node_modules` directory. */
export interface InstalledPackage extends Package {
  /** Whether it came from a registry, so that servers can find it there. */
  readonly isPublished: boolean;
}

/** How a module imports another: `import` or `require`. */
export type ImportKind = "import" | "require";

/** The conditions that Deno sets, in addition to `default`. */
const CONDITIONS: Record<ImportKind, string[]> = {
  import: ["deno", "node", "import", "module-sync"],
  require: ["deno", "node", "require", "module-sync"],
};

/**
 * The index files that Node tries for a package without an entry, and their TypeScript equivalents.
 */
const INDEX_FILES = ["index.js", "index.mjs", "index.cjs", "index.ts", "index.mts"];

/** A cache of packages: each `package.json` is read once per run. */
export class Packages {
  readonly #read = new Map<string, Package | undefined>();

  /**
   * The package in a directory; undefined if there is none.
   *
   * @throws {ModuleError} if its `package.json` cannot be read.
   */
  at(directory: string): Package | undefined {
    if (!this.#read.has(directory)) this.#read.set(directory, readPackage(directory));
    return this.#read.get(directory);
  }

  /** The package that contains the file at an absolute path: the nearest one above it. */
  around(path: string): Package | undefined {
    for (const directory of directoriesAbove(path)) {
      // The project around node_modules is not the package itself.
      if (directory.endsWith("node_modules")) return undefined;
      const found = this.at(directory);
      if (found) return found;
    }
  }

  /** The package of a name that is installed for the file at an absolute path. */
  installed(name: string, path: string): InstalledPackage | undefined {
    for (const directory of directoriesAbove(path)) {
      const modules = join(directory, "node_modules");
      const found = this.at(join(modules, name));
      if (found === undefined) continue;
      const real = Deno.realPathSync(found.directory);
      const isPublished = /\/node_modules\/\.(?:deno|pnpm)\//.test(real) ||
        this.#locked(modules, name);
      return { ...found, directory: real, isPublished };
    }
  }

  /** Whether npm has installed a package from a registry. */
  #locked(modules: string, name: string): boolean {
    try {
      const { packages } = JSON.parse(
        Deno.readTextFileSync(join(modules, ".package-lock.json")),
      );
      return /^https?:/.test(packages[`node_modules/${name}`]?.resolved);
    } catch {
      return false; // Another tool has installed it, or it is not installed.
    }
  }
}

/** The directories above a path, nearest first. */
export function* directoriesAbove(path: string): Generator<string> {
  for (let directory = dirname(path);; directory = dirname(directory)) {
    yield directory;
    if (dirname(directory) === directory) return;
  }
}

/** Splits a bare specifier into the package's name and a subpath, `.` or `./x`. */
export function splitSpecifier(specifier: string): { name: string; subpath: string } {
  const [, name = specifier, rest = ""] = /^((?:@[^/]+\/)?[^/]+)(\/.*)?$/.exec(specifier) ?? [];
  return { name, subpath: `.${rest}` };
}

/** A package's entry for one of its dependencies: a version range, or a location. */
export function dependencyOf(own: Package, name: string): string | undefined {
  const { dependencies, devDependencies, optionalDependencies, peerDependencies } = own;
  for (
    const all of [dependencies, optionalDependencies, devDependencies, peerDependencies]
  ) {
    if (all && Object.hasOwn(all, name)) return all[name];
  }
}

/**
 * The absolute path of the file that a package exports as `subpath`; undefined if there is none.
 */
export function exportedFile(
  own: Package,
  subpath: string,
  kind: ImportKind = "import",
): string | undefined {
  if (own.exports !== undefined && own.exports !== null) {
    const target = match(() => exports(own as never, subpath, options(kind)));
    return target === undefined ? undefined : join(own.directory, target);
  }
  return subpath === "." ? mainFile(own) : join(own.directory, subpath);
}

/**
 * The absolute path of the main file of a package without `exports`; undefined if there is none.
 */
export function mainFile(own: Package): string | undefined {
  const main = own.main ? mainFiles(own.main) : [];
  return [...main, ...INDEX_FILES].map((file) => join(own.directory, file)).find(isFile);
}

/**
 * The target of `#specifier` in a package's `imports`: a path below the package, or another
 * specifier.
 */
export function importedTarget(
  own: Package,
  specifier: string,
  kind: ImportKind = "import",
): string | undefined {
  if (own.imports === undefined) return undefined;
  const target = match(() => imports(own as never, specifier, options(kind)));
  return target?.startsWith("./") ? join(own.directory, target) : target;
}

/** Whether there is a file at a path. */
export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function mainFiles(main: string): string[] {
  return [
    main,
    ...[".js", ".json", ".ts"].map((extension) => main + extension),
    `${main}/index.js`,
  ];
}

function options(kind: ImportKind) {
  return { unsafe: true, conditions: CONDITIONS[kind] };
}

/** The first target of a match. The library throws if nothing matches. */
function match(resolve: () => string[] | void): string | undefined {
  try {
    return resolve()?.[0];
  } catch {
    return undefined;
  }
}

function readPackage(directory: string): Package | undefined {
  const read = readJson<Omit<Package, "directory">>(join(directory, "package.json"));
  return read === undefined ? undefined : { ...read, directory };
}

/** Reads a machine-written JSON file; undefined if there is none. */
function readJson<T>(path: string): T | undefined {
  const text = readIfThere(path);
  try {
    return text === undefined ? undefined : JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new ModuleError(`not JSON: ${(error as Error).message}`, { path }, { cause: error });
  }
}

/**
 * Reads a text file of a project; undefined if there is none.
 *
 * @throws {ModuleError} if it cannot be read.
 */
export function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    const reason = (error as Error).message;
    throw new ModuleError(`cannot be read: ${reason}`, { path }, { cause: error });
  }
}

/** The parts of a lock file that are used here. */
interface LockFileText {
  /** Versions by specifiers with ranges: `"npm:ms@^2.1.0": "2.1.3"`. */
  specifiers?: Record<string, string>;
}

/** A registry package: `npm:` or `jsr:`, its name, a range, and the path of a module. */
const PACKAGE = /^((?:npm|jsr):)\/?((?:@[^/]+\/)?[^/@]+)@([^/]+)(\/.*)?$/;

/** A version in a lock file. */
interface LockedVersion {
  /** The range, in semver's normal form. */
  range: string;
  version: string;
}

/** The locked versions of a project. */
export class LockFile {
  readonly #versions: ReadonlyMap<string, LockedVersion[]>;
  readonly #writeOut: (range: string) => string;

  private constructor(
    versions: ReadonlyMap<string, LockedVersion[]>,
    writeOut: (range: string) => string,
  ) {
    this.#versions = versions;
    this.#writeOut = writeOut;
  }

  /**
   * Reads the lock file of a project in a directory, unless it has none or its configuration
   * disables it.
   *
   * @throws {ModuleError} if it cannot be read.
   */
  static async read(
    directory: string,
    configuration: Configuration | undefined,
  ): Promise<LockFile | undefined> {
    const { lock } = configuration ?? {};
    if (lock === false) return undefined;
    const named = typeof lock === "string"
      ? lock
      : typeof lock === "object"
      ? lock.path
      : undefined;
    const path = named === undefined ? join(directory, "deno.lock") : resolve(directory, named);
    const { specifiers = {} } = readJson<LockFileText>(path) ?? {};
    const locked = Object.entries(specifiers);
    if (locked.length === 0) return undefined;
    const { default: Range } = await import("npm:semver@^7.8.6/classes/range.js");
    // Deno writes ^0.3.1 as ~0.3.1, and ^2.0.0 as 2.
    const writeOut = (range: string): string => {
      try {
        return new Range(range).range;
      } catch {
        return range; // A tag, such as "latest".
      }
    };
    const versions = new Map<string, LockedVersion[]>();
    for (const [specifier, version] of locked) {
      const [, registry, name, range] = PACKAGE.exec(specifier) ?? [];
      if (range === undefined) continue;
      const key = `${registry}${name}`;
      // After "_" come the versions of its peer dependencies.
      const entry = { range: writeOut(range), version: version.replace(/_.*$/, "") };
      versions.set(key, [...versions.get(key) ?? [], entry]);
    }
    return new LockFile(versions, writeOut);
  }

  /** Replaces the range in a specifier by its locked version, if there is one. */
  locked(specifier: string): string {
    const [, registry, name, range, path = ""] = PACKAGE.exec(specifier) ?? [];
    const versions = this.#versions.get(`${registry}${name}`);
    if (range === undefined || versions === undefined) return specifier;
    const wanted = this.#writeOut(range);
    const found = versions.find((each) => each.range === wanted);
    return found ? `${registry}${name}@${found.version}${path}` : specifier;
  }
}
