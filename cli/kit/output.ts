/**
 * Output of commands: results on standard output, everything else on standard error.
 *
 * Everything that `gxensemble` prints passes through here (in a REPL at a terminal, through its
 * `Terminal`), including all text from servers. Control characters and the like become visible
 * escapes, in pipes too.
 *
 * A reader may stop early (`gxensemble list-servers | head -1`). Further output is then dropped,
 * and the command continues.
 *
 * A server sends values as plain text, and the command colors them. So every escape sequence that
 * reaches the terminal is our own.
 *
 * @module
 */
import { EnsembleError } from "../../runtime/errors.ts";
import { writeErrors, writeOutput } from "../../runtime/home/standard_stream.ts";
import { escapeControls, visibleText, writeAsJson } from "../../runtime/safe_text.ts";

/**
 * Prints a line of the result. Line breaks in it are escaped, so that a name cannot become two
 * lines.
 *
 * @throws {EnsembleError} if it cannot be written, as on a full disk; the same holds for the other
 * functions that print results.
 */
export function printLine(line: string): void {
  writeResult(`${escapeControls(line)}\n`);
}

/** Prints text that has its own line breaks, such as a help text. */
export function printText(text: string): void {
  writeResult(visibleText(text));
}

/**
 * Prints a value that a server has formatted, in colors if {@linkcode usesColors}. Each line begins
 * with the label.
 */
export function printValue(text: string, label = ""): void {
  const visible = visibleValue(text, { colors: usesColors() });
  writeResult(`${visible.replaceAll(/^/gm, () => label)}\n`);
}

/** How a part of a line is shown: codes of control sequences that begin and end it. */
export type Style = readonly [begin: number, end: number];

/** A part of a line: plain, or in a style. */
export type StyledText = string | readonly [text: string, style: Style];

/**
 * Prints a line of parts, those with a style in it if {@linkcode usesColors}. Line breaks in them are
 * escaped.
 */
export function printStyled(parts: readonly StyledText[]): void {
  const colors = usesColors();
  writeResult(`${parts.map((part) => styled(part, colors)).join("")}\n`);
}

function styled(part: StyledText, colors: boolean): string {
  if (typeof part === "string") return escapeControls(part);
  const [text, [begin, end]] = part;
  const visible = escapeControls(text);
  return colors ? `\x1b[${begin}m${visible}\x1b[${end}m` : visible;
}

/** The control sequences with which a program chooses a color or a weight: SGR of ECMA-48. */
// deno-lint-ignore no-control-regex -- control sequences are what has to be found
const COLOR_SEQUENCE = /\x1b\[[0-9;:]{0,40}m/g;

/**
 * Prints lines of a process of the user, each after a label. Its colors are kept if {@linkcode
 * usesColors}; all other control characters are escaped.
 */
export function printProcessLines(label: StyledText, lines: readonly string[]): void {
  const colors = usesColors();
  const start = styled(label, colors);
  const shown = lines.map((line) => {
    if (!line.includes("\x1b")) return `${start}${escapeControls(line, { keep: "\t" })}\n`;
    const parts = line.split(COLOR_SEQUENCE).map((part) => escapeControls(part, { keep: "\t" }));
    const sequences = colors ? line.match(COLOR_SEQUENCE) ?? [] : [];
    const text = parts.map((part, index) => part + (sequences[index] ?? "")).join("");
    return `${start}${text}${sequences.length > 0 ? "\x1b[0m" : ""}\n`;
  });
  writeResult(shown.join(""));
}

/** Prints the result as JSON, for `--json`: on one line, or on several to be read more easily. */
export function printJson(value: unknown, { oneLine = false } = {}): void {
  const json = JSON.stringify(value, undefined, oneLine ? undefined : 2);
  writeResult(`${escapeControls(json, { keep: "\n", write: writeAsJson })}\n`);
}

/**
 * Writes bytes as they are to standard output, which must not be a terminal.
 *
 * @throws {EnsembleError} if they cannot be written.
 */
export function writeBytes(bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  } catch (error) {
    throw new EnsembleError(`cannot write to standard output: ${(error as Error).message}`);
  }
}

/** Prints on standard error anything that is not part of the result: progress, an error. */
export function printNotice(text: string): void {
  writeNotice(`${visibleText(text)}\n`);
}

let clearFirst = (): void => {};

/** Has a function clear what it has drawn on the terminal before anything is printed. */
export function clearBeforePrinting(clear: () => void): void {
  clearFirst = clear;
}

function writeResult(text: string): void {
  clearFirst();
  writeOutput(text);
}

function writeNotice(text: string): void {
  clearFirst();
  writeErrors(text);
}

/** Prints text that has its own line breaks on standard error. */
export function printErrorText(text: string): void {
  writeNotice(visibleText(text));
}

/** Prints an error, after the name of the executable. */
export function printError(message: string, name = "gxensemble"): void {
  printNotice(errorText(message, name));
}

/**
 * Formats an error. The message may come from a server, so its further lines are indented: none of
 * them can look like another message, or a prompt.
 */
export function errorText(message: string, name = "gxensemble"): string {
  return `${name}: error: ${message.replaceAll("\n", "\n  ")}`;
}

/** Makes control characters in the text of a value visible, and colors it. */
export function visibleValue(text: string, { colors }: { colors: boolean }): string {
  const visible = visibleText(text);
  return colors ? colorValue(visible) : visible;
}

/** Whether to color values: on a terminal that supports it, unless `NO_COLOR` is set. */
export function usesColors(): boolean {
  return Deno.stdout.isTerminal() && !Deno.noColor && !isDumbTerminal();
}

/** Whether the terminal supports no control sequences. */
export function isDumbTerminal(): boolean {
  return Deno.env.get("TERM") === "dumb";
}

/**
 * The width of help on a stream, in columns. Asks Deno, since Node's streams would have to be
 * loaded first.
 */
export function helpWidth(stream: { isTerminal(): boolean }): number {
  return stream.isTerminal() ? Deno.consoleSize().columns : 80;
}

/** The size of the terminal; 80 by 24 if it is unknown, as on a serial line. */
export function terminalSize(): { columns: number; rows: number } {
  const { columns, rows } = Deno.consoleSize();
  return { columns: columns || 80, rows: rows || 24 };
}

/** The colors that `Deno.inspect` uses for each kind of value: start and end codes. */
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
 * Patterns that are colored only as a whole value, by kind. Their lengths are bounded, so that
 * matching takes linear time for any text from a server.
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

/** Patterns that are also colored as a property name, or if more text follows. */
const ANYWHERE: readonly [Kind, RegExp][] = [
  [
    "string",
    new RegExp(`${STRING}|Symbol\\((?:${STRING}|[\\w.$]{0,100})\\)|\\[String: ${STRING}\\]`),
  ],
  ["special", /\[Uint8Contents\]|<ref \*\d+>/],
];

/**
 * Values are at the beginning of the text, or follow the opening of a list or a separator; names
 * end in a colon.
 */
const VALUES = new RegExp(
  `(?!\\s)(?<=^|[:,>[{]\\s+)(?:${alternatives(ANYWHERE)}|(?:${
    alternatives(ALONE)
  })(?=$|,|\\s+(?:[\\]}]|=>)))`,
  "g",
);

/** Colors the text of a value as `Deno.inspect` does with `colors`. */
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
