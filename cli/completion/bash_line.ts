/**
 * Lines as bash reads them: their words without quotes, and words with quotes again.
 *
 * bash hands a line over as it was typed, and what it would make of it cannot be had without
 * evaluating it: a command in the line would run at each Tab.
 *
 * @module
 */

/** How a word is being quoted where it ends: not at all, or by the mark that is still open. */
export type OpenQuote = "" | "'" | '"' | "$'";

/** One word of a line. */
export interface BashWord {
  /** As it was typed. */
  readonly raw: string;
  /** What the command would get. Variables and what else bash would put something in for stay as they are. */
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
  /** Whether it is the file of a redirection. */
  readonly isRedirection: boolean;
}

const NO_WORD: BashWord = { raw: "", value: "", open: "" };

/** White space, then what ends a command or redirects it. `<(` and `>(` begin a word. */
const SPACE = /[^\S\n]*/y;
const CONTROL = /[;|&()\n]/y;
const REDIRECTION = /\d*(?:&>>?|<<[<-]?|>>|[<>][&|]?)(?!\()/y;

/** Reads a line up to the cursor. */
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
 * What is to replace the end of a word so that bash makes `value` of the word.
 *
 * @param word the word as it was typed.
 * @param replaced the end of it that readline replaces: what follows the last character that breaks words.
 * @returns undefined when the value does not begin as the word does.
 */
export function completeBashWord(
  word: BashWord,
  replaced: string,
  value: string,
): string | undefined {
  if (!word.raw.endsWith(replaced) || !value.startsWith(word.value)) return undefined;
  const kept = readWord(word.raw.slice(0, word.raw.length - replaced.length), 0);
  if (!value.startsWith(kept.value)) return undefined;
  const quoted = quote(value.slice(kept.value.length), kept.open, kept.raw === "");
  // readline closes the quote, but not where the mark stands already.
  const mark = kept.open.at(-1);
  return mark && quoted.endsWith(mark) ? quoted + mark : quoted;
}

function quote(text: string, open: OpenQuote, isStart: boolean): string {
  switch (open) {
    case "'":
      return text.replaceAll("'", "'\\''");
    case "$'":
      return text.replaceAll(/['\\]/g, "\\$&");
    case '"':
      // Within these quotes a backslash would stay in front of the "!".
      return text.replaceAll(/["$`\\]/g, "\\$&").replaceAll("!", `"'!'"`);
    case "": {
      const quoted = text.replaceAll(/[^\p{L}\p{N}_@%+=:,./~-]/gu, "\\$&");
      return isStart ? quoted.replace(/^~/, "\\~") : quoted;
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

/** The end of a command or process substitution, which is not looked into; the place itself where none begins. */
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
