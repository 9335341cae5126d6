/**
 * Words in columns.
 *
 * @module
 */
import { widthOf } from "./graphemes.ts";

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
