/**
 * The error of an input that is not TypeScript.
 *
 * @module
 */
import type { TextPosition } from "../../runtime/code/text_position.ts";
import { EnsembleError } from "../../runtime/errors.ts";

/** An input cannot be expanded. */
export class InputError extends EnsembleError {
  override name = "InputError";
  /** Where in what the person typed. */
  readonly position: TextPosition;

  /** Makes the error of a reason. */
  constructor(reason: string, position: TextPosition) {
    super(reason);
    this.position = position;
  }
}

/** What is shown: the reason, the line, and below it a mark at the column. */
export function formatInputError({ message, position }: InputError, source: string): string {
  const { line, column } = position;
  const heading = `Uncaught SyntaxError: ${message} (${line}:${column})`;
  const text = source.split(/\r?\n/)[line - 1] ?? "";
  // The tabs before the column are as wide in the line below.
  return [heading, `  ${text}`, `  ${text.slice(0, column - 1).replace(/[^\t]/g, " ")}^`].join(
    "\n",
  );
}
