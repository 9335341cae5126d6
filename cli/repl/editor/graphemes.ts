/**
 * Graphemes: what a user sees as one character, and their width on a terminal.
 *
 * @module
 */
import stringWidth from "npm:fast-string-width@^3.0.2";
import { escapeControls } from "../../../runtime/safe_text.ts";

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/**
 * The distance from the cursor in which to look for the ends of a character, in UTF-16 code units.
 */
const WINDOW = 128;

/** The distance of tab stops, in columns. */
const TAB_WIDTH = 4;

/** A character as it is displayed. */
interface Cell {
  /** The text to write: the character, or the escape or spaces shown for it. */
  readonly shown: string;
  /** The number of columns it takes. */
  readonly width: number;
}

/** Whether every character of a text takes one column. */
export function isPlain(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

/** The characters of a text. */
function* graphemes(text: string): Generator<string> {
  if (isPlain(text)) return yield* text;
  for (const { segment } of segmenter.segment(text)) yield segment;
}

/** The start of the character that ends at a position. */
export function startBefore(text: string, position: number): number {
  if (position <= 0) return 0;
  if (text.charCodeAt(position - 1) < 0x80) return position - 1;
  const start = Math.max(0, position - WINDOW);
  return start + [...segmenter.segment(text.slice(start, position))].at(-1)!.index;
}

/** The end of the character that begins at a position. */
export function endAfter(text: string, position: number): number {
  if (position >= text.length) return text.length;
  const segments = segmenter.segment(text.slice(position, position + WINDOW));
  return position + segments.containing(0)!.segment.length;
}

/**
 * The cells of a character that begins in a column. Control characters are shown as escapes, which
 * take several.
 */
function cellsOf(grapheme: string, column: number): Cell[] {
  if (grapheme === "\t") {
    return Array.from(
      { length: TAB_WIDTH - column % TAB_WIDTH },
      () => ({ shown: " ", width: 1 }),
    );
  }
  const shown = escapeControls(grapheme);
  if (shown === grapheme) return [{ shown, width: stringWidth(shown) }];
  return [...shown].map((character) => ({ shown: character, width: stringWidth(character) }));
}

/** The cells of a line that is not wrapped. */
export function* cells(line: string): Generator<Cell> {
  let column = 0;
  for (const grapheme of graphemes(line)) {
    for (const cell of cellsOf(grapheme, column)) {
      column += cell.width;
      yield cell;
    }
  }
}

/** The number of columns that a line takes. */
export function widthOf(line: string): number {
  if (isPlain(line)) return line.length;
  let columns = 0;
  for (const { width } of cells(line)) columns += width;
  return columns;
}

/** The position of the character in a column of a line, or the end of the line. */
export function indexAtColumn(line: string, column: number): number {
  if (isPlain(line)) return Math.min(column, line.length);
  let position = 0;
  let at = 0;
  for (const grapheme of graphemes(line)) {
    if (at >= column) break;
    for (const { width } of cellsOf(grapheme, at)) at += width;
    position += grapheme.length;
  }
  return position;
}

/** The space between two columns, in characters. */
const GAP = 2;

/** Arranges words in columns of equal width, read downwards, as `ls` does. */
export function formatColumns(words: readonly string[], width: number): string[] {
  const columnWidth = Math.max(...words.map(widthOf)) + GAP;
  const columns = Math.max(1, Math.floor((width + GAP) / columnWidth));
  const height = Math.ceil(words.length / columns);
  return Array.from(
    { length: height },
    (_, row) =>
      words.filter((_, index) => index % height === row)
        .map((word) => word + " ".repeat(columnWidth - widthOf(word)))
        .join("")
        .trimEnd(),
  );
}
