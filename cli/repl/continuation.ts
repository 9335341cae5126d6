/**
 * Whether an input goes on in the next line.
 *
 * Parsers say where they fail, not whether more text would help. So the text is parsed again with an empty line
 * after it: where that moves the place of the failure, the parser got to the end, and the input only lacks more.
 * Where the place stays nothing that follows can help, but for what {@linkcode possibleEnds} is about.
 *
 * @module
 */
import { type Token, tokenizer, tokTypes } from "npm:acorn@^8.19.0";
import type { TextPosition } from "../../runtime/code/source_map.ts";
import { isControlLine } from "./control_commands.ts";
import { checkSyntax, failureOf, type InputError, maybeObject } from "./parsed_input.ts";

/** Whether a text is the beginning of an input: not one yet, but one that a next line could make whole. */
export async function isIncomplete(source: string): Promise<boolean> {
  if (await failureOf(source)) return await canGoOn(source);
  return await lacksBody(source);
}

/**
 * Whether a line goes on with the input before it, which may be whole without it. It does when it cannot
 * begin an input, as `.then(f)`, `? a : b` and `else {` cannot, and makes sense as the input's next line.
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
 * How many brackets a text leaves open at a place where code goes on; undefined where that is not so clear, as
 * within a template or a comment.
 */
export function openBrackets(text: string): number | undefined {
  const { closers, isWhole } = scan(`${text}\n`);
  return isWhole && !closers.includes("`") ? closers.length : undefined;
}

async function canGoOn(source: string): Promise<boolean> {
  if (await lacksMore(source)) return true;
  // Whether an object only lacks its end shows without the parenthesis behind it.
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

/** Whether what a text lacks has to be on the same line, as after `throw`. */
async function endsAtLineBreak(text: string): Promise<boolean> {
  return !await checkSyntax(`${text} 0`) && await checkSyntax(`${text}\n0`) !== undefined;
}

/**
 * What could make a text whole that fails before its end: the end of a token that spans lines, such as a
 * template; and what its open brackets lack where the parser has tried two readings, such as those of
 * `<T>(a: T) => {`, and names the place at which it chose.
 */
function* possibleEnds(text: string, closers: string): Generator<string> {
  const quotes = text.endsWith("\\") ? ["'", '"'] : [];
  for (const start of ["", "0", ":0", "T> => 0", ...quotes]) {
    yield start + closers;
    if (closers.includes(")}")) yield start + closers.replaceAll(")}", ");}");
  }
}

/** What is known of a text without its grammar. */
interface Scan {
  /** The brackets that close those that it leaves open. */
  readonly closers: string;
  /** Whether one of its tokens is wrong, and not for want of its end. */
  readonly isBroken: boolean;
  /** Whether none of them is, nor lacks its end. */
  readonly isWhole: boolean;
}

const CLOSERS = new Map([
  [tokTypes.parenL, ")"],
  [tokTypes.bracketL, "]"],
  [tokTypes.braceL, "}"],
  [tokTypes.dollarBraceL, "}"],
]);

/** Where acorn's tokenizer failed. */
interface TokenError extends SyntaxError {
  /** The place that it names. */
  pos: number;
  /** How far it had read. */
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
    // A comment lacks its end, and only the grammar tells whether a slash begins a regular expression.
    const isSlash = text.slice(Math.max(pos - 1, 0), pos + 1).includes("/");
    isBroken = raisedAt < text.length && !isSlash;
    isWhole = false;
  }
  return { closers: open.reverse().join(""), isBroken, isWhole };
}

/**
 * Whether a function lacks its body: for TypeScript `function f()` declares an overload, which is nothing by
 * itself, and for a person it is the first line of a function whose brace is on the next one.
 */
async function lacksBody(source: string): Promise<boolean> {
  // Only in a function's body may there be a return.
  return /\bfunction\b/.test(source) && !await checkSyntax(`${source}\n{ return }`);
}

function isAt(failure: InputError | undefined, { line, column }: TextPosition): boolean {
  return failure?.position.line === line && failure.position.column === column;
}

function isAfter(one: TextPosition, other: TextPosition): boolean {
  return one.line > other.line || one.line === other.line && one.column > other.column;
}

/**
 * Collects lines to inputs. An input that is whole waits for the next line, which may go on with it, as in
 *
 *     words
 *       .map((word) => word.length)
 */
export class InputLines {
  #lines: string[] = [];
  #isIncomplete = false;
  /** How many brackets the lines leave open, where that is known. */
  #open: number | undefined;

  /** Takes a line. Gives the inputs that have ended with it or before it. */
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

  /** Gives the input that no further line belongs to. */
  flush(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#isIncomplete = false;
    this.#open = undefined;
    return lines.length > 0 ? [lines.join("\n")] : [];
  }

  /** Whether lines are missing. */
  get isIncomplete(): boolean {
    return this.#isIncomplete;
  }

  async #extend(line: string): Promise<string[]> {
    this.#lines.push(line);
    // Not to parse a long list anew for each of its lines.
    this.#open = this.#open && openAfter(line, this.#open);
    if (this.#open !== undefined && this.#open > 0) return [];
    const text = this.#lines.join("\n");
    this.#isIncomplete = await isIncomplete(text);
    this.#open = this.#isIncomplete ? openBrackets(text) : undefined;
    return [];
  }
}

/**
 * How many brackets are open after a line of code; undefined when all were closed in it, or when it takes a
 * parser to know: a slash may begin a comment or a regular expression.
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

/** The inputs that a text of several lines is: one, unless there are control commands among them. */
export async function splitInputs(text: string): Promise<string[]> {
  const source = text.trimEnd();
  const lines = source.split("\n");
  if (!lines.some(isControlLine)) return [source];
  const collected = new InputLines();
  const inputs: string[] = [];
  for (const line of lines) inputs.push(...await collected.add(line));
  return [...inputs, ...collected.flush()];
}
