/**
 * What a person takes for one character, and how wide it is on a terminal.
 *
 * @module
 */
import stringWidth from "npm:fast-string-width@^3.0.2";
import { escapeControls } from "../../../runtime/safe_text.ts";

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** How far around the cursor the ends of a character are looked for, in UTF-16 code units. */
const WINDOW = 128;

/** How far apart the stops of tabs are, in columns. */
const TAB_WIDTH = 4;

/** A character as it is shown. */
export interface Cell {
  /** What is written: the character, or an escape or spaces that stand for it. */
  readonly shown: string;
  /** The columns it takes. */
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

/** Where the character begins that ends at a position. */
export function startBefore(text: string, position: number): number {
  if (position <= 0) return 0;
  if (text.charCodeAt(position - 1) < 0x80) return position - 1;
  const start = Math.max(0, position - WINDOW);
  return start + [...segmenter.segment(text.slice(start, position))].at(-1)!.index;
}

/** Where the character ends that begins at a position. */
export function endAfter(text: string, position: number): number {
  if (position >= text.length) return text.length;
  const segments = segmenter.segment(text.slice(position, position + WINDOW));
  return position + segments.containing(0)!.segment.length;
}

/** How a character is shown in a column; control characters are shown as escapes, several characters wide. */
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

/** How many columns it takes. */
export function widthOf(line: string): number {
  if (isPlain(line)) return line.length;
  let columns = 0;
  for (const { width } of cells(line)) columns += width;
  return columns;
}

/** Where in a line the character is that stands in a column, or else the end. */
export function positionAt(line: string, column: number): number {
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

/** What stands between two columns. */
const GAP = 2;

/** Lays words out in columns of equal width that are read downwards, as `ls` does. */
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
