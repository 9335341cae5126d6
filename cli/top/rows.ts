/**
 * Rows of a table on a screen: as many columns as fit, the most important ones first.
 *
 * @module
 */
import stringWidth from "npm:fast-string-width@^3.0.2";
import { escapeControls } from "../../runtime/safe_text.ts";
import type { Column } from "../kit/table.ts";

/** A column of a table of items. */
export interface ItemColumn<Item> extends Column {
  /** How important it is: where room is short, those with the highest number are left out. */
  readonly rank: number;
  /** The least width, so that the columns do not move with each number. */
  readonly least?: number;
  /** The largest width; longer texts are cut. Default: as wide as it needs. */
  readonly most?: number;
  /** The text of an item. */
  text(item: Item): string;
}

/** The space between columns. */
const GAP = "  ";

/** Formats items as a table that is at most `width` wide: the headings, and a line for each. */
export function formatRows<Item>(
  columns: readonly ItemColumn<Item>[],
  { items, width }: { readonly items: readonly Item[]; readonly width: number },
): { readonly headings: string; readonly rows: string[] } {
  const cells = columns.map((column) => {
    const { heading, least = 0, most = Infinity } = column;
    const texts = items.map((item) => cut(escapeControls(column.text(item)), most));
    const needed = texts.reduce((widest, text) => Math.max(widest, stringWidth(text)), 0);
    return { column, texts, width: Math.max(stringWidth(heading), least, needed) };
  });
  const kept = new Set(cells);
  const total = () =>
    kept.values().reduce((sum, cell) => sum + cell.width + GAP.length, -GAP.length);
  for (const cell of cells.toSorted((a, b) => b.column.rank - a.column.rank)) {
    if (total() <= width || kept.size === 1) break;
    kept.delete(cell);
  }
  const shown = cells.filter((cell) => kept.has(cell));
  const line = (textOf: (cell: typeof cells[number]) => string) =>
    cut(
      shown.map((cell) => {
        const text = textOf(cell);
        const space = " ".repeat(cell.width - stringWidth(text));
        return cell.column.isNumber ? space + text : text + space;
      }).join(GAP).trimEnd(),
      width,
    );
  return {
    headings: line(({ column }) => column.heading),
    rows: items.map((_item, index) => line(({ texts }) => texts[index]!)),
  };
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Cuts a text to a width, in columns of the terminal. */
export function cut(text: string, width: number): string {
  // A text without wide characters is as wide as it is long.
  if (text.length * 2 <= width || stringWidth(text) <= width) return text;
  let [kept, used] = ["", 0];
  for (const { segment } of graphemes.segment(text)) {
    used += stringWidth(segment);
    if (used > width) break;
    kept += segment;
  }
  return kept;
}
