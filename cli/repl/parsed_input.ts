/**
 * Inputs as JavaScript: without their types, and parsed.
 *
 * @module
 */
import { parse, type Program } from "npm:acorn@^8.19.0";
import { ModuleError } from "../../runtime/code/module_error.ts";
import { sourcePosition } from "../../runtime/code/source_map.ts";
import { inputToJavaScript, type JavaScript } from "../modules/javascript.ts";
import { InputError } from "./input_error.ts";
import type { LocateInput } from "./input_map.ts";

/** An input that is JavaScript. */
export interface ParsedInput {
  /** The JavaScript. */
  readonly text: string;
  /** Its syntax tree, of a module. */
  readonly program: Program;
  /** The place in the input of a place in the JavaScript. */
  readonly locate: LocateInput;
}

/** Between an input and its parentheses, so that columns stay. */
const BREAK = "\n";

/** What acorn throws: an error whose message ends with the place. */
interface AcornError extends SyntaxError {
  /** The line from 1, the column from 0. */
  loc: { line: number; column: number };
}

/**
 * Parses an input. One that could be an object or a block, such as `{ a: 1 }`, is an object.
 *
 * @throws {InputError} when it is not TypeScript.
 */
export async function parseInput(source: string): Promise<ParsedInput> {
  if (!maybeObject(source)) return await parseAs(source, 0);
  const asObject = await attempt(() => parseAs(`(${BREAK}${source}${BREAK})`, 1));
  if (!(asObject instanceof InputError)) return asObject;
  const asBlock = await attempt(() => parseAs(source, 0));
  if (!(asBlock instanceof InputError)) return asBlock;
  // The one that made sense for longer is the one that was meant.
  throw isBefore(asBlock, asObject) ? asObject : asBlock;
}

/** Why an input is not TypeScript; undefined when it is. */
export async function failureOf(source: string): Promise<InputError | undefined> {
  const parsed = await attempt(() => parseInput(source));
  return parsed instanceof InputError ? parsed : undefined;
}

/** The same of a text as it stands, of which braces at its beginning are a block. */
export async function checkSyntax(text: string): Promise<InputError | undefined> {
  const parsed = await attempt(() => parseAs(text, 0));
  return parsed instanceof InputError ? parsed : undefined;
}

/** Whether an input begins as an object and as a block does. */
export function maybeObject(source: string): boolean {
  return source.trimStart().startsWith("{");
}

function isBefore({ position: one }: InputError, { position: other }: InputError): boolean {
  return one.line < other.line || one.line === other.line && one.column < other.column;
}

/** Parses a text in which what the person typed starts after `added` lines. */
async function parseAs(text: string, added: number): Promise<ParsedInput> {
  const { text: code, mappings } = await withoutTypes(text, added);
  const locate: LocateInput = (position) => {
    const { line, column } = sourcePosition(mappings!, position) ?? position;
    return { line: line - added, column };
  };
  try {
    const program = parse(code, { ecmaVersion: "latest", sourceType: "module", locations: true });
    return { text: code, program, locate };
  } catch (error) {
    const { message, loc: { line, column } } = error as AcornError;
    const reason = message.replace(/ \(\d+:\d+\)$/, "");
    throw new InputError(reason, locate({ line, column: column + 1 }));
  }
}

async function withoutTypes(text: string, added: number): Promise<JavaScript> {
  try {
    return await inputToJavaScript(text, "input.ts");
  } catch (error) {
    if (!(error instanceof ModuleError)) throw error;
    const { line = 1 + added, column = 1 } = error.location;
    throw new InputError(error.reason, { line: line - added, column });
  }
}

async function attempt<T>(work: () => Promise<T>): Promise<T | InputError> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}
