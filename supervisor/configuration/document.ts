/**
 * The text of a configuration: JSON with comments and trailing commas, as a tree with positions.
 *
 * @module
 */
import {
  createScanner,
  findNodeAtLocation,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "npm:jsonc-parser@^3.3.1";
import { quoted, shorten } from "../../runtime/safe_text.ts";
import type { ConfigurationProblem } from "./configuration.ts";

/** The place of a value in the file: names of fields, and indexes from 0. */
export type FieldPath = readonly (string | number)[];

/** The deepest nesting that is read. The file needs six levels. */
const MAX_DEPTH = 32;

/** The number of problems that are kept. */
const MAX_PROBLEMS = 100;

/** The longest message of a problem, in UTF-16 code units. */
const MAX_MESSAGE = 900;

/** Where to report a problem, other than at the value with its path. */
export interface ReportOptions {
  /** Whether it is about the name of the field. */
  readonly atName?: boolean;
  /** The exact offset in the text. */
  readonly offset?: number;
}

/** A message, or a function that makes one that takes long to make. */
type Message = string | (() => string);

/** A text that is read as a configuration, and what is found wrong in it. */
export class ConfigurationDocument {
  /** The text. */
  readonly text: string;
  /** The value of the whole file; undefined if there is none. */
  readonly root: Node | undefined;
  readonly #lineStarts: number[];
  /** By position, path and message, so that what several servers inherit is reported once. */
  readonly #problems = new Map<string, ConfigurationProblem & { readonly offset: number }>();
  #isFull = false;

  /** Parses a text. Syntax errors become problems, and what can be read is read. */
  constructor(text: string) {
    this.text = text.replace(/^\ufeff/, "");
    this.#lineStarts = [0, ...Array.from(this.text.matchAll(/\n/g), ({ index }) => index + 1)];
    if (this.#isTooDeep()) return;
    const errors: ParseError[] = [];
    this.root = parseTree(this.text, errors, { allowTrailingComma: true });
    const names = errors.map(({ error }) => printParseErrorCode(error));
    if (this.root && names.every((name) => name === "CommaExpected")) {
      for (const { offset } of errors) this.error([], SYNTAX_ERRORS.CommaExpected!, { offset });
      this.#findDuplicates(this.root, []);
      return;
    }
    // Others make what comes after them look wrong, too.
    this.root = undefined;
    this.#reportSyntax(names[0]!, errors[0]!);
  }

  /** All problems, in the order of the text. */
  get problems(): ConfigurationProblem[] {
    const found = [...this.#problems.values()].sort((a, b) => a.offset - b.offset)
      .map(({ offset: _, ...problem }) => problem);
    if (!this.#isFull) return found;
    const message = "there are more problems, which are not listed: solve these first";
    return [...found, {
      severity: "error",
      ...this.positionAt(this.text.length),
      path: "",
      message,
    }];
  }

  /** Whether there is a problem with which the configuration cannot be used. */
  get isWrong(): boolean {
    return this.#isFull ||
      this.#problems.values().some(({ severity }) => severity === "error");
  }

  /** Whether there is a value at a path. */
  has(path: FieldPath): boolean {
    return this.root !== undefined && findNodeAtLocation(this.root, [...path]) !== undefined;
  }

  /** Reports what makes the configuration unusable. */
  error(path: FieldPath, message: Message, options: ReportOptions = {}): void {
    this.#report("error", { path, message, ...options });
  }

  /** Reports what is doubtful. */
  warn(path: FieldPath, message: Message, options: ReportOptions = {}): void {
    this.#report("warning", { path, message, ...options });
  }

  /** The line and the column of an offset, both from 1; columns are in characters. */
  positionAt(offset: number): { line: number; column: number } {
    const starts = this.#lineStarts;
    let [low, high] = [0, starts.length];
    while (low + 1 < high) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: [...this.text.slice(starts[low], offset)].length + 1 };
  }

  #reportSyntax(name: string, { offset, length }: ParseError): void {
    const rest = this.text.slice(offset + length);
    const isName = name === "InvalidSymbol" && /^\s*:/.test(rest);
    const isEmpty = name === "ValueExpected" && this.#isBlank();
    const message = isEmpty
      ? "the configuration is empty: it is one object, {...}"
      : isName
      ? `the name of a field needs quotation marks: ${
        quoted(this.text.slice(offset, offset + length))
      }`
      : SYNTAX_ERRORS[name] ?? "not JSON with comments";
    this.error([], message, { offset: isEmpty ? 0 : offset });
  }

  /** Whether the text has nothing but space and comments. */
  #isBlank(): boolean {
    return createScanner(this.text, true).scan() === Token.end;
  }

  #report(
    severity: ConfigurationProblem["severity"],
    { path, message, atName = false, offset }: ReportOptions & {
      readonly path: FieldPath;
      readonly message: Message;
    },
  ): void {
    // First, since what follows takes long in a large file.
    if (this.#problems.size >= MAX_PROBLEMS) {
      this.#isFull = true;
      return;
    }
    const at = offset ?? this.#offsetOf(path, atName);
    const written = shorten(formatPath(path), MAX_MESSAGE);
    const text = shorten(typeof message === "string" ? message : message(), MAX_MESSAGE);
    const key = `${at} ${written} ${text}`;
    const position = this.positionAt(at);
    this.#problems.set(key, { severity, ...position, path: written, message: text, offset: at });
  }

  /** The offset of a value; of what contains it if it is not in the text. */
  #offsetOf(path: FieldPath, atName: boolean): number {
    if (!this.root) return 0;
    for (let length = path.length; length >= 0; length--) {
      const node = findNodeAtLocation(this.root, path.slice(0, length));
      if (!node) continue;
      const isName = atName && length === path.length && node.parent?.type === "property";
      return isName ? node.parent!.offset : node.offset;
    }
    return this.root.offset;
  }

  /** The parser is recursive, so it must not see a text that would exhaust the stack. */
  #isTooDeep(): boolean {
    const scanner = createScanner(this.text, true);
    let depth = 0;
    for (let token; (token = scanner.scan()) !== Token.end;) {
      if (token === Token.openBrace || token === Token.openBracket) depth++;
      if (token === Token.closeBrace || token === Token.closeBracket) depth--;
      if (depth <= MAX_DEPTH) continue;
      const offset = scanner.getTokenOffset();
      this.error([], `nested more than ${MAX_DEPTH} levels deep`, { offset });
      return true;
    }
    return false;
  }

  #findDuplicates(node: Node, path: FieldPath): void {
    if (node.type === "array") {
      for (const [index, item] of (node.children ?? []).entries()) {
        this.#findDuplicates(item, [...path, index]);
      }
    }
    if (node.type !== "object") return;
    const first = new Map<string, Node>();
    for (const property of node.children ?? []) {
      const [name, value] = property.children ?? [];
      if (!name) continue;
      const field = [...path, name.value];
      const earlier = first.get(name.value);
      if (earlier) {
        const { line } = this.positionAt(earlier.offset);
        this.error(field, `the field is there twice; the first is in line ${line}`, {
          offset: name.offset,
        });
      } else first.set(name.value, name);
      if (value) this.#findDuplicates(value, field);
    }
  }
}

/** The kinds of tokens of the scanner, whose enumeration exists only in its types. */
const Token = { openBrace: 1, closeBrace: 2, openBracket: 3, closeBracket: 4, end: 17 } as const;

/** What is wrong, by the parser's name for it. */
const SYNTAX_ERRORS: Readonly<Record<string, string>> = {
  InvalidSymbol: 'not a value: text needs quotation marks, "..."',
  InvalidNumberFormat: "not a number",
  PropertyNameExpected: 'the name of a field is expected here, in quotation marks: "name"',
  ValueExpected: "a value is expected here",
  ColonExpected: "a colon is expected here, after the name of a field",
  CommaExpected: "a comma is expected before this",
  CloseBraceExpected: "a closing brace } is missing",
  CloseBracketExpected: "a closing bracket ] is missing",
  EndOfFileExpected: "the configuration ends before this: it is one object, {...}",
  InvalidCommentToken: "not a comment: write // or /* */",
  UnexpectedEndOfComment: "the comment that begins with /* does not end",
  UnexpectedEndOfString: "the text has no closing quotation mark in this line",
  UnexpectedEndOfNumber: "the number is not complete",
  InvalidUnicode: "\\u needs four hexadecimal digits",
  InvalidEscapeCharacter: 'unknown escape: use \\", \\\\, \\/, \\n, \\r, \\t, \\b, \\f or \\uXXXX',
  InvalidCharacter: "a text must not contain control characters: write \\n, \\t or \\uXXXX",
};

/** Writes the place of a value: `servers.web1.after[0]`, `env["a b"]`. */
export function formatPath(path: FieldPath): string {
  return path.map((part, index) => {
    if (typeof part === "number") return `[${part}]`;
    if (!/^[\w$-]{1,64}$/.test(part)) return `[${JSON.stringify(shorten(part, 64))}]`;
    return index === 0 ? part : `.${part}`;
  }).join("");
}
