/**
 * What a command prints: its result on standard output, everything else on standard error.
 *
 * All that `gxensemble` prints passes through here (in a REPL at a terminal, through its `Terminal`), and
 * with it all text from servers: control characters and their like become visible escapes, on a pipe as
 * on a terminal.
 *
 * A reader of either may stop early (`gxensemble list-servers | head -1`): what is printed then
 * goes nowhere, and the command still does its work.
 *
 * A server sends values as plain text. The command that shows them colours them, so that every escape
 * sequence which reaches the terminal is our own.
 *
 * @module
 */
import {
  type SyncWriter,
  writeAll,
  writeErrors,
  writeOutput,
} from "../../runtime/home/standard_stream.ts";
import { escapeControls, visibleText, writeAsJson } from "../../runtime/safe_text.ts";

/**
 * Prints a line of the result. Line breaks in it are escaped, as no name becomes two lines.
 *
 * @throws {EnsembleError} when it cannot be written, as on a full disk; so do the others that print the result.
 */
export function printLine(line: string): void {
  writeOutput(`${escapeControls(line)}\n`);
}

/** Prints text that has its own line breaks, such as a help text. */
export function printText(text: string): void {
  writeOutput(visibleText(text));
}

/**
 * Prints a value as a server shows it; in colours where {@linkcode usesColors} says so. Each line begins with the
 * label.
 */
export function printValue(text: string, label = ""): void {
  const visible = visibleValue(text, { colors: usesColors() });
  writeOutput(`${visible.replaceAll(/^/gm, () => label)}\n`);
}

/** Prints the result as JSON, for `--json`: on one line, or on several to be read more easily. */
export function printJson(value: unknown, { oneLine = false } = {}): void {
  const json = JSON.stringify(value, undefined, oneLine ? undefined : 2);
  writeOutput(`${escapeControls(json, { keep: "\n", write: writeAsJson })}\n`);
}

/** Tells the person at the terminal something that is not the result: progress, an error. */
export function printNotice(text: string): void {
  writeErrors(`${visibleText(text)}\n`);
}

/** Prints text that has its own line breaks on standard error. */
export function printErrorText(text: string): void {
  writeErrors(visibleText(text));
}

/** Tells the person at the terminal why something failed; by the name of the executable. */
export function printError(message: string, name = "gxensemble"): void {
  printNotice(errorText(message, name));
}

/**
 * An error as it is shown. The message may be a server's: its further lines are indented, so that none of
 * them passes for another message, or for a prompt.
 */
export function errorText(message: string, name = "gxensemble"): string {
  return `${name}: error: ${message.replaceAll("\n", "\n  ")}`;
}

/** Makes control characters visible in the text of a value, and gives it colours of our own. */
export function visibleValue(text: string, { colors }: { colors: boolean }): string {
  const visible = visibleText(text);
  return colors ? colorValue(visible) : visible;
}

/** Whether values are shown in colours: on a terminal that can, unless `NO_COLOR` is set. */
export function usesColors(): boolean {
  return Deno.stdout.isTerminal() && !Deno.noColor && !isDumbTerminal();
}

/** Whether the terminal understands no control sequences. */
export function isDumbTerminal(): boolean {
  return Deno.env.get("TERM") === "dumb";
}

/** How wide help printed to a stream is, in columns. Asks Deno: Node's streams would first have to be loaded. */
export function helpWidth(stream: { isTerminal(): boolean }): number {
  return stream.isTerminal() ? Deno.consoleSize().columns : 80;
}

/** The colours that `Deno.inspect` gives each kind of value: how they begin and end. */
const STYLES = {
  string: [32, 39],
  regExp: [31, 39],
  date: [35, 39],
  special: [36, 39],
  number: [33, 39],
  null: [1, 22],
  absent: [90, 39],
} as const;

type Kind = keyof typeof STYLES;

const KINDS = Object.keys(STYLES) as Kind[];

const STRING = /(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`)/.source;

/**
 * What is coloured where it stands alone, each kind by its name. Lengths are bounded where the end is
 * searched for: the text is a server's to choose, and takes no more time than it is long.
 */
const ALONE: readonly [Kind, RegExp][] = [
  ["regExp", /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.){0,100}\])+\/[a-z]*/],
  ["date", /[+-]?\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z|Invalid Date/],
  ["special", /\[(?:\w{0,14}Function:?|class|Circular) [^\]\n]{1,100}\]/],
  ["special", /\[(?:Getter|Setter|Getter\/Setter|Array|Object)\]|<(?:pending|items unknown)>/],
  ["number", /-?(?:\d+(?:\.\d+)?(?:e[+-]\d+)?n?|NaN|Infinity)|true|false/],
  ["number", /\[(?:Number|Boolean|BigInt): [^\]\n]{1,100}\]/],
  ["null", /null/],
  ["absent", /undefined|<\d+ empty items?>/],
];

/** What is coloured also where it is the name of a property, or more follows. */
const ANYWHERE: readonly [Kind, RegExp][] = [
  [
    "string",
    new RegExp(`${STRING}|Symbol\\((?:${STRING}|[\\w.$]{0,100})\\)|\\[String: ${STRING}\\]`),
  ],
  ["special", /\[Uint8Contents\]|<ref \*\d+>/],
];

/** Values begin the text, or follow what opens a list or separates its items; names end in a colon. */
const VALUES = new RegExp(
  `(?!\\s)(?<=^|[:,>[{]\\s+)(?:${alternatives(ANYWHERE)}|(?:${
    alternatives(ALONE)
  })(?=$|,|\\s+(?:[\\]}]|=>)))`,
  "g",
);

/** Colours the text of a value as `Deno.inspect` would have, had it been asked for colours. */
export function colorValue(text: string): string {
  return text.replace(VALUES, (token, ...rest) => {
    const groups = rest.at(-1) as Partial<Record<Kind, string>>;
    const [begin, end] = STYLES[KINDS.find((kind) => groups[kind] !== undefined)!];
    return `\x1b[${begin}m${token}\x1b[${end}m`;
  });
}

function alternatives(patterns: readonly [Kind, RegExp][]): string {
  return KINDS.flatMap((kind) => {
    const ofKind = patterns.filter(([name]) => name === kind).map(([, { source }]) => source);
    return ofKind.length > 0 ? `(?<${kind}>${ofKind.join("|")})` : [];
  }).join("|");
}

/** The width of the bar itself, in characters. */
const WIDTH = 30;

/** How often the line is drawn at most, in ms. */
const INTERVAL = 50;

/** Where a progress bar is drawn. */
export interface Terminal extends SyncWriter {
  /** Whether it is one: elsewhere nothing is drawn. */
  isTerminal(): boolean;
}

/** Takes nothing and shows nothing. */
export const NO_TERMINAL: Terminal = {
  isTerminal: () => false,
  writeSync: (bytes) => bytes.length,
};

/** One line on standard error that is drawn over and over, and is gone when it is disposed of. */
export class ProgressBar implements Disposable {
  readonly #terminal: Terminal;
  #lastDrawn = -Infinity;
  #isDrawn = false;

  /** Nothing yet; nothing ever where `terminal` is not one. */
  constructor(terminal: Terminal = Deno.stderr) {
    this.#terminal = terminal;
  }

  /** Shows what is being done, and how far it is: a count, or a bar where all there is to do is known. */
  show(action: string, done: number, all?: number): void {
    const now = performance.now();
    if (!this.#terminal.isTerminal() || now - this.#lastDrawn < INTERVAL) return;
    this.#lastDrawn = now;
    this.#isDrawn = true;
    const filled = all ? Math.round(WIDTH * done / all) : 0;
    const bar = all ? `[${"=".repeat(filled).padEnd(WIDTH)}] ${done}/${all}` : `${done}`;
    this.#write(`\r${action} ${bar}\x1b[K`);
  }

  /** Clears the line. */
  [Symbol.dispose](): void {
    if (this.#isDrawn) this.#write("\r\x1b[K");
    this.#isDrawn = false;
  }

  #write(text: string): void {
    try {
      writeAll(this.#terminal, new TextEncoder().encode(text));
    } catch {
      // The terminal has gone: the work goes on.
    }
  }
}
