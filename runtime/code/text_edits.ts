/**
 * Replacements in a text, and what they do to its source map.
 *
 * @module
 */
import type { Mappings } from "./source_map.ts";
import { lineStarts, positionAt } from "./text_position.ts";

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
