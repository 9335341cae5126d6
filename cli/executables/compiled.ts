/**
 * Compiled executables: what `deno compile` makes, a runtime without Deno's tools and the program in one file.
 *
 * @module
 */
import { join } from "node:path";
import { EnsembleError } from "../../runtime/errors.ts";
import { denoReason, runDeno } from "../kit/deno_program.ts";
import type { Target } from "../kit/options.ts";

/** Options of {@linkcode writeCompiled}. */
export interface CompiledOptions {
  /** The file to write. */
  readonly output: string;
  /** The platform it is for; this one when absent. */
  readonly target?: Target;
  /** The Deno that compiles. */
  readonly deno: string;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** The directory with the program's files. */
  readonly directory: string;
  /** The program's first file, in that directory. */
  readonly entry: string;
  /** Flags for Deno. */
  readonly flags: readonly string[];
}

/** The runtime that `deno compile` puts the program into cannot be fetched. */
export class MissingStubError extends EnsembleError {
  override name = "MissingStubError";
}

/**
 * Writes a compiled executable. Deno fetches the runtime for it, once, unless `DENORT_BIN` names one.
 *
 * @throws {MissingStubError} when that cannot be had.
 * @throws {EnsembleError} with what Deno says when it fails otherwise.
 */
export async function writeCompiled(options: CompiledOptions): Promise<void> {
  const { output, target, deno, signal, directory, entry, flags } = options;
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
