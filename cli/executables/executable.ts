/**
 * Executables: a program in one file that runs where neither Deno nor the program's sources are.
 *
 * @module
 */
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { EnsembleError } from "../../runtime/errors.ts";
import { unreadable } from "../../runtime/home/files.ts";
import { buildStatement, denoReason, runDeno, type Target } from "../kit/build.ts";
import { RESTORE_ENVIRONMENT, writePortable } from "./portable.ts";
import { type StagedProgram, type StageOptions, stageProgram } from "./staged_program.ts";
import { WorkDirectory } from "./work_directory.ts";

/** What an executable is made of, and how. */
export interface ExecutableOptions extends StageOptions {
  /** The module that the program starts with: a path, or a `file:` URL. */
  readonly entry: string;
  /** The file to write, which replaces one that is there. */
  readonly output: string;
  /** The platform; this one when absent. */
  readonly target?: Target | undefined;
  /** Whether the portable form is wanted, and not only where the other cannot be made. */
  readonly portable?: boolean;
  /** The Deno that goes into a portable executable: a path; the one that makes it, when absent. */
  readonly deno?: string;
  /** The commit that is built, and when that was made. */
  readonly source?: { readonly commit: string; readonly date: string };
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
  const entry = entryPath(options.entry);
  await requireFile(entry);
  const output = await requireOutput(options.output, entry);
  using work = await WorkDirectory.beside(output);
  try {
    const program = await stageProgram(entry, options, { output, work });
    const made = join(work.path, "made");
    const form = await write(program, { ...options, made });
    await Deno.rename(made, output);
    const bytes = await Deno.readFile(output);
    const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    return { path: output, form, size: bytes.length, sha256 };
  } catch (error) {
    if (error instanceof EnsembleError || !(error instanceof Error)) throw error;
    throw new EnsembleError(`cannot make ${output}: ${error.message}`, { cause: error });
  }
}

function entryPath(entry: string): string {
  if (entry.startsWith("file:")) return fileURLToPath(entry);
  if (/^(?:https?|jsr|npm|node|data|blob):/.test(entry)) {
    throw new EnsembleError(
      `${entry} is not a file on this host, and only those are compiled: write one that imports it`,
    );
  }
  return resolve(entry);
}

async function requireFile(path: string): Promise<void> {
  const info = await statIfThere(path);
  if (info === undefined) throw new EnsembleError(`no such file: ${path}`);
  if (!info.isFile) throw new EnsembleError(`not a file: ${path}`);
}

/** The absolute path of the file to write, where there is nothing or a file that is not the program's module. */
async function requireOutput(output: string, entry: string): Promise<string> {
  const path = resolve(output);
  const info = await statIfThere(path);
  if (info?.isDirectory || output === "") {
    throw new EnsembleError(`cannot write to ${path}: it is a directory; name a file in it`);
  }
  if (/[/\\]$/.test(output)) {
    throw new EnsembleError(`cannot write to ${output}: that names a directory; name a file`);
  }
  if (info && !info.isFile) throw new EnsembleError(`cannot write to ${path}: it is not a file`);
  if (info && await Deno.realPath(path) === await Deno.realPath(entry)) {
    throw new EnsembleError(
      `cannot write to ${path}: it is the program's module; name another file`,
    );
  }
  return path;
}

async function statIfThere(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw unreadable(path, error);
  }
}

/** Writes the executable in the first form that can be had. */
async function write(
  program: StagedProgram,
  { made, portable = false, target, source, ...options }: ExecutableOptions & { made: string },
): Promise<Executable["form"]> {
  const isForeign = target !== undefined && target !== Deno.build.target;
  if (portable && isForeign) throw notPortable(target);
  const first = join(program.directory, program.entry);
  const bundled = (await Deno.readTextFile(first)).replace(/^#!.*/, "");
  if (!portable) {
    await Deno.writeTextFile(first, buildStatement({ form: "compiled", ...source }) + bundled);
    try {
      await writeCompiled(program, { output: made, target });
      return "compiled";
    } catch (error) {
      if (!(error instanceof MissingStubError)) throw error;
      if (isForeign) {
        throw new EnsembleError(`${error.message}, and ${notPortable(target).message}`);
      }
      options.onNotice?.(`making the portable form: ${error.message}`);
    }
  }
  const statements = buildStatement({ form: "portable", ...source }) + RESTORE_ENVIRONMENT;
  await Deno.writeTextFile(first, statements + bundled);
  await writePortable(
    { ...program, deno: options.deno ?? program.deno },
    { output: made, name: options.name ?? basename(options.output) },
  );
  return "portable";
}

function notPortable(target: Target): EnsembleError {
  return new EnsembleError(
    `a portable executable is for the system it is made on, ${Deno.build.target}, not ${target}`,
  );
}

/** The runtime that `deno compile` puts the program into cannot be fetched. */
class MissingStubError extends EnsembleError {
  override name = "MissingStubError";
}

/**
 * Writes a compiled executable: a runtime without Deno's tools and the program in one file. Deno fetches the runtime for it, once, unless `DENORT_BIN` names one.
 *
 * @throws {MissingStubError} when that cannot be had.
 * @throws {EnsembleError} with what Deno says when it fails otherwise.
 */
async function writeCompiled(
  { deno, signal, directory, entry, flags }: StagedProgram,
  { output, target }: { output: string; target: Target | undefined },
): Promise<void> {
  const { success, said } = await runDeno(deno, [
    "compile",
    "--allow-all",
    // A server that has given up a permission must not prompt for it.
    "--no-prompt",
    "--no-check",
    "--no-config",
    "--no-lock",
    ...flags,
    ...target === undefined ? [] : [`--target=${target}`],
    `--include=${directory}`,
    `--output=${output}`,
    join(directory, entry),
  ], { cwd: directory, signal });
  if (success) return;
  const reason = denoReason(said);
  const [, stub] = /for url \((\S*denort\S*)\)/.exec(reason) ?? [];
  if (stub !== undefined) throw new MissingStubError(`${stub} cannot be fetched`);
  throw new EnsembleError(`deno compile failed: ${reason}`);
}
