/**
 * The Deno that this program runs to bundle and compile.
 *
 * @module
 */
import { EnsembleError } from "../../runtime/errors.ts";

/**
 * Finds the Deno to run: the one that runs this program, or the one on the path if this program is
 * an executable of `deno compile`.
 *
 * @throws {EnsembleError} if there is none.
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
    "this command needs Deno, and this gxensemble does not contain it: put deno on the PATH, or use the portable gxensemble",
  );
}

/** Options of {@linkcode runDeno}. */
export interface RunDenoOptions {
  /** The directory to run it in. Its configuration applies. */
  readonly cwd: string;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

/**
 * Runs Deno and waits for its end. Returns whether it succeeded, and its standard error without
 * colors.
 */
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

/** Returns Deno's error message, without the error's name and traces of Deno's own code. */
export function denoReason(said: string): string {
  return said.replace(/\n+Stack backtrace:[^]*$/, "").replace(/^error: /gm, "")
    .replace(/\n*(error: )?bundling failed\s*$/, "").trim();
}
