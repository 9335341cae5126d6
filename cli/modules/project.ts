/**
 * The project that a module belongs to: the directory of the nearest `deno.json`.
 *
 * @module
 */
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ModuleError } from "../../runtime/code/module_error.ts";
import { ImportMap, type ImportMapText } from "./import_map.ts";
import { parseJson } from "./json.ts";

/** A project, as far as loading its modules needs to know it. */
export interface Project {
  /** The absolute path of its directory, or undefined for a module outside any project. */
  directory?: string;
  /** Its import map; empty where it has none. */
  importMap: ImportMap;
  /** The unstable features of Deno that it uses. */
  unstable: string[];
}

interface Configuration extends ImportMapText {
  importMap?: string;
  unstable?: string[];
}

/**
 * Finds the project of the file at an absolute path.
 *
 * @throws {ModuleError} when its configuration or import map cannot be read.
 */
export async function findProject(path: string): Promise<Project> {
  for (let directory = dirname(path);; directory = dirname(directory)) {
    for (const name of ["deno.json", "deno.jsonc"]) {
      const path = join(directory, name);
      const configuration = await readJsonc<Configuration>(path);
      if (configuration === undefined) continue;
      const importMap = await readImportMap(configuration, path);
      return { directory, importMap, unstable: configuration.unstable ?? [] };
    }
    if (dirname(directory) === directory) break;
  }
  return { importMap: new ImportMap({}, pathToFileURL(path).href), unstable: [] };
}

/** The module id of the file at an absolute path. */
export function moduleId(project: Project, path: string): string {
  if (project.directory === undefined) return path;
  return relative(project.directory, path).split(sep).join("/");
}

async function readImportMap(configuration: Configuration, path: string): Promise<ImportMap> {
  const base = pathToFileURL(path).href;
  const { imports, scopes, importMap } = configuration;
  // As in Deno, an import map file counts only where the configuration has no map of its own.
  if (imports || scopes || !importMap) return new ImportMap(configuration, base);
  const url = new URL(importMap, base);
  const map = url.protocol === "file:"
    ? await readJsonc<ImportMapText>(fileURLToPath(url))
    : undefined;
  if (map === undefined) {
    throw new ModuleError(`its import map ${importMap} is no file that can be read`, { path });
  }
  return new ImportMap(map, url.href);
}

async function readJsonc<T extends object>(path: string): Promise<T | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new ModuleError(`cannot be read: ${(error as Error).message}`, { path }, {
      cause: error,
    });
  }
  return await parseJson(text, path, { comments: true }) as T;
}
