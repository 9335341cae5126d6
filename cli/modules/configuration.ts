/**
 * Configuration files: `deno.json`, and what of `tsconfig.json` counts when code runs.
 *
 * @module
 */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ModuleError } from "../../runtime/code/module_error.ts";
import type { ImportMapText } from "./import_map.ts";
import { parseJson } from "./data_module.ts";

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
export async function readConfiguration(directory: string): Promise<Configuration | undefined> {
  for (const name of ["deno.json", "deno.jsonc"]) {
    const path = join(directory, name);
    const configuration = await readJsonc<Configuration>(path);
    if (configuration) return { ...configuration, path };
  }
}

/** The import map of a configuration, and the URL that its addresses are relative to. */
export async function readImportMap(
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
export async function readTypeScriptOptions(directory: string): Promise<CompilerOptions> {
  return await readExtended(join(directory, "tsconfig.json"), new Set());
}

async function readExtended(path: string, seen: Set<string>): Promise<CompilerOptions> {
  const read = seen.has(path)
    ? undefined
    : await readJsonc<{ extends?: string | string[]; compilerOptions?: CompilerOptions }>(path);
  if (read === undefined) return {};
  seen.add(path);
  const bases = [read.extends ?? []].flat().filter((base) => /^\.{0,2}\//.test(base));
  const inherited = await Promise.all(bases.map((base) => {
    const file = resolve(dirname(path), base);
    return readExtended(file.endsWith(".json") ? file : `${file}.json`, seen);
  }));
  return Object.assign({}, ...inherited, read.compilerOptions);
}

async function readJsonc<T extends object>(path: string): Promise<T | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw new ModuleError(`cannot be read: ${(error as Error).message}`, { path }, {
      cause: error,
    });
  }
  return await parseJson(text, path, { comments: true }) as T;
}
