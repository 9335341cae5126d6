/**
 * The notation of the command line and of its output: parenthesised lists of symbols, keywords and
 * strings, such as `(httpd1 (unix: "host" "/tmp/ensemble/httpd1"))`.
 *
 * It is the part of Scheme's notation that the ensemble needs. Numbers and booleans are read as
 * symbols. A comma counts as a space, so that `a,b` can be typed where `(a b)` would need quoting
 * in the shell. A comment starts with `;` and ends with its line.
 *
 * @module
 */
import { escapeControls, quoted, shorten } from "./safe_text.ts";
import { InvalidInputError } from "./errors.ts";

/** A name, written bare, or between bars if it contains characters that would end it: `|a b|`. */
export interface NotationSymbol {
  /** The name, without bars. */
  readonly symbol: string;
}

/** A name that ends in a colon, and labels the value after it in a list: `unix:`. */
export interface NotationKeyword {
  /** The name, without bars and without its colon. */
  readonly keyword: string;
}

/** One value of the notation: a string, a symbol, a keyword, or a list of values. */
export type Datum = string | NotationSymbol | NotationKeyword | readonly Datum[];

/** Names that can be written without bars, also in Scheme. */
const BARE_SYMBOL = /^(?![#.]$)[\p{L}\p{N}!$%&*/:<=>?@^_~+.-][\p{L}\p{N}!$%&*/:<=>?@^_~+.#-]*$/u;

/** White space, commas and comments. */
const SEPARATORS = /(?:[\s,]|;.*)*/y;
const BARE = /[^\s,()"|;]+/y;
const HEX_ESCAPE = /x([0-9A-Fa-f]{1,6});/y;

/** The escapes of R7RS strings, except those for the character itself. */
const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", a: "\x07", b: "\b" };

/** Makes a symbol. */
export function symbol(name: string): NotationSymbol {
  return { symbol: name };
}

/** Makes a keyword; the name is given without its colon. */
export function keyword(name: string): NotationKeyword {
  return { keyword: name };
}

/** Whether the value is a list. */
export function isList(datum: Datum): datum is readonly Datum[] {
  return Array.isArray(datum);
}

/** Whether the value is a symbol. */
export function isSymbol(datum: Datum): datum is NotationSymbol {
  return typeof datum === "object" && "symbol" in datum;
}

/** Whether the value is a keyword, with the given name if any. */
export function isKeyword(datum: Datum | undefined, name?: string): datum is NotationKeyword {
  return typeof datum === "object" && "keyword" in datum &&
    (name === undefined || datum.keyword === name);
}

/**
 * Parses all values of a text, in order.
 *
 * @throws {InvalidInputError} with the position of the error, in characters from 1.
 *
 * @example
 * ```ts
 * parseNotation('(unix: "host" "/path")'); // [[{ keyword: "unix" }, "host", "/path"]]
 * ```
 */
export function parseNotation(text: string): Datum[] {
  const top: Datum[] = [];
  // An explicit stack, since the input determines the depth of the lists.
  const open: { list: Datum[]; start: number }[] = [];
  let list = top;
  let at = matchAt(SEPARATORS, text, 0).length;
  while (at < text.length) {
    const first = text[at];
    if (first === "(") {
      const inner: Datum[] = [];
      list.push(inner);
      open.push({ list, start: at });
      list = inner;
      at++;
    } else if (first === ")") {
      const outer = open.pop();
      if (outer === undefined) throw notationError(text, at, 'a ")" that closes nothing');
      list = outer.list;
      at++;
    } else if (first === '"') {
      const { value, end } = readDelimited(text, at);
      list.push(value);
      at = end;
    } else if (first === "|") {
      const { value, end } = readDelimited(text, at);
      const isKeyword = text[end] === ":";
      list.push(isKeyword ? keyword(value) : symbol(value));
      at = isKeyword ? end + 1 : end;
    } else {
      const name = matchAt(BARE, text, at);
      at += name.length;
      list.push(name.length > 1 && name.endsWith(":") ? keyword(name.slice(0, -1)) : symbol(name));
    }
    at += matchAt(SEPARATORS, text, at).length;
  }
  const unclosed = open.at(-1);
  if (unclosed !== undefined) throw notationError(text, unclosed.start, 'a "(" without its ")"');
  return top;
}

/**
 * Parses a list of names: `(a b)`, `a,b` or `a b`; empty for an empty text or `()`.
 *
 * @throws {InvalidInputError} if it is not a flat list of symbols.
 */
export function parseSymbols(text: string): string[] {
  const data = parseNotation(text);
  const only = data[0];
  const items = data.length === 1 && only !== undefined && isList(only) ? only : data;
  return items.map((item) => {
    if (!isSymbol(item)) {
      throw new InvalidInputError(
        `not a list of symbols: ${quoted(text)}: ${shorten(formatNotation(item))} is no symbol; ` +
          `write "(a b)" or "a,b"`,
      );
    }
    return item.symbol;
  });
}

/** Writes a value so that {@linkcode parseNotation} reads it back. */
export function formatNotation(datum: Datum): string {
  if (typeof datum === "string") return quote(datum, '"');
  if (isList(datum)) return `(${datum.map(formatNotation).join(" ")})`;
  if (isSymbol(datum)) return formatName(datum.symbol);
  return `${formatName(datum.keyword)}:`;
}

function formatName(name: string): string {
  return BARE_SYMBOL.test(name) && !name.endsWith(":") ? name : quote(name, "|");
}

function quote(text: string, mark: '"' | "|"): string {
  const marked = text.replaceAll("\\", "\\\\").replaceAll(mark, `\\${mark}`);
  return mark + escapeControls(marked, { write: (code) => `\\x${code.toString(16)};` }) + mark;
}

/** Reads the string or the barred name at `start`; `end` is the position after it. */
function readDelimited(text: string, start: number): { value: string; end: number } {
  const mark = text[start]!;
  let value = "";
  for (let at = start + 1; at < text.length; at++) {
    const character = text[at]!;
    if (character === mark) return { value, end: at + 1 };
    if (character !== "\\") {
      value += character;
      continue;
    }
    at++;
    const escape = text[at];
    if (escape === undefined) break;
    const hex = escape === "x" ? matchAt(HEX_ESCAPE, text, at) : "";
    if (hex !== "") {
      const codePoint = parseInt(hex.slice(1, -1), 16);
      if (codePoint > 0x10ffff) throw notationError(text, at - 1, "an escape beyond Unicode");
      value += String.fromCodePoint(codePoint);
      at += hex.length - 1;
    } else if (escape in ESCAPES) {
      value += ESCAPES[escape];
    } else if (escape === '"' || escape === "|" || escape === "\\") {
      value += escape;
    } else {
      throw notationError(text, at - 1, `an unknown escape "\\${escape}"`);
    }
  }
  throw notationError(
    text,
    start,
    `a ${mark === '"' ? "string" : "name"} without its closing ${mark}`,
  );
}

/** The match of a sticky pattern at a position of the text; empty if there is none. */
function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}

function notationError(text: string, at: number, problem: string): InvalidInputError {
  return new InvalidInputError(
    `not a list notation: ${quoted(text)}: ${problem} at character ${at + 1}`,
  );
}
