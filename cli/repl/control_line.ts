/**
 * The form of control commands: `,(load -f module-id)`, or without parentheses `,load -f module-id`.
 *
 * @module
 */
import { InvalidInputError } from "../../runtime/errors.ts";
import { type Datum, isList, isSymbol, parseNotation } from "../../runtime/wire/notation.ts";

/** A control command as it was typed. */
export interface ControlLine {
  readonly name: string;
  readonly args: readonly string[];
}

/** Whether a line is a control command: no expression starts with a comma. */
export function isControlLine(line: string): boolean {
  return line.trimStart().startsWith(",");
}

/**
 * Reads a control command; a comment may follow after `;`.
 *
 * @throws {InvalidInputError} when it is not of the form.
 */
export function parseControlLine(line: string): ControlLine {
  const data = parseNotation(line.trimStart().slice(1));
  const [first] = data;
  const words = data.length === 1 && first !== undefined && isList(first) ? first : data;
  const [name, ...args] = words.map(readWord);
  if (name === undefined) {
    throw new InvalidInputError("a control command has a name: ,help lists them");
  }
  return { name, args };
}

function readWord(datum: Datum): string {
  if (typeof datum === "string") return datum;
  if (isSymbol(datum)) return datum.symbol;
  if (!isList(datum)) return `${datum.keyword}:`;
  throw new InvalidInputError("a control command is one list of words: ,help lists them");
}
