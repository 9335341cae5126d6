/**
 * Stages a program for an executable: its files and the flags to run it.
 *
 * @module
 */
import { basename, dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { RUNTIME_MODULE } from "../../runtime/code/library_table.ts";
import { ModuleError } from "../../runtime/code/source_map.ts";
import { RELATIVE, type Unit } from "../../runtime/code/unit.ts";
import { evaluationOrder } from "../../runtime/code/unit_graph.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { denoReason, findDeno, runDeno } from "../kit/deno_command.ts";
import { findEntryPoint } from "../modules/entry_point.ts";
import { findDanglingImports, type ModuleGraph, readModuleGraph } from "../modules/module_graph.ts";
import { ModuleReader } from "../modules/module_reader.ts";
import { parseJson, type Project } from "../modules/project.ts";
import { writeRuntimeMap } from "../modules/runtime_module.ts";
import { buildUnits } from "../modules/unit_building.ts";
import { bundleProgram } from "./bundle.ts";
import type { MergedModules } from "./merged_files.ts";
import { filesBelow, type WorkDirectory } from "./work_directory.ts";

/** Options of {@linkcode stageProgram}. */
export interface StageOptions {
  /** The name of the program. Default: the name of its file. */
  readonly name?: string;
  /** Called with warnings for the user. */
  readonly onNotice?: (message: string) => void;
  /** Further modules to bundle, which the program provides as library modules. */
  readonly entries?: readonly string[];
  /**
   * Files and directories to copy beside the program, at the same relative positions as beside its
   * first module.
   */
  readonly include?: readonly string[];
  /** See {@linkcode bundleProgram}. */
  readonly lazyBuiltins?: readonly string[];
  /** See {@linkcode bundleProgram}. */
  readonly merged?: MergedModules;
  /** V8 flags. */
  readonly v8Flags?: readonly string[];
}

/** A staged program. */
export interface StagedProgram {
  /** The path of the Deno that bundled it. */
  readonly deno: string;
  /** Aborted when the work has to end early. */
  readonly signal: AbortSignal;
  /** The directory with its files. */
  readonly directory: string;
  /** Its first file, in that directory. */
  readonly entry: string;
  /** The Deno flags that it runs with. */
  readonly flags: readonly string[];
}

/**
 * Copies all files of a program to a directory: its bundle, and included files.
 *
 * @throws {EnsembleError} if it cannot be bundled, or a file cannot be included.
 */
export async function stageProgram(
  entry: string,
  options: StageOptions,
  { output, work }: { output: string; work: WorkDirectory },
): Promise<StagedProgram> {
  const directory = join(work.path, "program");
  await Deno.mkdir(directory);
  const { signal } = work;
  const deno = await findDeno();
  const reader = await ModuleReader.open(entry);
  const { project } = reader;
  const { name = basename(output), onNotice } = options;
  const server = await serverModule(reader, { name, work, onNotice });
  const isMapped = !server &&
    project.importMap.resolve(RUNTIME_MODULE, pathToFileURL(entry).href) !== undefined;
  const importMap = isMapped ? undefined : await writeRuntimeMap(project.importMap, {
    directory: work.path,
    addresses: server?.runtimeAddresses ?? [],
  });
  const first = await bundleProgram([server?.path ?? entry, ...options.entries ?? []], {
    deno,
    signal,
    directory,
    project: project.directory ?? dirname(entry),
    ...importMap !== undefined && { importMap },
    absent: await findDanglingImports(reader),
    lazyBuiltins: options.lazyBuiltins ?? [],
    ...options.merged && { merged: options.merged },
  });
  const include = (options.include ?? []).map((path) => resolve(path));
  const missing = (server?.workers ?? []).filter((path) =>
    !include.some((each) => path === each || path.startsWith(`${each}/`))
  );
  if (missing.length > 0) {
    onNotice?.(
      `the modules of workers are not part of the executable unless included: ` +
        missing.map((path) => `--include ${relative(Deno.cwd(), path)}`).join(" "),
    );
  }
  await includeFiles(include, {
    from: dirname(entry),
    to: join(directory, dirname(first)),
    except: await Promise.all([work.path, output, entry].map(realPath)),
  });
  await writePackage(directory);
  const { v8Flags = [] } = options;
  const flags = [
    ...await unstableFlags(project, deno, signal),
    ...v8Flags.length > 0 ? [`--v8-flags=${v8Flags.join(",")}`] : [],
  ];
  return { deno, signal, directory, entry: first, flags };
}

/**
 * Writes the module that runs a program's `main` as `gxensemble run` does. Returns undefined for a
 * program that starts itself.
 *
 * @throws {EnsembleError} if there is nothing to run.
 */
async function serverModule(
  reader: ModuleReader,
  { name, work, onNotice }: {
    name: string;
    work: WorkDirectory;
    onNotice: StageOptions["onNotice"];
  },
): Promise<ServerModule | undefined> {
  const { entry, project } = reader;
  let entryPoint;
  try {
    entryPoint = await findEntryPoint(reader);
  } catch (error) {
    // The bundler reports the errors of modules.
    if (error instanceof ModuleError) return undefined;
    throw error;
  }
  if (entryPoint.startsItself) {
    if (entryPoint.asksRequire) {
      onNotice?.(
        `in an executable, require.main is not ${entry}, so code that depends on it does not run: export a ` +
          "function main, or use an entry module with import.meta.main",
      );
    }
    return undefined;
  }
  if (!entryPoint.exportsMain) {
    throw new EnsembleError(
      `${entry} has nothing to run: it does not export a function main, and its top level does nothing`,
    );
  }
  const directory = join(work.path, "server");
  await Deno.mkdir(directory);
  const { version } = project;
  return await writeServerModule(reader, { directory, name, version });
}

/** The Deno flags for the unstable features of the project. */
async function unstableFlags(
  { unstable, directory }: Project,
  deno: string,
  signal: AbortSignal,
): Promise<string[]> {
  const flags = unstable.map((feature) => `--unstable-${feature}`);
  if (flags.length === 0) return flags;
  const { success, said } = await runDeno(deno, ["eval", ...flags, ""], {
    cwd: directory!,
    signal,
  });
  if (success) return flags;
  throw new EnsembleError(
    `wrong "unstable" setting of the project in ${directory}: ${denoReason(said)}`,
  );
}

/** The real path of a file, or the path itself if there is no file. */
async function realPath(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch {
    return path;
  }
}

/**
 * Deno looks for a package.json in all parent directories. This writes the program's own, or an
 * empty one.
 */
async function writePackage(directory: string): Promise<void> {
  const path = join(directory, "package.json");
  const text = await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return "{}";
    throw error;
  });
  const own = await parseJson(text, path) as object;
  await Deno.writeTextFile(path, JSON.stringify({ ...own, type: "module" }, undefined, 2) + "\n");
}

/** Options of {@linkcode writeServerModule}. */
interface ServerModuleOptions {
  /** The directory to write to. It exists. */
  readonly directory: string;
  /** The name of the program. */
  readonly name: string;
  /** Its version, if its project has one. */
  readonly version: string | undefined;
}

/** The entry module of an executable. */
interface ServerModule {
  /** Its path. */
  readonly path: string;
  /** The specifiers with which the program imports the runtime, besides its name. */
  readonly runtimeAddresses: readonly string[];
  /** The files of its workers, which are not bundled. */
  readonly workers: readonly string[];
}

/**
 * Writes the module.
 *
 * It names the program's modules as `run` does. So a server that is an executable shares them with
 * code that is loaded later.
 *
 * @throws {ModuleError} at the file and line that cannot be read, parsed or resolved.
 */
export async function writeServerModule(
  reader: ModuleReader,
  { directory, name, version }: ServerModuleOptions,
): Promise<ServerModule> {
  const { units, request: { entry } } = await buildUnits(reader);
  const graph = await readModuleGraph(reader);
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
    `import { currentServer, runProgram } from ${JSON.stringify(RUNTIME_MODULE)};
async function main(...args) {
  const { modules } = await import("./modules.js");
  currentServer().units.adopt(modules, ${JSON.stringify(name)});
  const { module, namespace } = modules[0];
  if (typeof namespace.main !== "function") throw new TypeError("main of " + module + " is no function");
  return await namespace.main(...args);
}
Deno.exitCode = await runProgram(main, ${JSON.stringify({ name, version })});
// It ends by itself unless something was left open, since Deno.exit may hang with telemetry.
setTimeout(() => Deno.exit(), 1000).unref();
`,
  );
  return { path, runtimeAddresses: runtimeAddresses(graph), workers: workerFiles(graph) };
}

function workerFiles(graph: ModuleGraph): string[] {
  const workers = [...graph.values()].flatMap(({ candidates }) =>
    candidates.filter(({ type }) => type === "worker")
  );
  return [...new Set(workers.map(({ target }) => target.path))];
}

function runtimeAddresses(graph: ModuleGraph): string[] {
  const addresses = [...graph.values()].flatMap(({ imports, path }) =>
    imports.flatMap(({ specifier, target }) => {
      const isAddress = RELATIVE.test(specifier) || URL.canParse(specifier);
      if (target.kind === "local" || target.specifier !== RUNTIME_MODULE || !isAddress) return [];
      return new URL(specifier, pathToFileURL(path)).href;
    })
  );
  return [...new Set(addresses)];
}

/** Whether a unit is a file imported as a module, not as data. */
function isPlainModule({ module, path }: Unit): boolean {
  return path.endsWith(module) && !path.endsWith(".wasm");
}

/** The source and target of included files. */
interface Inclusion {
  /** The directory that they are copied from. */
  readonly from: string;
  /** The directory that they are copied to, which contains the program's own files. */
  readonly to: string;
  /** The real paths to leave out of included directories. */
  readonly except: readonly string[];
}

/**
 * Copies files and directories to the same relative positions below another directory, following
 * links.
 *
 * @throws {EnsembleError} if one is not below the directory, cannot be read, is not a file, or has
 * the name of one of the program's own files.
 */
async function includeFiles(paths: readonly string[], inclusion: Inclusion): Promise<void> {
  const { from, to, except } = inclusion;
  const taken = new Set(await filesBelow(to));
  for (const path of paths) {
    const name = relative(from, path);
    if (/^\.\.(?:$|[/\\])/.test(name)) {
      throw cannotInclude(
        path,
        `included files have to be below the directory of the program's module, ${from}`,
      );
    }
    await include(path, join(to, name), { taken, except, within: [] });
  }
}

async function include(
  path: string,
  target: string,
  { taken, except, within }: {
    /** The program's own files. */
    taken: ReadonlySet<string>;
    except: readonly string[];
    /** The real paths of the directories that are being copied. */
    within: readonly string[];
  },
): Promise<void> {
  try {
    const real = await Deno.realPath(path);
    if (except.includes(real)) return;
    const info = await Deno.stat(real);
    if (info.isDirectory) {
      if (within.includes(real)) {
        throw cannotInclude(path, "it is a link to a directory that contains it");
      }
      await Deno.mkdir(target, { recursive: true });
      for await (const { name } of Deno.readDir(real)) {
        const places = { taken, except, within: [...within, real] };
        await include(join(path, name), join(target, name), places);
      }
      return;
    }
    if (!info.isFile) throw cannotInclude(path, "it is neither a file nor a directory");
    if (taken.has(target)) {
      throw cannotInclude(path, "a file of the program itself has its name; rename it");
    }
    await Deno.mkdir(dirname(target), { recursive: true });
    await Deno.copyFile(real, target);
  } catch (error) {
    if (error instanceof EnsembleError) throw error;
    const reason = error instanceof Deno.errors.NotFound
      ? "it does not exist"
      : (error as Error).message;
    throw cannotInclude(path, reason, error);
  }
}

function cannotInclude(path: string, reason: string, cause?: unknown): EnsembleError {
  return new EnsembleError(`cannot include ${path}: ${reason}`, { cause });
}
