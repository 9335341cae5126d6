/**
 * A command line that is being typed: split as bash does, and read against the command tree.
 *
 * bash passes the line as typed, and offers no way to expand it without evaluating it, which would
 * run commands in the line at each Tab.
 *
 * @module
 */
import type { Argument, CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { passesOptionsThrough } from "../kit/declaration.ts";

/** The line before the word at the cursor, and the part of that word to complete. */
export interface TypedLine {
  /** The innermost command named so far; the root if there is none. */
  readonly command: CommandUnknownOpts;
  /**
   * The given options, including those of parent commands, each with its values; an empty text for
   * flags.
   */
  readonly given: ReadonlyMap<Option, readonly string[]>;
  /** The operands after the names of commands. */
  readonly operands: readonly string[];
  /** Whether options have ended: after `--`, or after the first argument of `run`. */
  readonly literal: boolean;
  /** The option whose value is being typed. */
  readonly option: Option | undefined;
  /** The part of the word that is kept: `--log=` of `--log=DE`. */
  readonly kept: string;
  /** The part of the word to complete: `DE` of `--log=DE`. */
  readonly typed: string;
}

/** The state while reading a line: a {@linkcode TypedLine} under construction. */
class Reading {
  given = new Map<Option, string[]>();
  operands: string[] = [];
  literal = false;
  /** The option whose value is the next word. */
  pending: Option | undefined;

  constructor(public command: CommandUnknownOpts) {}

  take(word: string): void {
    if (this.pending) {
      this.#give(this.pending, word);
      this.pending = undefined;
    } else if (this.literal || word.length < 2 || !word.startsWith("-")) this.#takeOperand(word);
    else if (word === "--") this.literal = true;
    else this.#takeOption(word);
  }

  #takeOperand(word: string): void {
    const next = this.operands.length === 0 &&
      this.command.commands.find((command) =>
        command.name() === word || command.aliases().includes(word)
      );
    if (next) {
      this.command = next;
      return;
    }
    this.operands.push(word);
    if (passesOptionsThrough(this.command)) this.literal = true;
  }

  /** `--name`, `--name=value`, `-n`, `-nvalue`, or flags together: `-ab`. */
  #takeOption(word: string): void {
    const [name, value] = splitOption(word);
    const option = findOption(this.command, name);
    if (option) {
      if (!takesValue(option)) this.#give(option, "");
      else if (value === undefined) this.pending = option;
      else this.#give(option, value);
    } else if (!word.startsWith("--") && word.length > 2) {
      const short = findOption(this.command, word.slice(0, 2));
      if (!short) return;
      if (takesValue(short)) return this.#give(short, word.slice(2));
      this.#give(short, "");
      this.#takeOption(`-${word.slice(2)}`);
    }
  }

  #give(option: Option, value: string): void {
    this.given.set(option, [...this.given.get(option) ?? [], value]);
  }
}

/**
 * Reads a line as commander would, but tolerates errors.
 *
 * @param words the words before the cursor's, without the name of the executable.
 * @param word the word at the cursor, up to the cursor.
 */
export function readTypedLine(
  root: CommandUnknownOpts,
  words: readonly string[],
  word: string,
): TypedLine {
  const reading = new Reading(root);
  for (const each of words) reading.take(each);
  const { command, given, operands, literal } = reading;
  const line = {
    command,
    given,
    operands,
    literal,
    option: reading.pending,
    kept: "",
    typed: word,
  };
  if (literal || reading.pending) return line;
  const [name, value] = splitOption(word);
  const option = value === undefined ? undefined : findOption(command, name);
  if (!option || !takesValue(option)) return line;
  return { ...line, option, kept: `${name}=`, typed: value! };
}

/** The options of a command, including its help. */
export function optionsOf(command: CommandUnknownOpts): Option[] {
  return command.createHelp().visibleOptions(command);
}

/** Whether an option needs a value. */
export function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

/** The argument of a command for the operand at an index. */
export function argumentAt(command: CommandUnknownOpts, index: number): Argument | undefined {
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  return registeredArguments[index] ?? (last?.variadic ? last : undefined);
}

function findOption(command: CommandUnknownOpts, name: string): Option | undefined {
  return optionsOf(command).find((option) => option.short === name || option.long === name);
}

/** `--name=value` as name and value; anything else as a name. */
function splitOption(word: string): [name: string, value?: string] {
  const [, name, value] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
  return name === undefined ? [word] : [name, value!];
}

/** The quote that is open at the end of a word, if any. */
export type OpenQuote = "" | "'" | '"' | "$'";

/** A word of a line. */
export interface BashWord {
  /** The text as typed. */
  readonly raw: string;
  /** Its value. Variables and other expansions of bash are kept as typed. */
  readonly value: string;
  /** The quote that is open at its end. */
  readonly open: OpenQuote;
}

/** The last command of a line, whose last word is being typed. */
export interface BashLine {
  /** The words before it: the name of the command first. */
  readonly words: readonly string[];
  /** The word being typed; empty after a space. */
  readonly current: BashWord;
  /** Whether it is the target of a redirection. */
  readonly isRedirection: boolean;
}

const NO_WORD: BashWord = { raw: "", value: "", open: "" };

/**
 * White space, then the operators that end a command or redirect it. `<(` and `>(` begin a word.
 */
const SPACE = /[^\S\n]*/y;
const CONTROL = /[;|&()\n]/y;
const REDIRECTION = /\d*(?:&>>?|<<[<-]?|>>|[<>][&|]?)(?!\()/y;

/** Splits a line up to the cursor. */
export function splitBashLine(line: string): BashLine {
  let words: string[] = [];
  let current = NO_WORD;
  let redirects = false;
  for (let at = matchAt(SPACE, line, 0).length; at < line.length;) {
    const redirection = matchAt(REDIRECTION, line, at);
    const control = redirection ? "" : matchAt(CONTROL, line, at);
    if (redirection || control) {
      at += (redirection || control).length;
      redirects = redirection !== "";
      if (control) words = [];
    } else {
      const word = readWord(line, at);
      at += word.raw.length;
      if (at === line.length) {
        current = word;
        break;
      }
      if (!redirects) words.push(word.value);
      redirects = false;
    }
    at += matchAt(SPACE, line, at).length;
  }
  return { words, current, isRedirection: redirects };
}

/**
 * Returns the replacement for the end of a word, so that bash reads the word as `value`.
 *
 * @param word the word as typed.
 * @param replaced the part that readline replaces: what follows the last word-breaking character.
 * @returns undefined if the value does not begin as the word does.
 */
export function completeBashWord(
  word: BashWord,
  replaced: string,
  value: string,
): string | undefined {
  if (!word.raw.endsWith(replaced) || !value.startsWith(word.value)) return undefined;
  const kept = readWord(word.raw.slice(0, word.raw.length - replaced.length), 0);
  if (!value.startsWith(kept.value)) return undefined;
  const quoted = quote(value.slice(kept.value.length), kept.open);
  // readline closes the quote, unless the closing quote is already there.
  const mark = kept.open.at(-1);
  return mark && quoted.endsWith(mark) ? quoted + mark : quoted;
}

function quote(text: string, open: OpenQuote): string {
  switch (open) {
    case "'":
      return text.replaceAll("'", "'\\''");
    case "$'":
      return text.replaceAll(/['\\]/g, "\\$&");
    case '"':
      // Within these quotes, a backslash would stay in front of the "!".
      return text.replaceAll(/["$`\\]/g, "\\$&").replaceAll("!", `"'!'"`);
    case "": {
      const quoted = text.replaceAll(/[^\p{L}\p{N}_@%+=:,./~-]/gu, "\\$&");
      // Bash expands a tilde at the start, and after = and : where the word looks like an assignment.
      return quoted.replaceAll(/(?<![^=:])~/g, "\\~");
    }
  }
}

/** Reads the word that begins at a place, up to its end or that of the text. */
function readWord(text: string, start: number): BashWord {
  let value = "";
  let open: OpenQuote = "";
  let at = start;
  while (at < text.length) {
    const character = text[at]!;
    if (open === "") {
      const begun = quoteAt(text, at);
      if (begun) {
        open = begun;
        at += begun.length;
        continue;
      }
      const substitution = substitutionEnd(text, at);
      if (substitution > at) {
        value += text.slice(at, substitution);
        at = substitution;
        continue;
      }
      if (/[\s;|&()<>]/.test(character)) break;
    } else if (character === open.at(-1)) {
      open = "";
      at++;
      continue;
    }
    if (character === "\\" && escapes(open, text[at + 1])) {
      at++;
      // Before the end of the line a backslash is the beginning of something.
      if (at < text.length && text[at] !== "\n") value += text[at];
    } else value += character;
    at++;
  }
  return { raw: text.slice(start, at), value, open };
}

function quoteAt(text: string, at: number): OpenQuote {
  if (text[at] === "'" || text[at] === '"') return text[at] as OpenQuote;
  return text.startsWith("$'", at) ? "$'" : "";
}

/** Whether a backslash takes the meaning of the character after it. */
function escapes(open: OpenQuote, next: string | undefined): boolean {
  if (open === "'") return false;
  if (open === '"') return next === undefined || '$`"\\\n'.includes(next);
  return true;
}

/**
 * The end of a command or process substitution, whose content is skipped; the position itself if
 * none begins there.
 */
function substitutionEnd(text: string, at: number): number {
  if (text[at] === "`") {
    const end = text.indexOf("`", at + 1);
    return end < 0 ? text.length : end + 1;
  }
  if (!/[$<>]/.test(text[at]!) || text[at + 1] !== "(") return at;
  let depth = 0;
  for (let end = at + 1; end < text.length; end++) {
    if (text[end] === "(") depth++;
    else if (text[end] === ")" && --depth === 0) return end + 1;
  }
  return text.length;
}

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}
