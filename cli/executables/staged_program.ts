/**
 * What goes into an executable: the files of a program, and how they are run.
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
import { denoReason, findDeno, runDeno } from "../kit/build.ts";
import { findEntryPoint } from "../modules/entry_point.ts";
import { findDanglingImports, type ModuleGraph, readModuleGraph } from "../modules/module_graph.ts";
import { ModuleReader } from "../modules/module_reader.ts";
import { parseJson, type Project } from "../modules/project.ts";
import { writeRuntimeMap } from "../modules/runtime_module.ts";
import { buildUnits } from "../modules/unit_building.ts";
import { bundleProgram } from "./bundle.ts";
import { filesBelow, type WorkDirectory } from "./work_directory.ts";

/** Options of {@linkcode stageProgram}. */
export interface StageOptions {
  /** What the program is called; as its file is, when absent. */
  readonly name?: string;
  /** Called with what the operator should know about the executable. */
  readonly onNotice?: (message: string) => void;
  /** Modules that are bundled besides, for the program to hand out. */
  readonly entries?: readonly string[];
  /** Files and directories to put beside the program, in the place that they have beside its first module. */
  readonly include?: readonly string[];
  /** See {@linkcode bundleProgram}. */
  readonly lazyBuiltins?: readonly string[];
  /** Flags for V8. */
  readonly v8Flags?: readonly string[];
}

/** A program as it goes into an executable. */
export interface StagedProgram {
  /** The Deno that bundled it. */
  readonly deno: string;
  /** Aborts when the work is to end early. */
  readonly signal: AbortSignal;
  /** The directory with its files. */
  readonly directory: string;
  /** Its first file, in that directory. */
  readonly entry: string;
  /** The flags of Deno that it runs with. */
  readonly flags: readonly string[];
}

/**
 * Puts all that a program needs into a directory: its bundle, and what is included.
 *
 * @throws {EnsembleError} when it cannot be bundled, or something not be included.
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
  });
  const include = (options.include ?? []).map((path) => resolve(path));
  const missing = (server?.workers ?? []).filter((path) =>
    !include.some((each) => path === each || path.startsWith(`${each}/`))
  );
  if (missing.length > 0) {
    onNotice?.(
      `the modules of workers are not in the executable unless they are included: ` +
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
 * Writes the module that runs the `main` of a program as `gxensemble run` does; gives undefined for one that starts itself.
 *
 * @throws {EnsembleError} when there is nothing to run.
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
    // What is wrong with a module the bundler says.
    if (error instanceof ModuleError) return undefined;
    throw error;
  }
  if (entryPoint.startsItself) {
    if (entryPoint.asksRequire) {
      onNotice?.(
        `in an executable require.main is not ${entry}, and what depends on that does not run: export a ` +
          "function main, or start from a module with import.meta.main",
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

/** The flags for what the project's configuration calls unstable, which Deno must know. */
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
    `the "unstable" of the project in ${directory} is wrong: ${denoReason(said)}`,
  );
}

/** The real path of a file, or the path itself where there is no file. */
async function realPath(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch {
    return path;
  }
}

/** Deno looks for a package.json in all directories above a file. This one is the program's, if it has one. */
async function writePackage(directory: string): Promise<void> {
  const path = join(directory, "package.json");
  const text = await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return "{}";
    throw error;
  });
  const own = await parseJson(text, path) as object;
  await Deno.writeTextFile(path, JSON.stringify({ ...own, type: "module" }, undefined, 2) + "\n");
}

/** What an executable says of itself. */
interface ServerModuleOptions {
  /** The directory to write to, which exists. */
  readonly directory: string;
  /** What the program is called. */
  readonly name: string;
  /** Its version, where its project says. */
  readonly version: string | undefined;
}

/** The first module of an executable. */
interface ServerModule {
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
Deno.exit(await runProgram(main, ${JSON.stringify({ name, version })}));
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

/** Whether a unit is a file as it is imported by itself, and not the data in one. */
function isPlainModule({ module, path }: Unit): boolean {
  return path.endsWith(module) && !path.endsWith(".wasm");
}

/** From where to where files are included. */
interface Inclusion {
  /** The directory that they are below. */
  readonly from: string;
  /** The directory that they get the same places below, where the program's own files are. */
  readonly to: string;
  /** The real paths of what is left out when directories are included. */
  readonly except: readonly string[];
}

/**
 * Copies files, and all files of directories, to the places that they have below another directory. Links
 * are followed.
 *
 * @throws {EnsembleError} when one is not below the directory, cannot be read, is no file, or has the name of
 * one of the program's own.
 */
async function includeFiles(paths: readonly string[], inclusion: Inclusion): Promise<void> {
  const { from, to, except } = inclusion;
  const taken = new Set(await filesBelow(to));
  for (const path of paths) {
    const name = relative(from, path);
    if (/^\.\.(?:$|[/\\])/.test(name)) {
      throw cannotInclude(
        path,
        `what is included is below the directory of the program's module, ${from}`,
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
    /** The real paths of the directories that are being included. */
    within: readonly string[];
  },
): Promise<void> {
  try {
    const real = await Deno.realPath(path);
    if (except.includes(real)) return;
    const info = await Deno.stat(real);
    if (info.isDirectory) {
      if (within.includes(real)) throw cannotInclude(path, "it leads back to where it is");
      await Deno.mkdir(target, { recursive: true });
      for await (const { name } of Deno.readDir(real)) {
        const places = { taken, except, within: [...within, real] };
        await include(join(path, name), join(target, name), places);
      }
      return;
    }
    if (!info.isFile) throw cannotInclude(path, "it is neither a file nor a directory");
    if (taken.has(target)) {
      throw cannotInclude(path, "a part of the program itself has its name; rename it");
    }
    await Deno.mkdir(dirname(target), { recursive: true });
    await Deno.copyFile(real, target);
  } catch (error) {
    if (error instanceof EnsembleError) throw error;
    const reason = error instanceof Deno.errors.NotFound
      ? "it is not there"
      : (error as Error).message;
    throw cannotInclude(path, reason, error);
  }
}

function cannotInclude(path: string, reason: string, cause?: unknown): EnsembleError {
  return new EnsembleError(`cannot include ${path}: ${reason}`, { cause });
}
