/**
 * What goes into an executable: the files of a program, and how they are run.
 *
 * @module
 */
import { basename, dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { RUNTIME_MODULE } from "../../runtime/code/library_table.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { ModuleError } from "../../runtime/code/module_error.ts";
import { findEntryPoint } from "../modules/entry_point.ts";
import { findDanglingImports } from "../modules/module_graph.ts";
import { parseJson } from "../modules/data_module.ts";
import { findProject, type Project } from "../modules/project.ts";
import { bundleProgram } from "./bundle.ts";
import { denoReason, findDeno, runDeno } from "../kit/deno_program.ts";
import { includeFiles, type WorkDirectory } from "./files.ts";
import { runtimeModule } from "../modules/runtime_module.ts";
import { type ServerModule, writeServerModule } from "./server_module.ts";

/** Options of {@linkcode stageProgram}. */
export interface StageOptions {
  /** What the program is called; as its file is, when absent. */
  readonly name?: string;
  /** Told what a person should know who has an executable made. */
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
  const project = await findProject(entry);
  const { name = basename(output), onNotice } = options;
  const server = await serverModule(entry, { name, project, work, onNotice });
  const importMap = join(work.path, "import_map.json");
  const isMapped = !server &&
    project.importMap.resolve(RUNTIME_MODULE, pathToFileURL(entry).href);
  if (!isMapped) {
    const runtime = await runtimeModule(join(work.path, "runtime"));
    const addresses = [RUNTIME_MODULE, ...server?.runtimeAddresses ?? []];
    const map = project.importMap.toJSON(
      Object.fromEntries(addresses.map((address) => [address, runtime])),
    );
    await Deno.writeTextFile(importMap, JSON.stringify(map));
  }
  const first = await bundleProgram([server?.path ?? entry, ...options.entries ?? []], {
    deno,
    signal,
    directory,
    project: project.directory ?? dirname(entry),
    ...!isMapped && { importMap },
    absent: await findDanglingImports(entry),
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
  entry: string,
  { name, project, work, onNotice }: {
    name: string;
    project: Project;
    work: WorkDirectory;
    onNotice: StageOptions["onNotice"];
  },
): Promise<ServerModule | undefined> {
  let entryPoint;
  try {
    entryPoint = await findEntryPoint(entry);
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
      `${entry} has nothing to run: it exports no function main, and its top level does nothing`,
    );
  }
  const directory = join(work.path, "server");
  await Deno.mkdir(directory);
  const { version } = project;
  return await writeServerModule(entry, { directory, name, version });
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

/** The real path of what is there, and the path of what is not. */
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
