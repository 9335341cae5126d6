/**
 * Inputs as JavaScript: without their types, and parsed.
 *
 * @module
 */
import { parse, type Program } from "npm:acorn@^8.19.0";
import { ModuleError, sourcePosition, type TextPosition } from "../../runtime/code/source_map.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { inputToJavaScript, type JavaScript } from "../modules/javascript.ts";

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
    const bare = message.replace(/ \(\d+:\d+\)$/, "");
    throw new InputError(bare, locate({ line, column: column + 1 }));
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

/** An input cannot be expanded. */
export class InputError extends EnsembleError {
  override name = "InputError";
  /** Where in what the person typed. */
  readonly position: TextPosition;

  /** Makes an error about a place in the input. */
  constructor(message: string, position: TextPosition) {
    super(message);
    this.position = position;
  }
}

/** What is shown: the message, the line, and below it a mark at the column. */
export function formatInputError({ message, position }: InputError, source: string): string {
  const { line, column } = position;
  const heading = `Uncaught SyntaxError: ${message} (${line}:${column})`;
  const text = source.split(/\r?\n/)[line - 1] ?? "";
  // The tabs before the column are as wide in the line below.
  return [heading, `  ${text}`, `  ${text.slice(0, column - 1).replace(/[^\t]/g, " ")}^`].join(
    "\n",
  );
}

/** Gives the place in an input of a place in its expansion. */
export type LocateInput = (position: TextPosition) => TextPosition;

/** How many inputs are remembered: the functions of older ones are named without line and column. */
const REMEMBERED = 1000;

/** How engines name a function that was called through `(0, name)`, as expansions call functions. */
const INDIRECT_CALLEE = /\(0 , ([\p{ID_Start}$_][\p{ID_Continue}$]*)\)/gu;

/** The inputs of one session, as far as its errors are about them. */
export class InputMap {
  readonly #reference: RegExp;
  readonly #locate = new Map<number, LocateInput>();

  /** Starts without inputs; `session` is the session's name in stack traces. */
  constructor(session: string) {
    const name = RegExp.escape(`repl:${session}/`);
    this.#reference = new RegExp(`${name}(\\d+)(?::(\\d+):(\\d+))?`, "g");
  }

  /** Remembers where the text of an input's expansion comes from. */
  add(input: number, locate: LocateInput): void {
    this.#locate.set(input, locate);
    this.#locate.delete(input - REMEMBERED);
  }

  /**
   * Puts lines and columns of what the person typed in place of those of the expansions, in a stack
   * trace or a value: `repl:3:1:5` is line 1, column 5 of the third input.
   */
  restore(text: string): string {
    return text
      .replace(INDIRECT_CALLEE, "$1")
      .replace(this.#reference, (_, number, line, column) => {
        const input = Number(number);
        const locate = line === undefined ? undefined : this.#locate.get(input);
        if (!locate) return `repl:${input}`;
        const position = locate({ line: Number(line), column: Number(column) });
        return `repl:${input}:${position.line}:${position.column}`;
      });
  }
}
