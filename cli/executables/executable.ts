/**
 * Executables: a program in one file that needs neither Deno nor the program's sources.
 *
 * @module
 */
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { EnsembleError } from "../../runtime/errors.ts";
import { unreadable } from "../../runtime/home/files.ts";
import { buildStatement, type Target } from "../kit/build.ts";
import { denoReason, runDeno } from "../kit/deno_command.ts";
import { RESTORE_ENVIRONMENT, writePortable } from "./portable.ts";
import { type StagedProgram, type StageOptions, stageProgram } from "./staged_program.ts";
import { WorkDirectory } from "./work_directory.ts";

/** Options of {@linkcode makeExecutable}. */
export interface ExecutableOptions extends StageOptions {
  /** The entry module: a path, or a `file:` URL. */
  readonly entry: string;
  /** The file to write. An existing one is replaced. */
  readonly output: string;
  /** The target platform. Default: this one. */
  readonly target?: Target | undefined;
  /** Whether to make the portable form. By default it is only made if a compiled one cannot be. */
  readonly portable?: boolean;
  /** The path of the Deno for a portable executable. Default: the Deno that makes it. */
  readonly deno?: string;
  /** The commit that is built, and its date. */
  readonly source?: { readonly commit: string; readonly date: string };
}

/** A finished executable. */
export interface Executable {
  /** Its path. */
  readonly path: string;
  /** How it was made. */
  readonly form: "compiled" | "portable";
  /** Its size, in bytes. */
  readonly size: number;
  /** The SHA-256 of the file, in hexadecimal. */
  readonly sha256: string;
}

/**
 * Makes an executable with `deno compile`, or a portable one if Deno's runtime is not available.
 * Replaces an existing output atomically, even while it runs.
 *
 * @throws {EnsembleError} if the program cannot be bundled, or the file cannot be written.
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
      `${entry} is not a file on this host, and only files can be compiled: write one that imports it`,
    );
  }
  return resolve(entry);
}

async function requireFile(path: string): Promise<void> {
  const info = await statIfThere(path);
  if (info === undefined) throw new EnsembleError(`no such file: ${path}`);
  if (!info.isFile) throw new EnsembleError(`not a file: ${path}`);
}

/**
 * Returns the absolute path of the output. It must not exist, or be a file other than the program's
 * module.
 */
async function requireOutput(output: string, entry: string): Promise<string> {
  const path = resolve(output);
  const info = await statIfThere(path);
  if (info?.isDirectory || output === "") {
    throw new EnsembleError(`cannot write to ${path}: it is a directory; name a file in it`);
  }
  if (/[/\\]$/.test(output)) {
    throw new EnsembleError(`cannot write to ${output}: it is a directory; pass a file name`);
  }
  if (info && !info.isFile) throw new EnsembleError(`cannot write to ${path}: it is not a file`);
  if (info && await Deno.realPath(path) === await Deno.realPath(entry)) {
    throw new EnsembleError(
      `cannot write to ${path}: it is the program's module; pass another file name`,
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

/** Writes a compiled executable, or a portable one if Deno's runtime is not available. */
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
      options.onNotice?.(`making a portable executable: ${error.message}`);
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
    `a portable executable can only be made for this system, ${Deno.build.target}, not for ${target}`,
  );
}

/** Thrown if the runtime for `deno compile` cannot be downloaded. */
class MissingStubError extends EnsembleError {
  override name = "MissingStubError";
}

/**
 * Writes a compiled executable: the program and a runtime without Deno's tools in one file. Deno
 * downloads the runtime once, unless `DENORT_BIN` names one.
 *
 * @throws {MissingStubError} if it cannot be downloaded.
 * @throws {EnsembleError} with Deno's message for other failures.
 */
async function writeCompiled(
  { deno, signal, directory, entry, flags }: StagedProgram,
  { output, target }: { output: string; target: Target | undefined },
): Promise<void> {
  const { success, said } = await runDeno(deno, [
    "compile",
    "--allow-all",
    // A server that has dropped a permission must not prompt for it.
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
  if (stub !== undefined) throw new MissingStubError(`cannot download ${stub}`);
  throw new EnsembleError(`deno compile failed: ${reason}`);
}
