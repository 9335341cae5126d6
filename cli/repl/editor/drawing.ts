/**
 * Draws the edited input on the terminal.
 *
 * @module
 */
import { cells, isPlain, widthOf } from "./graphemes.ts";

/** The terminal to draw on. */
export interface Canvas {
  /** Writes text and control sequences. */
  write(text: string): void;
  /** Its size, in characters. */
  size(): { columns: number; rows: number };
}

/** The current contents of the terminal. */
interface Drawn {
  readonly picture: Picture;
  readonly layout: Layout;
  /** The first visible row, and the one after the last. */
  readonly from: number;
  readonly to: number;
}

const HOME = "\x1b[1G";
const ERASE_BELOW = "\x1b[0J";

/** A picture on the terminal. It begins in the row of the cursor at its first drawing. */
export class Drawing {
  readonly #canvas: Canvas;
  #drawn: Drawn | undefined;

  /** Makes an empty drawing. */
  constructor(canvas: Canvas) {
    this.#canvas = canvas;
  }

  /** Replaces the picture by another: as much of it as fits, with the cursor. */
  draw(picture: Picture): void {
    const { columns, rows } = this.#canvas.size();
    const layout = layOut(picture, columns);
    const height = Math.max(1, rows);
    const last = layout.rows.length;
    let from = Math.min(this.#drawn?.from ?? last, Math.max(0, last - height));
    if (layout.cursor.row < from) from = layout.cursor.row;
    if (layout.cursor.row >= from + height) from = layout.cursor.row - height + 1;
    const drawn = { picture, layout, from, to: Math.min(last, from + height) };
    const added = this.#addedBy(drawn);
    if (added !== undefined) this.#canvas.write(added);
    else this.#show(drawn);
    this.#drawn = drawn;
  }

  /** Shows the complete picture and leaves it there. The next output begins on the line below. */
  finish(picture: Picture): void {
    const { columns } = this.#canvas.size();
    const drawn = this.#drawn;
    if (drawn && isWhole(drawn) && isSame(drawn.picture, picture)) {
      const { rows, cursor } = drawn.layout;
      this.#canvas.write(down(rows.length - 1 - cursor.row) + lineEnd(rows));
    } else {
      const { rows } = layOut({ ...picture, cursor: picture.text.length }, columns);
      this.#canvas.write(this.#toTop() + joined(rows) + lineEnd(rows));
    }
    this.#drawn = undefined;
  }

  /** Erases the picture. The cursor moves to where the picture began. */
  erase(): void {
    if (this.#drawn) this.#canvas.write(this.#toTop());
    this.#drawn = undefined;
  }

  /** Forgets the picture, because it is no longer on the terminal. */
  forget(): void {
    this.#drawn = undefined;
  }

  #show({ layout: { rows, cursor }, from, to }: Drawn): void {
    this.#canvas.write(
      this.#toTop() + joined(rows.slice(from, to)) + up(to - 1 - cursor.row) +
        toColumn(cursor.column),
    );
  }

  /** The characters to write, if the only change is added characters at the end. */
  #addedBy({ picture, layout, from, to }: Drawn): string | undefined {
    const before = this.#drawn;
    if (!before || before.from !== from || before.to !== to) return undefined;
    if (before.layout.rows.length !== layout.rows.length) return undefined;
    if (picture.prompt !== before.picture.prompt) return undefined;
    const isAtEnd = ({ text, cursor }: Picture) => cursor === text.length;
    if (!isAtEnd(picture) || !isAtEnd(before.picture)) return undefined;
    if (!picture.text.startsWith(before.picture.text)) return undefined;
    const added = picture.text.slice(before.picture.text.length);
    return added !== "" && isPlain(added) ? added : undefined;
  }

  /**
   * Moves to the beginning of the picture, even if the terminal's width has changed since, and
   * erases it.
   */
  #toTop(): string {
    if (!this.#drawn) return HOME + ERASE_BELOW;
    const { picture, from } = this.#drawn;
    const { cursor } = layOut(picture, this.#canvas.size().columns);
    return up(Math.max(0, cursor.row - from)) + HOME + ERASE_BELOW;
  }
}

/**
 * The text of rows. The terminal wraps long lines itself, so that it can rewrap them when its size
 * changes.
 */
function joined(rows: readonly Row[]): string {
  return rows.map(({ text, wraps }, index) =>
    index === rows.length - 1 || wraps ? text : `${text}\n`
  ).join("");
}

function isSame(one: Picture, other: Picture): boolean {
  return one.prompt === other.prompt && one.text === other.text;
}

/** Whether all rows are visible. */
function isWhole({ layout, from, to }: Drawn): boolean {
  return from === 0 && to === layout.rows.length;
}

/** The end of the last row. After a full row the terminal has already begun the next one. */
function lineEnd(rows: readonly Row[]): string {
  return rows.length > 1 && rows.at(-1)!.text === "" ? "" : "\n";
}

function up(rows: number): string {
  return rows > 0 ? `\x1b[${rows}A` : "";
}

function down(rows: number): string {
  return rows > 0 ? `\x1b[${rows}B` : "";
}

function toColumn(column: number): string {
  return `\x1b[${column + 1}G`;
}

/** The contents to show. */
interface Picture {
  /** The prompt of the first line. */
  readonly prompt: string;
  /** The prompt of each other line. */
  readonly continuation: string;
  readonly text: string;
  /** The position of the cursor in the text, in UTF-16 code units. */
  readonly cursor: number;
}

/** A row of the terminal. */
interface Row {
  readonly text: string;
  /** Whether the terminal wraps its line into the next row. */
  readonly wraps: boolean;
}

/** Rows, and the position of the cursor; rows and columns count from 0. */
interface Layout {
  readonly rows: readonly Row[];
  readonly cursor: { readonly row: number; readonly column: number };
}

/** Lays out a picture for a terminal with `columns` columns. */
function layOut(picture: Picture, columns: number): Layout {
  const { prompt, continuation, text } = picture;
  const rows: Row[] = [];
  let cursor = { row: 0, column: 0 };
  let start = 0;
  for (const line of text.split("\n")) {
    const prefix = start === 0 ? prompt : continuation;
    const end = start + line.length;
    if (picture.cursor >= start && picture.cursor <= end) {
      // The text after the cursor does not change how the line wraps before it.
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
    // A cursor after a full row is at the beginning of the next one.
    cursor = { row: cursor.row + 1, column: 0 };
    if (!rows[cursor.row - 1]!.wraps) rows.splice(cursor.row, 0, { text: "", wraps: false });
  }
  return { rows, cursor };
}

/**
 * Wraps a line into rows, at least one. Tab stops count from the start of the line, without the
 * prompt.
 */
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
