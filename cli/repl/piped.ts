/**
 * The REPL of a script: its lines come from a file or a pipe, and no one is there to prompt.
 *
 * @module
 */
import { fstatSync } from "node:fs";
import { EnsembleError } from "../../runtime/errors.ts";
import { InputLines } from "./input_lines.ts";
import type { Repl } from "./repl.ts";

/**
 * Enters the inputs of standard input, up to its end or to a command that ends the REPL. What fails does
 * not keep the inputs after it from being evaluated.
 *
 * @param lost aborted when the session is lost.
 * @throws {EnsembleError} when an input failed, or the session was lost.
 */
export async function runPiped(repl: Repl, lost: AbortSignal): Promise<void> {
  let failures = 0;
  for await (const input of readInputs(lost)) {
    const outcome = await repl.enter(input);
    if (outcome === "failed") failures++;
    if (outcome === "quit") return endOf(failures);
    if (lost.aborted) break;
  }
  lost.throwIfAborted();
  endOf(failures);
}

/**
 * The inputs, each as soon as it is known to have ended. A program at the other end of a pipe may wait for an
 * answer before it writes more: so where no more has come, an input that is whole has ended.
 */
async function* readInputs(lost: AbortSignal): AsyncGenerator<string> {
  const inputs = new InputLines();
  const isFile = fstatSync(0).isFile();
  let rest = "";
  const text = Deno.stdin.readable.pipeThrough(new TextDecoderStream(), { signal: lost });
  try {
    for await (const chunk of text) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const line of lines) yield* await inputs.add(line.replace(/\r$/, ""));
      if (rest === "" && !isFile && !inputs.isIncomplete) yield* inputs.flush();
    }
  } catch (error) {
    if (!lost.aborted) throw error;
    return;
  }
  if (rest !== "") yield* await inputs.add(rest);
  yield* inputs.flush();
}

function endOf(failures: number): void {
  if (failures === 0) return;
  throw new EnsembleError(failures === 1 ? "1 input failed" : `${failures} inputs failed`);
}
