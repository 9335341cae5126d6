/**
 * Questions that the person at the terminal answers with yes or no.
 *
 * @module
 */
import { printPrompt } from "./output.ts";

/** Asks on standard error, for standard output is for results; no answer is a no. */
export async function askYesOrNo(question: string): Promise<boolean> {
  printPrompt(`${question} [y/N] `);
  const buffer = new Uint8Array(256);
  const count = await Deno.stdin.read(buffer) ?? 0;
  const answer = new TextDecoder().decode(buffer.subarray(0, count)).trim();
  return /^y(es)?$/i.test(answer);
}
