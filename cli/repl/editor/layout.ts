/**
 * Where an input stands on a terminal.
 *
 * @module
 */
import { cells, isPlain, widthOf } from "./graphemes.ts";

/** What is shown. */
export interface Picture {
  /** What stands before the first line. */
  readonly prompt: string;
  /** What stands before each of the others. */
  readonly continuation: string;
  readonly text: string;
  /** Where in the text the cursor is. */
  readonly cursor: number;
}

/** A row of the terminal. */
export interface Row {
  readonly text: string;
  /** Whether its line goes on in the next row, into which the terminal wraps it. */
  readonly wraps: boolean;
}

/** Rows, and the cursor among them; its column counts from 0. */
export interface Layout {
  readonly rows: readonly Row[];
  readonly cursor: { readonly row: number; readonly column: number };
}

/** Lays a picture out for a terminal of so many columns. */
export function layOut(picture: Picture, columns: number): Layout {
  const { prompt, continuation, text } = picture;
  const rows: Row[] = [];
  let cursor = { row: 0, column: 0 };
  let start = 0;
  for (const line of text.split("\n")) {
    const prefix = start === 0 ? prompt : continuation;
    const end = start + line.length;
    if (picture.cursor >= start && picture.cursor <= end) {
      // A line breaks before the cursor as it does without what follows it.
      const before = wrap([prefix, line.slice(0, picture.cursor - start)], columns);
      cursor = { row: rows.length + before.length - 1, column: widthOf(before.at(-1)!) };
    }
    rows.push(
      ...wrap([prefix, line], columns).map((text, index, all) => ({
        text,
        wraps: index < all.length - 1,
      })),
    );
    start = end + 1;
  }
  if (cursor.column >= columns) {
    // The terminal shows the cursor behind a full row only at the beginning of the next one.
    cursor = { row: cursor.row + 1, column: 0 };
    if (!rows[cursor.row - 1]!.wraps) rows.splice(cursor.row, 0, { text: "", wraps: false });
  }
  return { rows, cursor };
}

/** The rows of a line: at least one. The stops of its tabs are those that they are without the prompt. */
function wrap([prompt, line]: [prompt: string, line: string], columns: number): string[] {
  if (isPlain(line) && isPlain(prompt)) {
    const text = prompt + line;
    const count = Math.max(1, Math.ceil(text.length / columns));
    return Array.from(
      { length: count },
      (_, row) => text.slice(row * columns, (row + 1) * columns),
    );
  }
  const rows: string[] = [];
  let row = "";
  let column = 0;
  for (const { shown, width } of [...cells(prompt), ...cells(line)]) {
    if (column + width > columns && column > 0) {
      rows.push(row);
      row = "";
      column = 0;
    }
    row += shown;
    column += width;
  }
  return [...rows, row];
}
