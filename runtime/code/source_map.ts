/**
 * Source maps: the way from the places in a text back to those in what its author wrote.
 *
 * @see https://tc39.es/ecma426/
 * @module
 */
import { encode, type SourceMapMappings } from "npm:@jridgewell/sourcemap-codec@^1.6.0";
import { lineStarts, type TextPosition } from "./text_position.ts";

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
