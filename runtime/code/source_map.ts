/**
 * Places in the author's files: the error that names one, and source maps, the way back to them from the places
 * in a text that was made of such a file. @see https://tc39.es/ecma426/
 *
 * @module
 */
import { encode, type SourceMapMappings } from "npm:@jridgewell/sourcemap-codec@^1.6.0";
import { EnsembleError } from "../errors.ts";

/** A place in a module as its author sees it. */
export interface SourceLocation {
  /** The author's file. */
  path: string;
  /** The line, from 1. */
  line?: number;
  /** The column in UTF-16 code units, from 1; only beside a line. */
  column?: number;
}

/** A module cannot be used. Its message is `file:line:column: reason`, as compilers write it. */
export class ModuleError extends EnsembleError {
  override name = "ModuleError";
  /** Where the fault is. */
  readonly location: SourceLocation;
  /** What is wrong there. */
  readonly reason: string;

  /** Makes the error; `cause` is what the runtime threw, when it threw something. */
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

export {
  decode as decodeMappings,
  encode as encodeMappings,
} from "npm:@jridgewell/sourcemap-codec@^1.6.0";

/**
 * The decoded mappings of a text of one source: by line, `[column, 0, source line, source column]`, all
 * from 0, in the order of the columns.
 */
export type Mappings = SourceMapMappings;

/** What is mapped by itself: a word, or any other character. */
const TOKEN = /[\p{ID_Continue}$]+|\S/gu;

/** The mappings of a text that stands as its author wrote it. */
export function identityMappings(text: string): Mappings {
  const starts = lineStarts(text);
  return starts.map((start, line) =>
    Array.from(
      text.slice(start, starts[line + 1]).matchAll(TOKEN),
      ({ index }): Mappings[0][0] => [index, 0, line, index],
    )
  );
}

/** The place in the source of a place in the mapped text, or undefined when it has none. */
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
 * The comment by which the runtime finds the source map of the module that ends with it: stack traces
 * then name `sourceUrl` in its place.
 */
export function sourceMapComment(sourceUrl: string, mappings: Mappings): string {
  const map = { version: 3, sources: [sourceUrl], names: [], mappings: encode(mappings) };
  const json = new TextEncoder().encode(JSON.stringify(map));
  return `//# sourceMappingURL=data:application/json;base64,${json.toBase64()}`;
}

/** One replacement. It has as many line terminators as what it replaces. */
export interface TextEdit {
  /** Where the replaced part starts, in UTF-16 code units. */
  start: number;
  /** Where it ends. */
  end: number;
  /** What stands there instead. */
  replacement: string;
}

/** The text after the edits, which are in its order and do not overlap. */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  const pieces: string[] = [];
  let position = 0;
  for (const { start, end, replacement } of edits) {
    pieces.push(text.slice(position, start), replacement);
    position = end;
  }
  return pieces.join("") + text.slice(position);
}

/** The mappings of the text after the edits, given those of the text before. */
export function editMappings(
  mappings: Mappings,
  text: string,
  edits: readonly TextEdit[],
): Mappings {
  if (edits.length === 0) return mappings;
  const starts = lineStarts(text);
  const lines = starts.map((_, line) => mappings[line] ?? []);
  // From the last to the first: what stands before an edit is still where the text has it.
  for (const { start, end, replacement } of edits.toReversed()) {
    const from = zeroBased(positionAt(starts, start));
    const to = zeroBased(positionAt(starts, end));
    const lastLine = replacement.length - lineStarts(replacement).at(-1)!;
    const shift = lastLine - to.column + (from.line === to.line ? from.column : 0);
    // The first segment of what was replaced stands for all of the replacement.
    const before = lines[from.line]!.filter(([column]) => column <= from.column);
    const after = lines[to.line]!.filter(([column]) => column >= to.column)
      .map(([column, ...source]) => [column + shift, ...source] as typeof mappings[0][0]);
    lines.fill([], from.line, to.line);
    lines[to.line] = after;
    lines[from.line] = from.line === to.line ? [...before, ...after] : before;
  }
  return lines;
}

function zeroBased({ line, column }: { line: number; column: number }) {
  return { line: line - 1, column: column - 1 };
}

/** A place in a text as editors count it. */
export interface TextPosition {
  /** The line, from 1. */
  line: number;
  /** The column in UTF-16 code units, from 1. */
  column: number;
}

/** What ends a line: the line terminators of ECMAScript, which engines and source maps count by. */
const LINE_TERMINATOR = /\r\n?|[\n\u2028\u2029]/g;

/** The positions at which the lines of a text start, in UTF-16 code units. */
export function lineStarts(text: string): number[] {
  const starts = [0];
  for (const { index, 0: terminator } of text.matchAll(LINE_TERMINATOR)) {
    starts.push(index + terminator.length);
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
