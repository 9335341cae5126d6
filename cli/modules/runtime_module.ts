/**
 * The runtime as a module that programs import. It is never shipped: loaded code gets the runtime
 * of its server, whatever specifier its author used.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { RUNTIME_MODULE } from "../../runtime/code/library_table.ts";
import type { ImportMap } from "./import_map.ts";

/** The runtime that this program is part of. */
const OWN = new URL("../../mod.ts", import.meta.url).href;

const PUBLISHED = /^jsr:\/?@gxensemble\/ensemble(?:@[^/]*)?\/?$/;

/**
 * Whether an absolute specifier is the runtime: this copy, one in another directory of this host,
 * or a published one. Only the importing server can recognize a copy at another URL.
 */
export function isRuntime(specifier: string): boolean {
  if (specifier === OWN || PUBLISHED.test(specifier)) return true;
  return /^file:.*\/mod\.ts$/.test(specifier) && isNamedSo(new URL("deno.json", specifier));
}

function isNamedSo(configuration: URL): boolean {
  try {
    const { name } = JSON.parse(readFileSync(fileURLToPath(configuration), "utf8"));
    return name === RUNTIME_MODULE;
  } catch {
    return false; // There is no configuration, or it is not the runtime's.
  }
}

/**
 * The URL of this program's runtime. A bundle has it as `mod.js` beside the program; its files are
 * written to `directory`, so that another Deno can read them.
 */
async function runtimeModule(directory: string): Promise<string> {
  const bundle = bundleDirectory();
  if (bundle === undefined) return OWN;
  await copyScripts(bundle, directory);
  return pathToFileURL(join(directory, "mod.js")).href;
}

/** Options of {@linkcode writeRuntimeMap}. */
export interface RuntimeMapOptions {
  /** The directory for the map, and for the files of the runtime if they must be written. */
  directory: string;
  /** Further specifiers of the runtime, besides its name. */
  addresses?: readonly string[];
}

/**
 * Writes an import map that maps the runtime to this one, in addition to the project's own map.
 * Returns its path.
 */
export async function writeRuntimeMap(
  importMap: ImportMap,
  { directory, addresses = [] }: RuntimeMapOptions,
): Promise<string> {
  const runtime = await runtimeModule(join(directory, "runtime"));
  const all = [RUNTIME_MODULE, ...addresses].map((address) => [address, runtime]);
  const path = join(directory, "import_map.json");
  await Deno.writeTextFile(path, JSON.stringify(importMap.toJSON(Object.fromEntries(all))));
  return path;
}

/** The directory of the bundle that this module is in; undefined if it runs from the sources. */
function bundleDirectory(): string | undefined {
  return import.meta.url.endsWith(".ts") ? undefined : import.meta.dirname;
}

async function copyScripts(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) {
    if (!name.endsWith(".js")) continue;
    await Deno.writeTextFile(join(to, name), forBundler(await Deno.readTextFile(join(from, name))));
  }
}

/** Rewrites the imports in a file of a bundle so that bundlers can follow them. */
function forBundler(text: string): string {
  return text.replace(/\bimport\(String\(("[^"\n]+")\)\)/g, "import($1)");
}
