/**
 * `gxensemble complete`, which the completion scripts call at each Tab.
 *
 * @module
 */
import type { CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { answer, type Question } from "../completion/candidates.ts";
import { liveNames } from "../completion/live_names.ts";
import { printText } from "../kit/output.ts";

/** Prints what can stand at the cursor. Errors are not printed: a person is typing. */
export async function complete(program: CommandUnknownOpts, question: Question): Promise<void> {
  // Of what is not waited for any more.
  addEventListener("unhandledrejection", (event) => event.preventDefault());
  try {
    const lines = await answer(program, question, liveNames);
    printText(lines.map((line) => `${line}\n`).join(""));
  } catch {
    // There is nothing to offer.
  }
}
