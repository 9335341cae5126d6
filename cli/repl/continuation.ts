/**
 * Decides which lines form an input.
 *
 * A parser reports where it failed, not whether more text would help. So the text is parsed again
 * with an empty line after it. If the failure moves, the parser had reached the end, and the input
 * is incomplete. If it stays in place, no further text can help, except in the cases that
 * {@linkcode possibleEnds} tries.
 *
 * @module
 */
import { type Token, tokenizer, tokTypes } from "npm:acorn@^8.19.0";
import type { TextPosition } from "../../runtime/code/source_map.ts";
import { isControlLine } from "./control_commands.ts";
import { checkSyntax, failureOf, type InputError, maybeObject } from "./parsed_input.ts";

/** Whether a text is incomplete: not an input yet, but one that further lines could complete. */
export async function isIncomplete(source: string): Promise<boolean> {
  if (await failureOf(source)) return await canGoOn(source);
  return await lacksBody(source);
}

/**
 * Whether a line continues a complete input. It does if it cannot begin an input, like `.then(f)`,
 * `? a : b` and `else {`, and is valid as the next line of this one.
 */
export async function continuesInput(source: string, line: string): Promise<boolean> {
  if (line.trim() === "") return false;
  const first = { line: 1, column: line.length - line.trimStart().length + 1 };
  if (!isAt(await failureOf(line), first)) return false;
  const failure = await failureOf(`${source}\n${line}`);
  const start = { line: source.split("\n").length + 1, column: first.column };
  return !failure || isAfter(failure.position, start);
}

/**
 * The number of brackets that a text leaves open; undefined if it ends in a template or a comment.
 */
function openBrackets(text: string): number | undefined {
  const { closers, isWhole } = scan(`${text}\n`);
  return isWhole && !closers.includes("`") ? closers.length : undefined;
}

async function canGoOn(source: string): Promise<boolean> {
  if (await lacksMore(source)) return true;
  // An incomplete object is only recognized without the closing parenthesis.
  return maybeObject(source) && await lacksMore(`(\n${source}`);
}

async function lacksMore(text: string): Promise<boolean> {
  const { isBroken, closers } = scan(`${text}\n`);
  if (isBroken) return false;
  const failure = await checkSyntax(`${text}\n`);
  const later = await checkSyntax(`${text}\n `);
  if (!failure || !isAt(later, failure.position)) return !await endsAtLineBreak(text);
  for (const end of possibleEnds(text, closers)) {
    if (!await checkSyntax(`${text}\n${end}`)) return true;
  }
  return false;
}

/** Whether the rest of a text must be on the same line, as after `throw`. */
async function endsAtLineBreak(text: string): Promise<boolean> {
  return !await checkSyntax(`${text} 0`) && await checkSyntax(`${text}\n0`) !== undefined;
}

/**
 * Endings that could complete a text for which the parser reports a position before the end. It
 * does so within a token that spans lines, such as a template, and for a text with two possible
 * readings, like `<T>(a: T) => {`, where it reports the position at which they diverge.
 */
function* possibleEnds(text: string, closers: string): Generator<string> {
  const quotes = text.endsWith("\\") ? ["'", '"'] : [];
  for (const start of ["", "0", ":0", "T> => 0", ...quotes]) {
    yield start + closers;
    if (closers.includes(")}")) yield start + closers.replaceAll(")}", ");}");
  }
}

/** The properties of a text that its tokens show, without its grammar. */
interface Scan {
  /** The brackets that would close the open ones. */
  readonly closers: string;
  /** Whether a token is invalid, and not only unfinished. */
  readonly isBroken: boolean;
  /** Whether every token is valid and finished. */
  readonly isWhole: boolean;
}

const CLOSERS = new Map([
  [tokTypes.parenL, ")"],
  [tokTypes.bracketL, "]"],
  [tokTypes.braceL, "}"],
  [tokTypes.dollarBraceL, "}"],
]);

/** The position where acorn's tokenizer failed. */
interface TokenError extends SyntaxError {
  /** The position in the error. */
  pos: number;
  /** The position up to which the tokenizer had read. */
  raisedAt: number;
}

function scan(text: string): Scan {
  const open: string[] = [];
  let isBroken = false;
  let isWhole = true;
  try {
    for (const { type } of tokenizer(text, { ecmaVersion: "latest" }) as Iterable<Token>) {
      const closer = CLOSERS.get(type);
      if (closer) open.push(closer);
      else if (type === tokTypes.backQuote && open.at(-1) !== "`") open.push("`");
      else if (open.at(-1) === type.label || type === tokTypes.backQuote) open.pop();
    }
  } catch (error) {
    const { pos, raisedAt } = error as TokenError;
    // A comment may be unfinished, and only the grammar decides whether a slash begins a regular
    // expression.
    const isSlash = text.slice(Math.max(pos - 1, 0), pos + 1).includes("/");
    isBroken = raisedAt < text.length && !isSlash;
    isWhole = false;
  }
  return { closers: open.reverse().join(""), isBroken, isWhole };
}

/**
 * Whether a function lacks its body. To TypeScript `function f()` is an overload without an
 * implementation; to the user it is the first line of a function whose brace is on the next line.
 */
async function lacksBody(source: string): Promise<boolean> {
  // A return is allowed only in the body of a function.
  return /\bfunction\b/.test(source) && !await checkSyntax(`${source}\n{ return }`);
}

function isAt(failure: InputError | undefined, { line, column }: TextPosition): boolean {
  return failure?.position.line === line && failure.position.column === column;
}

function isAfter(one: TextPosition, other: TextPosition): boolean {
  return one.line > other.line || one.line === other.line && one.column > other.column;
}

/**
 * Collects lines into inputs. A complete input waits for the next line, which may continue it, for
 * example
 *
 *     words
 *       .map((word) => word.length)
 */
export class InputLines {
  #lines: string[] = [];
  #isIncomplete = false;
  /** The number of brackets that the lines leave open, if known. */
  #open: number | undefined;

  /** Adds a line; returns the inputs that ended with it or before it. */
  async add(line: string): Promise<string[]> {
    if (this.#isIncomplete) return await this.#extend(line);
    const ended: string[] = [];
    if (this.#lines.length > 0) {
      if (line.trim() === "") return [];
      const source = this.#lines.join("\n");
      if (!isControlLine(line) && await continuesInput(source, line)) {
        return await this.#extend(line);
      }
      ended.push(...this.flush());
    }
    if (isControlLine(line)) return [...ended, line];
    if (line.trim() === "") return ended;
    return [...ended, ...await this.#extend(line)];
  }

  /** Ends the input that is being collected, and returns it. */
  flush(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#isIncomplete = false;
    this.#open = undefined;
    return lines.length > 0 ? [lines.join("\n")] : [];
  }

  /** Whether the lines so far are incomplete. */
  get isIncomplete(): boolean {
    return this.#isIncomplete;
  }

  async #extend(line: string): Promise<string[]> {
    this.#lines.push(line);
    // Avoids parsing a long list again for each of its lines.
    this.#open = this.#open && openAfter(line, this.#open);
    if (this.#open !== undefined && this.#open > 0) return [];
    const text = this.#lines.join("\n");
    this.#isIncomplete = await isIncomplete(text);
    this.#open = this.#isIncomplete ? openBrackets(text) : undefined;
    return [];
  }
}

/**
 * The number of brackets open after a line of code; undefined if it closed all of them, or if only
 * a parser can decide, because a slash may begin a comment or a regular expression.
 */
function openAfter(line: string, open: number): number | undefined {
  const code = line.replace(/"[^"]*"|'[^']*'/g, "");
  if (/[\\/`"']/.test(code)) return undefined;
  for (const [bracket] of code.matchAll(/[()[\]{}]/g)) {
    open += "([{".includes(bracket) ? 1 : -1;
    if (open === 0) return undefined;
  }
  return open;
}

/**
 * Splits a text into inputs. It is a single input unless some of its lines are control commands.
 */
export async function splitInputs(text: string): Promise<string[]> {
  const source = text.trimEnd();
  const lines = source.split("\n");
  if (!lines.some(isControlLine)) return [source];
  const collected = new InputLines();
  const inputs: string[] = [];
  for (const line of lines) inputs.push(...await collected.add(line));
  return [...inputs, ...collected.flush()];
}
