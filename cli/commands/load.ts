/**
 * `gxensemble load`.
 *
 * @module
 */
import type { LoadRequest } from "../../runtime/code/unit_store.ts";
import type { LoaderHandlers } from "../../runtime/code/loader.ts";
import type { Client } from "../../runtime/actor/service.ts";
import { loaderClient } from "../../runtime/ensemble/remote.ts";
import { withConsole } from "../console.ts";
import { printJson, printLine } from "../output.ts";
import { UsageError } from "../usage_error.ts";
import type { ServerId } from "../../runtime/actor/server_id.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";

/** Options of {@linkcode load}. */
export interface LoadOptions extends ClientOptions, OutputOptions {
  /** Whether to ship the one module only, linked to what the server already runs. */
  force: boolean;
  /** Whether the module is a library that the server itself finds. */
  library: boolean;
  /** The prefixes of the modules that the server itself finds. */
  libraryPrefix: string[];
}

/** Loading takes as long as the modules' own top level does. */
const PATIENTLY = { timeout: Infinity };

/** Loads a module into a running server. */
export async function load(
  serverId: ServerId,
  moduleId: string,
  options: LoadOptions,
): Promise<void> {
  if (options.library) return await loadLibrary(serverId, moduleId, options);
  const { ForcedModule } = await import("../modules/forced_module.ts");
  const { buildProgram, loadRequest } = await import("../modules/program.ts");
  await withConsole(options, async (actors) => {
    const loader = loaderClient(actors, serverId);
    const graph = {
      libraryPrefixes: options.libraryPrefix,
      libraryModules: await loader.libraries(),
    };
    const module = options.force ? await ForcedModule.read(moduleId, graph) : undefined;
    const program = module
      ? await module.build(await loader.running({ modules: module.imports }))
      : await buildProgram(moduleId, graph);
    const missing = await loader.missing({ hashes: program.units.map(({ hash }) => hash) });
    await loadUnits(loader, loadRequest(program, missing), options);
  });
}

/** Sends what the server lacks, and prints each module with its hash: dependencies first. */
async function loadUnits(
  loader: Client<LoaderHandlers>,
  request: LoadRequest,
  options: LoadOptions,
): Promise<void> {
  const { loaded } = await loader.load(request, PATIENTLY);
  const fresh = new Set(loaded.map(({ hash }) => hash));
  const libraries = request.libraries.map(({ specifier }) => specifier);
  if (options.json) {
    const modules = request.modules.map((name) => ({ ...name, loaded: fresh.has(name.hash) }));
    return printJson({ libraries, modules });
  }
  libraries.forEach(printLibrary);
  for (const { path, hash } of request.modules) {
    printLine(`... ${fresh.has(hash) ? "loading code object file" : "already loaded"} ${path}`);
    printLine(hash);
  }
}

async function loadLibrary(
  serverId: ServerId,
  specifier: string,
  options: LoadOptions,
): Promise<void> {
  if (options.force) {
    throw new UsageError("--force and --library exclude each other", "gxensemble help load");
  }
  await withConsole(
    options,
    (actors) => loaderClient(actors, serverId).library({ specifier }, PATIENTLY),
  );
  if (options.json) printJson({ libraries: [specifier], modules: [] });
  else printLibrary(specifier);
}

function printLibrary(specifier: string): void {
  printLine(`... loading library module ${specifier}`);
}
