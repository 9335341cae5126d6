/**
 * Loading a module into a running server, for the `load` command and the REPL.
 *
 * @module
 */
import type { Client } from "../runtime/actor/service.ts";
import type { LoaderHandlers } from "../runtime/code/loader_protocol.ts";
import type { ModuleName } from "../runtime/code/unit.ts";
import { operatorName } from "./operator.ts";
import { printNotice } from "./output.ts";
import { ProgressBar } from "./progress_bar.ts";

/** Options of {@linkcode loadModule}. */
export interface LoadingOptions {
  /** Whether to ship the one module only, linked to what the server already runs. */
  force: boolean;
  /** The prefixes of the modules that the server itself finds. */
  libraryPrefix: string[];
}

/** A module of the program that was loaded. */
export interface LoadedModule extends ModuleName {
  /** Whether it was not loaded before. */
  loaded: boolean;
  /** Whether it was loaded once, replaced by another text, and is current again. */
  restored: boolean;
}

/** What a load did. */
export interface LoadReport {
  /** The specifiers of the library modules, in the order in which they were loaded. */
  libraries: string[];
  /** The modules; what a module imports stands before it, outside cycles. */
  modules: LoadedModule[];
}

/** After how long a load is explained to who waits for it, in ms. */
const PATIENCE = 5_000;

/** Loading a library takes as long as its own top level does. */
const PATIENTLY = { timeout: Infinity };

/**
 * Loads the module in `file`, a path or `file:` URL, with what it imports; shows how far it is when
 * standard error is a terminal.
 *
 * @throws {EnsembleError} naming the file, line and column that cannot be read, shipped or loaded.
 */
export async function loadModule(
  loader: Client<LoaderHandlers>,
  file: string,
  options: LoadingOptions,
): Promise<LoadReport> {
  const { ForcedModule } = await import("./modules/forced_module.ts");
  const { buildProgram } = await import("./modules/program.ts");
  const { shipProgram } = await import("./modules/shipping.ts");
  using progress = new ProgressBar();
  const graph = {
    libraryPrefixes: options.libraryPrefix,
    libraryModules: await loader.libraries(),
    onRead: (count: number) => progress.show("reading modules:", count),
  };
  const module = options.force ? await ForcedModule.read(file, graph) : undefined;
  const program = module
    ? await module.build(await loader.running({ modules: module.imports }))
    : await buildProgram(file, graph);
  using _notice = noticeAfter(PATIENCE, "still waiting for the top level of the modules to finish");
  const { loaded, restored } = await shipProgram(loader, program, {
    by: operatorName(),
    onShipped: (shipped, all) => progress.show("shipping modules:", shipped, all),
  });
  const [fresh, again] = [loaded, restored].map((names) => new Set(names.map(({ hash }) => hash)));
  return {
    libraries: program.libraries.map(({ specifier }) => specifier),
    modules: program.units.map(({ module, path, hash }) => ({
      module,
      path,
      hash,
      loaded: fresh!.has(hash),
      restored: again!.has(hash),
    })),
  };
}

/** Tells the person something, unless it is disposed of within `delay` ms. */
function noticeAfter(delay: number, notice: string): Disposable {
  const timer = setTimeout(() => printNotice(`... ${notice}`), delay);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/**
 * Loads a library module that the server itself finds.
 *
 * @throws {EnsembleError} when it does not, or the library fails.
 */
export async function loadLibrary(
  loader: Client<LoaderHandlers>,
  specifier: string,
): Promise<LoadReport> {
  await loader.library({ specifier }, PATIENTLY);
  return { libraries: [specifier], modules: [] };
}

/** The lines that tell a person of a load. */
export function formatLoadReport({ libraries, modules }: LoadReport): string[] {
  return [
    ...libraries.map((specifier) => `... loading library module ${specifier}`),
    ...modules.flatMap((module) => [`... ${describeOutcome(module)} ${module.path}`, module.hash]),
  ];
}

function describeOutcome({ loaded, restored }: LoadedModule): string {
  if (restored) return "made current again";
  return loaded ? "loading code object file" : "already loaded";
}
