/**
 * Resolves a program's imports to local files, or to library modules of the server.
 *
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { RUNTIME_MODULE } from "../../runtime/code/library_table.ts";
import { RELATIVE } from "../../runtime/code/unit.ts";
import {
  dependencyOf,
  exportedFile,
  importedTarget,
  type ImportKind,
  isFile,
  type Package,
  splitSpecifier,
} from "./npm_packages.ts";
import type { LocalPackage, Project } from "./project.ts";
import { isRuntime } from "./runtime_module.ts";

/** A local file. */
export interface LocalTarget {
  kind: "local";
  /** Its absolute path. */
  path: string;
  /** The query and fragment of the URL. With another one, the same file is another module. */
  suffix?: string;
}

/** A library module of the server. */
export interface LibraryTarget {
  kind: "library";
  /** Its specifier in the server. */
  specifier: string;
}

/** The prefix of the runtime's own specifiers, which are library modules in every server. */
const RUNTIME_PREFIX = "@gxensemble/";

/**
 * The extensions and index files that a sloppy import may omit, in the order in which Deno tries
 * them.
 */
const SLOPPY = [".ts", ".tsx", ".mts", ".js", ".mjs", ".jsx"];

/** Resolves the specifiers of one program's modules. */
export class Resolver {
  readonly #project: Project;
  readonly #libraryPrefixes: string[];

  /**
   * Creates a resolver. `libraryPrefixes` are packages installed in the server, such as `my` or
   * `my/`: specifiers that start with one are library modules, even if the project maps them.
   */
  constructor(project: Project, libraryPrefixes: string[]) {
    this.#project = project;
    this.#libraryPrefixes = [RUNTIME_PREFIX, ...libraryPrefixes];
  }

  /**
   * Resolves `specifier` in the file `referrer`; undefined for a bare one that nothing maps.
   *
   * @throws {ModuleError} if a `package.json` on the way cannot be read.
   */
  resolve(
    specifier: string,
    referrer: string,
    kind: ImportKind = "import",
  ): LocalTarget | LibraryTarget | undefined {
    if (this.#libraryPrefixes.some((prefix) => isWithin(specifier, prefix))) {
      return { kind: "library", specifier };
    }
    const mapped = kind === "import"
      ? this.#project.importMap.resolve(specifier, pathToFileURL(referrer).href)
      : URL.parse(
        specifier,
        RELATIVE.test(specifier) ? pathToFileURL(referrer).href : undefined,
      )
        ?.href;
    const resolved = mapped ?? this.#resolveBare(specifier, { referrer, kind });
    return resolved === undefined ? undefined : this.#target(resolved);
  }

  /** The target of an absolute specifier. */
  #target(specifier: string): LocalTarget | LibraryTarget {
    if (isRuntime(specifier)) return { kind: "library", specifier: RUNTIME_MODULE };
    const own = this.#localRegistryPackage(specifier);
    if (own !== undefined) return { kind: "local", path: own };
    if (!specifier.startsWith("file:")) {
      const { lockFile } = this.#project;
      return { kind: "library", specifier: lockFile?.locked(specifier) ?? specifier };
    }
    const { search, hash } = new URL(specifier);
    const suffix = search + hash;
    return {
      kind: "local",
      path: this.#sloppy(fileURLToPath(specifier)),
      ...suffix !== "" && { suffix },
    };
  }

  /** Resolves a bare specifier to an absolute one, by all rules except the import map. */
  #resolveBare(
    specifier: string,
    { referrer, kind }: { referrer: string; kind: ImportKind },
  ): string | undefined {
    const { packages, localPackages } = this.#project;
    const around = packages.around(referrer);
    if (specifier.startsWith("#")) {
      const target = around && importedTarget(around, specifier, kind);
      if (target === undefined || target.startsWith("#")) return undefined;
      if (target.startsWith("/")) return pathToFileURL(target).href;
      return URL.canParse(target) ? target : this.#resolveBare(target, { referrer, kind });
    }
    const { name, subpath } = splitSpecifier(specifier);
    const own = localPackages.find((each) => each.name === name) ??
      (around?.name === name && around.exports !== undefined ? asLocal(around, kind) : undefined);
    const exported = own?.exported(subpath);
    if (exported !== undefined) return pathToFileURL(exported).href;
    const builtin = isBuiltin(specifier) ? `node:${specifier}` : undefined;
    // As in Deno, a local package of that name takes precedence over an installed one.
    if (builtin !== undefined && packages.installed(name, referrer)) return builtin;
    return this.#resolveDependency(name, subpath, { referrer, kind }) ?? builtin;
  }

  #resolveDependency(
    name: string,
    subpath: string,
    { referrer, kind }: { referrer: string; kind: ImportKind },
  ): string | undefined {
    const { packages, directory } = this.#project;
    const installed = packages.installed(name, referrer);
    if (installed && !installed.isPublished) {
      const exported = fileUrl(exportedFile(installed, subpath, kind));
      if (exported !== undefined) return exported;
    }
    const root = directory === undefined ? undefined : packages.at(directory);
    for (const own of [packages.around(referrer), root]) {
      const wanted = own && dependencyOf(own, name);
      if (wanted === undefined) continue;
      const found = this.#dependency(own!, { name, subpath, wanted, kind });
      if (found !== undefined) return found;
    }
    if (installed?.version === undefined) return undefined;
    return `npm:${installed.name ?? name}@${installed.version}${subpath.slice(1)}`;
  }

  #dependency(
    own: Package,
    { name, subpath, wanted, kind }: {
      name: string;
      subpath: string;
      wanted: string;
      kind: ImportKind;
    },
  ): string | undefined {
    const rest = subpath.slice(1);
    const alias = /^(npm|jsr):(.*)$/.exec(wanted);
    if (alias) {
      // `jsr:^1` is this package itself, and `npm:other@1` another.
      const target = /^(?:@[^/]+\/)?[a-z]/i.test(alias[2]!)
        ? wanted
        : `${alias[1]}:${name}@${alias[2]}`;
      return target + rest;
    }
    const place = /^(?:file|link|portal):(.*)$/.exec(wanted)?.[1];
    const local = place === undefined
      ? undefined
      : this.#project.packages.at(resolve(own.directory, place));
    if (local) return fileUrl(exportedFile(local, subpath, kind));
    const isRange = !/[:/]/.test(wanted) && !/\s/.test(wanted.trim());
    if (isRange) return `npm:${name}@${wanted.trim() || "*"}${rest}`;
    return undefined;
  }

  /** The file of the workspace member or link that a `jsr:` or `npm:` specifier names. */
  #localRegistryPackage(specifier: string): string | undefined {
    const [, rest] = /^(?:jsr|npm):\/?(.*)$/.exec(specifier) ?? [];
    const [, name, range, path = ""] =
      /^((?:@[^/]+\/)?[^/@]+)(?:@([^/]*))?(\/.*)?$/.exec(rest ?? "") ?? [];
    const own = this.#project.localPackages.find((each) => each.name === name);
    const fits = own &&
      (!range || own.version === undefined || this.#project.satisfies(own.version, range));
    return fits ? own.exported(`.${path}`) : undefined;
  }

  /** A path, or the file that it stands for with `"unstable": ["sloppy-imports"]`. */
  #sloppy(path: string): string {
    if (!this.#project.unstable.includes("sloppy-imports") || isFile(path)) return path;
    const stem = path.replace(/\.(?:m?js|jsx)$/, "");
    return [
      ...stem === path ? [] : [`${stem}.ts`, `${stem}.tsx`, `${stem}.mts`],
      ...SLOPPY.map((extension) => path + extension),
      ...SLOPPY.map((extension) => `${path}/index${extension}`),
    ].find(isFile) ?? path;
  }
}

/** Whether a bare specifier is a built-in module of Node. */
function isBuiltin(specifier: string): boolean {
  // Loaded on demand, since it loads half of Node's modules.
  return process.getBuiltinModule("node:module").isBuiltin(specifier);
}

/** A package that imports itself by its name. */
function asLocal(own: Package, kind: ImportKind): LocalPackage {
  const { directory, name = "", version } = own;
  return { directory, name, version, exported: (subpath) => exportedFile(own, subpath, kind) };
}

function fileUrl(path: string | undefined): string | undefined {
  return path === undefined ? undefined : pathToFileURL(path).href;
}

function isWithin(specifier: string, prefix: string): boolean {
  const directory = prefix.endsWith("/") ? prefix : `${prefix}/`;
  return specifier === prefix || specifier.startsWith(directory);
}
