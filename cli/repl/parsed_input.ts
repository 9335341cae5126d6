/**
 * Inputs as syntax trees: TypeScript without its types, parsed, with the errors of both steps.
 *
 * @module
 */
import { parse, type Program } from "npm:acorn@^8.19.0";
import { decode } from "npm:@jridgewell/sourcemap-codec@^1.6.0";
import { ModuleError, sourcePosition, type TextPosition } from "../../runtime/code/source_map.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { inputToJavaScript, type JavaScript } from "../modules/javascript.ts";

/** A parsed input. */
export interface ParsedInput {
  /** The JavaScript compiled from it. */
  readonly text: string;
  /** The syntax tree of the JavaScript, parsed as a module. */
  readonly program: Program;
  /** Maps a position in the JavaScript to the input. */
  readonly locate: LocateInput;
}

/** Separates an input from the parentheses around it, so that columns stay the same. */
const BREAK = "\n";

/** The error of acorn. Its message ends with the position. */
interface AcornError extends SyntaxError {
  /** The line counts from 1, the column from 0. */
  loc: { line: number; column: number };
}

/**
 * Parses an input. One that could be an object or a block, such as `{ a: 1 }`, is read as an
 * object.
 *
 * @throws {InputError} if it is not TypeScript.
 */
export async function parseInput(source: string): Promise<ParsedInput> {
  if (!maybeObject(source)) return await parseAs(source, 0);
  const asObject = await attempt(() => parseAs(`(${BREAK}${source}${BREAK})`, 1));
  if (!(asObject instanceof InputError)) return asObject;
  const asBlock = await attempt(() => parseAs(source, 0));
  if (!(asBlock instanceof InputError)) return asBlock;
  // The reading that failed later is the intended one.
  throw isBefore(asBlock, asObject) ? asObject : asBlock;
}

/** The error of an input; undefined if it is valid. */
export async function failureOf(source: string): Promise<InputError | undefined> {
  const parsed = await attempt(() => parseInput(source));
  return parsed instanceof InputError ? parsed : undefined;
}

/** The error of a text in which braces at the start are a block; undefined if it is valid. */
export async function checkSyntax(text: string): Promise<InputError | undefined> {
  const parsed = await attempt(() => parseAs(text, 0));
  return parsed instanceof InputError ? parsed : undefined;
}

/** Whether an input may be an object or a block. */
export function maybeObject(source: string): boolean {
  return source.trimStart().startsWith("{");
}

function isBefore({ position: one }: InputError, { position: other }: InputError): boolean {
  return one.line < other.line || one.line === other.line && one.column < other.column;
}

/** Parses a text in which the input starts after `added` lines. */
async function parseAs(text: string, added: number): Promise<ParsedInput> {
  const { text: code, mappings } = await withoutTypes(text, added);
  const known = decode(mappings!);
  const locate: LocateInput = (position) => {
    const { line, column } = sourcePosition(known, position) ?? position;
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

/** Thrown for an input that is not valid TypeScript, or cannot be evaluated in a REPL. */
export class InputError extends EnsembleError {
  override name = "InputError";
  /** The position in the input. */
  readonly position: TextPosition;

  /** Makes an error at a position in the input. */
  constructor(message: string, position: TextPosition) {
    super(message);
    this.position = position;
  }
}

/** Formats an error: the message, the line, and a mark below the column. */
export function formatInputError({ message, position }: InputError, source: string): string {
  const { line, column } = position;
  const heading = `Uncaught SyntaxError: ${message} (${line}:${column})`;
  const text = source.split(/\r?\n/)[line - 1] ?? "";
  // Tabs before the column stay tabs, so that the mark has the same indentation.
  return [heading, `  ${text}`, `  ${text.slice(0, column - 1).replace(/[^\t]/g, " ")}^`].join(
    "\n",
  );
}

/** Maps a position in an expansion, or in the JavaScript, to the input. */
export type LocateInput = (position: TextPosition) => TextPosition;

/** The number of inputs to remember. Stack traces name older ones without line and column. */
const REMEMBERED = 1000;

/** The name that the engine gives a function called as `(0, name)()`, as expansions do. */
const INDIRECT_CALLEE = /\(0 , ([\p{ID_Start}$_][\p{ID_Continue}$]*)\)/gu;

/** The inputs of a session, to name positions in them in stack traces. */
export class InputMap {
  readonly #reference: RegExp;
  readonly #locate = new Map<number, LocateInput>();

  /** Starts without inputs. `session` is the name of the session in stack traces. */
  constructor(session: string) {
    const name = RegExp.escape(`repl:${session}/`);
    this.#reference = new RegExp(`${name}(\\d+)(?::(\\d+):(\\d+))?`, "g");
  }

  /** Stores the position map of an input's expansion. */
  add(input: number, locate: LocateInput): void {
    this.#locate.set(input, locate);
    this.#locate.delete(input - REMEMBERED);
  }

  /**
   * Replaces positions in expansions by positions in the inputs, in a stack trace or a value:
   * `repl:3:1:5` is line 1, column 5 of the third input.
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
