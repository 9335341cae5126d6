/**
 * The first module of an executable whose program is a module with `main`: it does what `gxensemble run` does for it.
 *
 * @module
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { RUNTIME_MODULE } from "../../runtime/code/library_table.ts";
import { evaluationOrder } from "../../runtime/code/unit_tree.ts";
import type { Unit } from "../../runtime/code/unit.ts";
import { ModuleReader, readModuleGraph, type SourceModule } from "../modules/module_graph.ts";
import { assembleProgram } from "../modules/program.ts";

/** What an executable says of itself. */
export interface ServerModuleOptions {
  /** The directory to write to, which exists. */
  readonly directory: string;
  /** What the program is called. */
  readonly name: string;
  /** Its version, where its project says. */
  readonly version: string | undefined;
}

/** The first module of an executable. */
export interface ServerModule {
  /** Its path. */
  readonly path: string;
  /** By what addresses the program imports the runtime, besides its name: all mean the one that `run` would give it. */
  readonly runtimeAddresses: readonly string[];
  /** The files of its workers, which no bundle has. */
  readonly workers: readonly string[];
}

/**
 * Writes the module.
 *
 * The modules of the program are named as `run` names them. So a server that is an executable shares them with code that
 * is loaded later, as one that was started by `run` does.
 *
 * @throws {ModuleError} at the file and line that cannot be read, parsed or resolved.
 */
export async function writeServerModule(
  file: string,
  { directory, name, version }: ServerModuleOptions,
): Promise<ServerModule> {
  const graph = await readModuleGraph(await ModuleReader.open(file));
  const { entry, units } = await assembleProgram(graph);
  const byHash = new Map(units.map((unit) => [unit.hash, unit]));
  const others = evaluationOrder(entry, byHash).flat().filter((unit) =>
    unit.hash !== entry && isPlainModule(unit)
  );
  const modules = [byHash.get(entry)!, ...others];
  await Deno.writeTextFile(
    join(directory, "modules.js"),
    [
      ...modules.map(({ path }, index) =>
        `import * as module${index} from ${JSON.stringify(pathToFileURL(path).href)};`
      ),
      "export const modules = [",
      ...modules.map(({ module, path, hash }, index) =>
        `  { ...${JSON.stringify({ module, path, hash })}, namespace: module${index} },`
      ),
      "];",
      "",
    ].join("\n"),
  );
  const path = join(directory, "server.js");
  await Deno.writeTextFile(
    path,
    `import { currentServer, runServer } from ${JSON.stringify(RUNTIME_MODULE)};
async function main(...args) {
  const { modules } = await import("./modules.js");
  currentServer().adopt(modules, ${JSON.stringify(name)});
  const { module, namespace } = modules[0];
  if (typeof namespace.main !== "function") throw new TypeError("main of " + module + " is no function");
  return await namespace.main(...args);
}
Deno.exit(await runServer(main, ${JSON.stringify({ name, version })}));
`,
  );
  return { path, runtimeAddresses: runtimeAddresses(graph), workers: workerFiles(graph) };
}

function workerFiles(graph: Map<string, SourceModule>): string[] {
  const workers = [...graph.values()].flatMap(({ candidates }) =>
    candidates.filter(({ type }) => type === "worker")
  );
  return [...new Set(workers.map(({ target }) => target.path))];
}

function runtimeAddresses(graph: Map<string, SourceModule>): string[] {
  const addresses = [...graph.values()].flatMap(({ imports, path }) =>
    imports.flatMap(({ specifier, target }) => {
      const isAddress = /^\.{0,2}\//.test(specifier) || URL.canParse(specifier);
      if (target.kind === "local" || target.specifier !== RUNTIME_MODULE || !isAddress) return [];
      return new URL(specifier, pathToFileURL(path)).href;
    })
  );
  return [...new Set(addresses)];
}

/** Whether a unit is a file as it is imported by itself, and not the data in one. */
function isPlainModule({ module, path }: Unit): boolean {
  return path.endsWith(module) && !path.endsWith(".wasm");
}
