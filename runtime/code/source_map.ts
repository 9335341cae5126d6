/**
 * Positions in the author's files: the error that names one, and source maps, which map positions
 * in generated text back to them. The libraries that edit texts and join maps are loaded on demand.
 *
 * @see https://tc39.es/ecma426/
 * @module
 */
import type { SourceMapMappings } from "npm:@jridgewell/sourcemap-codec@^1.6.0";
import type { DecodedSourceMap, default as MagicString } from "npm:magic-string@^1.4.5";
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

/** Creates an editable text. Positions refer to the original text. */
export async function editText(text: string): Promise<MagicString> {
  const { default: MagicString } = await import("npm:magic-string@^1.4.5");
  return new MagicString(text);
}

/**
 * The mappings of an edited text. The mappings of the text before are decoded, encoded, or absent
 * if that is the author's own.
 */
export async function mappingsOf(
  edited: MagicString,
  before?: Mappings | string,
): Promise<Mappings> {
  if (before === undefined) {
    return linesOf(edited, edited.generateDecodedMap({ hires: "boundary" }));
  }
  const { decode } = await import("npm:@jridgewell/sourcemap-codec@^1.6.0");
  const { TraceMap, traceSegment } = await import("npm:@jridgewell/trace-mapping@^0.3.31");
  const known = typeof before === "string" ? decode(before) : before;
  const starts = lineStarts(edited.original);
  for (const [line, segments] of known.entries()) {
    for (const [column] of segments) edited.addSourcemapLocation(starts[line]! + column);
  }
  const map = new TraceMap({ version: 3, names: [], sources: ["author"], mappings: known });
  return linesOf(edited, edited.generateDecodedMap()).map((segments) =>
    // In place: a project has hundreds of thousands of them.
    segments.filter((segment) => {
      const found = traceSegment(map, segment[2]!, segment[3]!);
      if (found === null || found.length === 1) return false;
      [, , segment[2], segment[3]] = found;
      return true;
    })
  );
}

/** The editor counts lines by `\n`. */
function linesOf(edited: MagicString, map: DecodedSourceMap): Mappings {
  const texts = { generated: edited.toString(), original: edited.original };
  return inEngineLines(map.mappings as Mappings, texts, /\n/g);
}

/**
 * Mappings in the lines of engines, which count every ECMAScript line terminator, from mappings in
 * lines that end where `terminator` matches.
 */
export function inEngineLines(
  mappings: Mappings,
  texts: { generated: string; original: string },
  terminator: RegExp,
): Mappings {
  if (!/\r(?!\n)|[\u2028\u2029]/.test(texts.generated + texts.original)) return mappings;
  const positions = (text: string) => {
    const [from, to] = [lineStarts(text, terminator), lineStarts(text)];
    return (line: number, column: number) => positionAt(to, from[line]! + column);
  };
  const [generated, original] = [positions(texts.generated), positions(texts.original)];
  const lines: Mappings = lineStarts(texts.generated).map(() => []);
  for (const [index, segments] of mappings.entries()) {
    for (const [start, , sourceLine, sourceColumn] of segments) {
      const { line, column } = generated(index, start);
      const source = original(sourceLine!, sourceColumn!);
      lines[line - 1]!.push([column - 1, 0, source.line - 1, source.column - 1]);
    }
  }
  return lines;
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
