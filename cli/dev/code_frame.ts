/**
 * The lines of a file around a position, for errors.
 *
 * @module
 */
import type { SourceLocation } from "../../runtime/code/source_map.ts";
import { lineStarts } from "../../runtime/code/source_map.ts";

/** The number of lines before and after the one of the position. */
const AROUND = 2;

/** The longest part of a line that is shown, in UTF-16 code units: generated files have long lines. */
const MAX_WIDTH = 160;

/**
 * Formats the lines around a position with their numbers, and a mark below it. Empty if the position or the
 * file is unknown.
 */
export function codeFrame({ path, line, column }: SourceLocation): string[] {
  if (line === undefined) return [];
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch {
    return [];
  }
  const starts = lineStarts(text);
  if (line > starts.length) return [];
  const first = Math.max(1, line - AROUND);
  const last = Math.min(starts.length, line + AROUND);
  const width = `${last}`.length;
  const frame: string[] = [];
  for (let number = first; number <= last; number++) {
    const whole = text.slice(starts[number - 1], starts[number]).trimEnd();
    const mark = number === line ? ">" : " ";
    frame.push(`${mark} ${`${number}`.padStart(width)} | ${whole.slice(0, MAX_WIDTH)}`.trimEnd());
    if (number !== line || column === undefined || column > MAX_WIDTH) continue;
    const before = whole.slice(0, column - 1).replace(/[^\t]/g, " ");
    frame.push(`  ${" ".repeat(width)} | ${before}^`);
  }
  return frame;
}

/** The position that the message of an error begins with, as compilers write it. */
export function positionIn(message: string): SourceLocation | undefined {
  const [, path, line, column] =
    /(?:^|[\s(])(?:file:\/\/)?(\/[^\s:()]+):(\d+):(\d+)/.exec(message) ??
      [];
  if (path === undefined) return undefined;
  return { path: decoded(path), line: Number(line), column: Number(column) };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
