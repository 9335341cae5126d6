/**
 * Bundles a program and all that it imports as JavaScript files in one directory.
 *
 * It uses `deno bundle`, with one file for each part that is loaded separately, so that code that a
 * command does not use is not even read. Files that a command loads one after the other are merged
 * again, see `merged_files.ts`. The output is rewritten: built-in modules and modules of the bundle
 * load when they are used, not when the program starts (docs/performance.md has the figures).
 *
 * @module
 */
import MagicString from "npm:magic-string@^1.4.5";
import { basename, parse, relative } from "node:path";
import { EnsembleError } from "../../runtime/errors.ts";
import { findImports } from "../modules/syntax.ts";
import { denoReason, runDeno } from "../kit/deno_command.ts";
import { type MergedModules, mergeFiles } from "./merged_files.ts";
import { filesBelow } from "./work_directory.ts";

/** Options of {@linkcode bundleProgram}. */
export interface BundleOptions {
  /** The Deno that bundles, as a path. */
  readonly deno: string;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** The directory whose deno.json applies to the program. */
  readonly project: string;
  /** The directory for the files. It exists and is empty. */
  readonly directory: string;
  /** The path of an import map that replaces the project's own. */
  readonly importMap?: string;
  /** Specifiers of missing optional modules. */
  readonly absent?: readonly string[];
  /**
   * Built-in modules such as `node:fs` that are loaded at their first use if only their default
   * export is imported. They must not be used while modules are evaluated.
   */
  readonly lazyBuiltins?: readonly string[];
  /** See {@linkcode mergeFiles}. */
  readonly merged?: MergedModules;
}

/** Optional dependencies of packages; `typescript` imports them in its own tests. */
const OPTIONAL_PACKAGES = ["source-map-support"];

/**
 * Bundles the program whose entry is the first of the modules, together with the others. Returns
 * the entry's file. The files keep the relative positions of their modules.
 *
 * @throws {EnsembleError} with Deno's message if the program cannot be bundled.
 */
export async function bundleProgram(
  entries: readonly [string, ...string[]],
  options: BundleOptions,
): Promise<string> {
  const { deno, signal, project, directory, importMap, absent = [] } = options;
  if (/\.(?:jsonc?|html?)$/.test(entries[0])) throw noModule(entries[0]);
  const { success, said } = await runDeno(deno, [
    "bundle",
    "--quiet",
    "--platform=deno",
    "--code-splitting",
    "--allow-import",
    ...[...OPTIONAL_PACKAGES, ...absent].map((name) => `--external=${name}`),
    ...importMap === undefined ? [] : [`--import-map=${importMap}`],
    `--outdir=${directory}`,
    ...entries,
  ], { cwd: project, signal });
  if (!success) {
    const hint = said.includes("@esbuild/")
      ? "\n(deno bundle downloads its bundler from npm once: run it where npm can be reached)"
      : "";
    throw new EnsembleError(`cannot bundle ${entries[0]}: ${denoReason(said)}${hint}`);
  }
  const scripts = (await filesBelow(directory)).filter((path) => path.endsWith(".js"));
  for (const path of scripts) {
    await Deno.writeTextFile(path, await deferLoading(path, options.lazyBuiltins ?? []));
  }
  if (options.merged) await mergeFiles(options.merged, { deno, signal, directory });
  // The files are named after the URLs of their modules.
  const first = scripts.find((path) =>
    decodeURIComponent(basename(path)) === `${parse(entries[0]).name}.js`
  );
  if (first === undefined) throw noModule(entries[0]);
  return relative(directory, first);
}

function noModule(path: string): EnsembleError {
  return new EnsembleError(`cannot bundle ${path}: it is not a module`);
}

/** The `require` that `deno bundle` creates for CommonJS, in a file that all others import. */
const REQUIRE =
  /import \{ createRequire as (\w+) \} from "node:module";\s*var __require = \1\(import\.meta\.url\);/;

/** The same, created on first use, since `node:module` loads half of Node's modules. */
const LAZY_REQUIRE = lazy(
  "__require",
  `globalThis.process.getBuiltinModule("node:module").createRequire(import.meta.url)`,
);

/**
 * Makes the imports in a file of a bundle lazy, and defines `__filename` and `__dirname` for
 * CommonJS in it.
 */
async function deferLoading(path: string, lazyBuiltins: readonly string[]): Promise<string> {
  const text = await Deno.readTextFile(path);
  const file = new MagicString(text);
  const require = REQUIRE.exec(text);
  if (require) {
    file.overwrite(require.index, require.index + require[0].length, LAZY_REQUIRE);
  }
  for (const name of ["filename", "dirname"]) {
    const isFree = text.includes(`__${name}`) &&
      !new RegExp(String.raw`\b(?:var|let|const|function)\s+__${name}\b`).test(text);
    const start = /^#!.*\n/.exec(text)?.[0].length ?? 0;
    if (isFree) file.appendLeft(start, `var __${name} = import.meta.${name};\n`);
  }
  const { imports } = await findImports(text, path);
  for (const { specifier, start, end, keyword } of imports) {
    // Deno would read the files of all import() with literal names before it runs anything.
    if (keyword !== undefined && /^\.{1,2}\//.test(specifier)) {
      file.overwrite(start, end, `String(${JSON.stringify(specifier)})`);
    }
    if (keyword !== undefined || !lazyBuiltins.includes(specifier)) continue;
    const line = text.lastIndexOf("\n", start) + 1;
    const [, name] = /^import ([\w$]+) from $/.exec(text.slice(line, start)) ?? [];
    if (name === undefined) continue;
    const builtin = `globalThis.process.getBuiltinModule(${JSON.stringify(specifier)})`;
    file.overwrite(line, end, lazy(name, builtin).replace(/;$/, ""));
  }
  return file.toString();
}

/** Declares a name for an object or function that is created when it is first used. */
function lazy(name: string, expression: string): string {
  const traps = [
    `apply: (_, self, args) => Reflect.apply(target(), self, args)`,
    `get: (_, key) => target()[key]`,
    `set: (_, key, value) => Reflect.set(target(), key, value)`,
    `has: (_, key) => key in target()`,
    // A proxy may only report configurable properties.
    `getOwnPropertyDescriptor(_, key) { const own = Reflect.getOwnPropertyDescriptor(target(), key); ` +
    `return own && { ...own, configurable: true }; }`,
    `defineProperty: (_, key, own) => Reflect.defineProperty(target(), key, own)`,
  ];
  return `var ${name} = (() => { let loaded; const target = () => loaded ??= ${expression}; ` +
    `return new Proxy(function () {}, { ${traps.join(", ")} }); })();`;
}
