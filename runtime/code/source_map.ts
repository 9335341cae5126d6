/**
 * Positions in the author's files: the error that names one, and source maps, which map positions
 * in generated text back to them.
 *
 * @see https://tc39.es/ecma426/
 * @module
 */
import { decode, encode, type SourceMapMappings } from "npm:@jridgewell/sourcemap-codec@^1.6.0";
import { EnsembleError } from "../errors.ts";

/** A position in the author's file. */
export interface SourceLocation {
  /** The author's file. */
  path: string;
  /** The line, from 1. */
  line?: number;
  /** The column in UTF-16 code units, from 1; only with a line. */
  column?: number;
}

/**
 * Thrown for a module that cannot be used. The message is `file:line:column: reason`, as in
 * compilers.
 */
export class ModuleError extends EnsembleError {
  override name = "ModuleError";
  /** The position of the problem. */
  readonly location: SourceLocation;
  /** The problem. */
  readonly reason: string;

  /** Creates the error; `cause` is the runtime's error, if any. */
  constructor(reason: string, location: SourceLocation, options?: ErrorOptions) {
    super(`${formatLocation(location)}: ${reason}`, options);
    this.location = location;
    this.reason = reason;
  }
}

function formatLocation({ path, line, column }: SourceLocation): string {
  if (line === undefined) return path;
  return column === undefined ? `${path}:${line}` : `${path}:${line}:${column}`;
}

/**
 * Decoded mappings of a text with one source: for each line, `[column, 0, source line, source
 * column]`, all from 0, sorted by column.
 */
export type Mappings = SourceMapMappings;

/**
 * The encoded source map of a text that is the author's own: every word, and every other character
 * but white space, is a position.
 */
export function ownMappings(text: string): string {
  const starts = lineStarts(text);
  const lines: Mappings = starts.map(() => []);
  let line = 0;
  for (const { index } of text.matchAll(/\w+|[^\w\s]/g)) {
    while (line + 1 < starts.length && starts[line + 1]! <= index) line++;
    const column = index - starts[line]!;
    lines[line]!.push([column, 0, line, column]);
  }
  return encode(lines);
}

/**
 * The encoded mappings in the lines of engines, which count every ECMAScript line terminator, from
 * mappings in lines that end where `terminator` matches.
 */
export function inEngineLines(
  mappings: string,
  texts: { generated: string; original: string },
  terminator: RegExp,
): string {
  if (!/\r(?!\n)|[\u2028\u2029]/.test(texts.generated + texts.original)) return mappings;
  const positions = (text: string) => {
    const [from, to] = [lineStarts(text, terminator), lineStarts(text)];
    return (line: number, column: number) => positionAt(to, from[line]! + column);
  };
  const [generated, original] = [positions(texts.generated), positions(texts.original)];
  const lines: Mappings = lineStarts(texts.generated).map(() => []);
  for (const [index, segments] of decode(mappings).entries()) {
    for (const [start, , sourceLine, sourceColumn] of segments) {
      const { line, column } = generated(index, start);
      const source = original(sourceLine!, sourceColumn!);
      lines[line - 1]!.push([column - 1, 0, source.line - 1, source.column - 1]);
    }
  }
  return encode(lines);
}

/** Maps a position in a text to its source; undefined if it has none. */
export function sourcePosition(
  mappings: Mappings,
  { line, column }: TextPosition,
): TextPosition | undefined {
  const segments = mappings[line - 1] ?? [];
  const segment = segments.findLast(([start]) => start < column) ?? segments[0];
  if (segment === undefined || segment.length === 1) return undefined;
  return { line: segment[2] + 1, column: segment[3] + 1 };
}

/**
 * The source map comment to append to a module: stack traces then name `sourceUrl` in its place.
 */
export function sourceMapComment(sourceUrl: string, mappings: string): string {
  const map = { version: 3, sources: [sourceUrl], names: [], mappings };
  const json = new TextEncoder().encode(JSON.stringify(map));
  return `//# sourceMappingURL=data:application/json;base64,${json.toBase64()}`;
}

/** A position in a text, as editors count. */
export interface TextPosition {
  /** The line, from 1. */
  line: number;
  /** The column in UTF-16 code units, from 1. */
  column: number;
}

/** ECMAScript's line terminators, by which engines and source maps count lines. */
const LINE_TERMINATOR = /\r\n?|[\n\u2028\u2029]/g;

/** The positions at which the lines of a text start, in UTF-16 code units. */
export function lineStarts(text: string, terminator: RegExp = LINE_TERMINATOR): number[] {
  const starts = [0];
  for (const { index, 0: matched } of text.matchAll(terminator)) {
    starts.push(index + matched.length);
  }
  return starts;
}

/** The line and column of a position in the text whose lines start at `starts`. */
export function positionAt(starts: readonly number[], position: number): TextPosition {
  let low = 0;
  for (let high = starts.length; high - low > 1;) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= position) low = middle;
    else high = middle;
  }
  return { line: low + 1, column: position - starts[low]! + 1 };
}
