/**
 * The Deno that bundles and compiles: a program of its own, run as a process.
 *
 * @module
 */
import { EnsembleError } from "../../runtime/errors.ts";

/**
 * The path of the Deno to run: the one that runs this very program, or, where that is an executable
 * made by `deno compile` and so no Deno itself, the one on the path.
 *
 * @throws {EnsembleError} when there is none.
 */
export async function findDeno(): Promise<string> {
  if (!Deno.build.standalone) return Deno.execPath();
  try {
    const { success, stdout } = await new Deno.Command("deno", {
      args: ["eval", "console.log(Deno.execPath())"],
      stderr: "null",
    }).output();
    if (success) return new TextDecoder().decode(stdout).trim();
  } catch {
    // There is none.
  }
  throw new EnsembleError(
    "this takes Deno, and this gxensemble has none inside: put a deno on the PATH, or use the " +
      "portable gxensemble",
  );
}

/** Options of {@linkcode runDeno}. */
export interface RunDenoOptions {
  /** The directory to run it in, which decides whose configuration it reads. */
  readonly cwd: string;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

/** Runs a Deno to its end; gives whether it succeeded, and what it said on standard error, uncoloured. */
export async function runDeno(
  deno: string,
  args: string[],
  { cwd, signal }: RunDenoOptions,
): Promise<{ success: boolean; said: string }> {
  const { success, stderr } = await new Deno.Command(deno, {
    args,
    cwd,
    signal,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "null",
  }).output();
  return { success, said: new TextDecoder().decode(stderr).trim() };
}

/** What Deno says, without the name of its error and the traces of its own code. */
export function denoReason(said: string): string {
  return said.replace(/\n+Stack backtrace:[^]*$/, "").replace(/^error: /gm, "")
    .replace(/\n*(error: )?bundling failed\s*$/, "").trim();
}
