/**
 * The runtime as a module that programs import. It is never shipped: a program gets the runtime of the server that it is
 * loaded into, however its author addresses it.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { RUNTIME_MODULE } from "../../runtime/code/library_table.ts";
import type { ImportMap } from "./import_map.ts";

/** The runtime that this very program is a part of. */
const OWN = new URL("../../mod.ts", import.meta.url).href;

const PUBLISHED = /^jsr:\/?@gxensemble\/ensemble(?:@[^/]*)?\/?$/;

/**
 * Whether an absolute specifier leads to the runtime: this one, any in a directory of this host, or any
 * published one. Of a copy at another URL only the server that imports it can tell.
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
    return false; // There is none, or it is not that of the runtime.
  }
}

/**
 * The URL of the runtime that this program is a part of. A bundle has it beside the program, as
 * `mod.js`: its files are put into `directory`, where another Deno finds them too.
 */
async function runtimeModule(directory: string): Promise<string> {
  const bundle = bundleDirectory();
  if (bundle === undefined) return OWN;
  await copyScripts(bundle, directory);
  return pathToFileURL(join(directory, "mod.js")).href;
}

/** Options of {@linkcode writeRuntimeMap}. */
export interface RuntimeMapOptions {
  /** The directory for the map, and for what of the runtime must be written. */
  directory: string;
  /** By what addresses the runtime is imported, besides its name. */
  addresses?: readonly string[];
}

/** Writes an import map that leads to this runtime, in addition to what a project's own map says; gives its path. */
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

/** The directory of the bundle that this module is in; undefined among the sources. */
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

/**
 * The text of a file of a bundle, for another bundle to be made of: its own files are imported in a way
 * that bundlers follow.
 */
function forBundler(text: string): string {
  return text.replace(/\bimport\(String\(("[^"\n]+")\)\)/g, "import($1)");
}
