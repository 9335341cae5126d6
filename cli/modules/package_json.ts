/**
 * Packages of npm's kind: what `package.json` says of names, exports, imports and dependencies.
 *
 * @see https://nodejs.org/api/packages.html
 * @module
 */
import { dirname, join } from "node:path";
import { exports, imports } from "npm:resolve.exports@^2.0.4";
import { ModuleError } from "../../runtime/code/module_error.ts";

/** A package, as far as its modules' imports need to know it. */
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

/** A package in a directory `node_modules`. */
export interface InstalledPackage extends Package {
  /** Whether it came from a registry, where servers find it too. */
  readonly isPublished: boolean;
}

/** How a module asks for another: by an import, or by `require`. */
export type ImportKind = "import" | "require";

/** The conditions that Deno sets, in addition to `default`. */
const CONDITIONS: Record<ImportKind, string[]> = {
  import: ["deno", "node", "import", "module-sync"],
  require: ["deno", "node", "require", "module-sync"],
};

/** What Node tries for a package that names no file, and the same of TypeScript. */
const INDEX_FILES = ["index.js", "index.mjs", "index.cjs", "index.ts", "index.mts"];

/** The packages of one run: each `package.json` is read once. */
export class Packages {
  readonly #read = new Map<string, Package | undefined>();

  /**
   * The package in a directory, or undefined where there is none.
   *
   * @throws {ModuleError} when its `package.json` cannot be read.
   */
  at(directory: string): Package | undefined {
    if (!this.#read.has(directory)) this.#read.set(directory, readPackage(directory));
    return this.#read.get(directory);
  }

  /** The package that the file at an absolute path belongs to: the nearest above it. */
  around(path: string): Package | undefined {
    for (const directory of directoriesAbove(path)) {
      // What a directory of packages is in is none of theirs.
      if (directory.endsWith("node_modules")) return undefined;
      const found = this.at(directory);
      if (found) return found;
    }
  }

  /** The package of that name that is installed for the file at an absolute path. */
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
      return false; // Another tool has installed it, or nobody.
    }
  }
}

/** The directories above a path, the nearest first. */
export function* directoriesAbove(path: string): Generator<string> {
  for (let directory = dirname(path);; directory = dirname(directory)) {
    yield directory;
    if (dirname(directory) === directory) return;
  }
}

/** The parts of a bare specifier: the name of a package, and the rest as a subpath, `.` or `./x`. */
export function splitSpecifier(specifier: string): { name: string; subpath: string } {
  const [, name = specifier, rest = ""] = /^((?:@[^/]+\/)?[^/]+)(\/.*)?$/.exec(specifier) ?? [];
  return { name, subpath: `.${rest}` };
}

/** What a package says that one of its dependencies is: a version range, or a place. */
export function dependencyOf(own: Package, name: string): string | undefined {
  const { dependencies, devDependencies, optionalDependencies, peerDependencies } = own;
  for (
    const all of [dependencies, optionalDependencies, devDependencies, peerDependencies]
  ) {
    if (all && Object.hasOwn(all, name)) return all[name];
  }
}

/** The absolute path of the file that a package exports as `subpath`, or undefined. */
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

/** The absolute path of the file that a package without `exports` is, or undefined. */
export function mainFile(own: Package): string | undefined {
  const main = own.main ? mainFiles(own.main) : [];
  return [...main, ...INDEX_FILES].map((file) => join(own.directory, file)).find(isFile);
}

/** What a package's `imports` map `#specifier` to: a path below the package, or another specifier. */
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

/** The first target of a match; the library throws where nothing matches. */
function match(resolve: () => string[] | void): string | undefined {
  try {
    return resolve()?.[0];
  } catch {
    return undefined;
  }
}

function readPackage(directory: string): Package | undefined {
  const path = join(directory, "package.json");
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw new ModuleError(`cannot be read: ${(error as Error).message}`, { path }, {
      cause: error,
    });
  }
  try {
    return { ...JSON.parse(text.replace(/^\uFEFF/, "")), directory };
  } catch (error) {
    throw new ModuleError(`not JSON: ${(error as Error).message}`, { path }, { cause: error });
  }
}
