/**
 * Executables: a program in one file that runs where neither Deno nor the program's sources are.
 *
 * @module
 */
import { basename, dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { buildStatement } from "../../registry/version.ts";
import { RUNTIME_MODULE } from "../../runtime/code/library_table.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { findProject } from "../modules/project.ts";
import { bundleProgram } from "./bundle.ts";
import { MissingStubError, writeCompiled } from "./compiled.ts";
import { findDeno } from "./deno_program.ts";
import { writePortable } from "./portable.ts";
import { runtimeModule } from "./runtime_module.ts";
import type { Target } from "./target.ts";

/** What an executable is made of, and how. */
export interface ExecutableOptions {
  /** The module that the program starts with. */
  readonly entry: string;
  /** Modules that are bundled besides, for the program to hand out. */
  readonly entries?: readonly string[];
  /** The file to write, which replaces one that is there. */
  readonly output: string;
  /** What the program is called; as its file is, when absent. */
  readonly name?: string;
  /** Files and directories to put beside the program, in the place that they have beside its first module. */
  readonly include?: readonly string[];
  /** The platform; this one when absent. */
  readonly target?: Target | undefined;
  /** Whether the portable form is wanted, and not only where the other cannot be made. */
  readonly portable?: boolean;
  /** The commit that is built, and when that was made. */
  readonly source?: { readonly commit: string; readonly date: string };
  /** See {@linkcode bundleProgram}. */
  readonly lazyBuiltins?: readonly string[];
  /** Flags for V8. */
  readonly v8Flags?: readonly string[];
  /** Told when the portable form is made in place of the other, with the reason. */
  readonly onPortable?: (reason: string) => void;
}

/** An executable that was made. */
export interface Executable {
  /** Its file. */
  readonly path: string;
  /** How it was made. */
  readonly form: "compiled" | "portable";
  /** Its length, in bytes. */
  readonly size: number;
  /** The SHA-256 of its bytes, in hexadecimal digits. */
  readonly sha256: string;
}

/**
 * Makes an executable: by `deno compile`, or portable where its runtime cannot be had. What was at the
 * output is only replaced by a whole one, also while it runs.
 *
 * @throws {EnsembleError} when the program cannot be bundled, or the file not be written.
 */
export async function makeExecutable(options: ExecutableOptions): Promise<Executable> {
  const output = resolve(options.output);
  const work = await makeWorkDirectory(output);
  try {
    const program = await stage(options, work);
    const made = join(work, "made", basename(output));
    await Deno.mkdir(dirname(made));
    const form = await write(options, { ...program, made });
    await Deno.rename(made, output);
    const bytes = await Deno.readFile(output);
    const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    return { path: output, form, size: bytes.length, sha256 };
  } catch (error) {
    if (error instanceof EnsembleError || !(error instanceof Error)) throw error;
    throw new EnsembleError(`cannot make ${output}: ${error.message}`, { cause: error });
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Beside the output, so that the finished file can be renamed to it. */
async function makeWorkDirectory(output: string): Promise<string> {
  try {
    return await Deno.makeTempDir({ dir: dirname(output), prefix: ".compiling-" });
  } catch (error) {
    throw new EnsembleError(`cannot write to ${dirname(output)}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** A program as it goes into an executable. */
interface Staged {
  readonly deno: string;
  readonly directory: string;
  readonly entry: string;
}

async function stage(options: ExecutableOptions, work: string): Promise<Staged> {
  const entry = resolve(options.entry);
  await requireFile(entry);
  const directory = join(work, "program");
  await Deno.mkdir(directory);
  const deno = await findDeno();
  const project = await findProject(entry);
  const importMap = join(work, "import_map.json");
  const isMapped = project.importMap.resolve(RUNTIME_MODULE, pathToFileURL(entry).href);
  if (!isMapped) {
    const runtime = await runtimeModule(join(work, "runtime"));
    const map = project.importMap.toJSON({ [RUNTIME_MODULE]: runtime });
    await Deno.writeTextFile(importMap, JSON.stringify(map));
  }
  const first = await bundleProgram([entry, ...options.entries ?? []], {
    deno,
    directory,
    project: project.directory ?? dirname(entry),
    ...!isMapped && { importMap },
    lazyBuiltins: options.lazyBuiltins ?? [],
  });
  for (const path of options.include ?? []) {
    await include(resolve(path), { from: dirname(entry), to: join(directory, dirname(first)) });
  }
  // Deno looks for one in all directories above a file.
  await Deno.writeTextFile(join(directory, "package.json"), '{ "type": "module" }\n');
  return { deno, directory, entry: first };
}

/** Writes the executable in the first form that can be had. */
async function write(
  options: ExecutableOptions,
  { made, ...program }: Staged & { made: string },
): Promise<Executable["form"]> {
  const { portable = false, target, v8Flags = [], source } = options;
  const isForeign = target !== undefined && target !== Deno.build.target;
  if (portable && isForeign) throw notPortable(target);
  const first = join(program.directory, program.entry);
  const bundled = await Deno.readTextFile(first);
  if (!portable) {
    await Deno.writeTextFile(first, buildStatement({ form: "compiled", ...source }) + bundled);
    try {
      await writeCompiled({ ...program, output: made, ...target && { target }, v8Flags });
      return "compiled";
    } catch (error) {
      if (!(error instanceof MissingStubError)) throw error;
      if (isForeign) {
        throw new EnsembleError(`${error.message}, and ${notPortable(target).message}`);
      }
      options.onPortable?.(error.message);
    }
  }
  const statements = buildStatement({ form: "portable", ...source }) + RESTORE_ENVIRONMENT;
  await Deno.writeTextFile(first, statements + bundled);
  await writePortable({
    ...program,
    output: made,
    name: options.name ?? basename(options.output),
    flags: v8Flags.length > 0 ? [`--v8-flags=${v8Flags.join(",")}`] : [],
  });
  return "portable";
}

/** What the head of a portable executable sets for Deno is not for the processes that the program starts. */
const RESTORE_ENVIRONMENT = `if (Deno.env.get("GXENSEMBLE_DENO_DIR") === "own") ` +
  `["GXENSEMBLE_DENO_DIR", "DENO_DIR"].forEach((name) => Deno.env.delete(name));`;

function notPortable(target: Target): EnsembleError {
  return new EnsembleError(
    `a portable executable is for the system it is made on, ${Deno.build.target}, not ${target}`,
  );
}

async function requireFile(path: string): Promise<void> {
  try {
    if ((await Deno.stat(path)).isFile) return;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new EnsembleError(`no such file: ${path}`);
    throw error;
  }
  throw new EnsembleError(`not a file: ${path}`);
}

/** Copies a file or directory to the place that it has beside the program's first module. */
async function include(path: string, place: { from: string; to: string }): Promise<void> {
  const name = relative(place.from, path);
  if (/^\.\.(?:$|[/\\])/.test(name)) {
    throw new EnsembleError(
      `cannot include ${path}: what is included is below the directory of the program's module, ${place.from}`,
    );
  }
  const target = join(place.to, name);
  let info;
  try {
    info = await Deno.stat(path);
  } catch (error) {
    throw new EnsembleError(`cannot include ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (info.isDirectory) {
    await Deno.mkdir(target, { recursive: true });
    for await (const each of Deno.readDir(path)) await include(join(path, each.name), place);
    return;
  }
  await Deno.mkdir(dirname(target), { recursive: true });
  try {
    await Deno.writeFile(target, await Deno.readFile(path), { createNew: true });
  } catch (error) {
    throw new EnsembleError(`cannot include ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
