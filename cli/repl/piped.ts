/**
 * The REPL of a script: its lines come from a file or a pipe, and there is nobody to prompt.
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { EnsembleError } from "../../runtime/errors.ts";
import type { Repl } from "./repl.ts";

/**
 * Enters the lines of standard input, up to its end or to a command that ends the REPL. What fails does
 * not keep the lines after it from being evaluated.
 *
 * @param lost aborted when the session is lost.
 * @throws {EnsembleError} when an input failed, or the session was lost.
 */
export async function runPiped(repl: Repl, lost: AbortSignal): Promise<void> {
  const lines = createInterface({ input: process.stdin, terminal: false });
  lost.addEventListener("abort", () => lines.close());
  let failures = 0;
  for await (const line of lines) {
    const outcome = await repl.enter(line);
    if (outcome === "failed") failures++;
    if (outcome === "quit") return endOf(failures);
    if (lost.aborted) break;
  }
  lost.throwIfAborted();
  if (repl.end() === "failed") failures++;
  endOf(failures);
}

function endOf(failures: number): void {
  if (failures === 0) return;
  throw new EnsembleError(failures === 1 ? "1 input failed" : `${failures} inputs failed`);
}
