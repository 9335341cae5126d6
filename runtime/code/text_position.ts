/**
 * Lines and columns of positions in a text.
 *
 * @module
 */

/** A place in a text as editors count it. */
export interface TextPosition {
  /** The line, from 1. */
  line: number;
  /** The column in UTF-16 code units, from 1. */
  column: number;
}

/** What ends a line: the line terminators of ECMAScript, which engines and source maps count by. */
const LINE_TERMINATOR = /\r\n?|[\n\u2028\u2029]/g;

/** The positions at which the lines of a text start, in UTF-16 code units. */
export function lineStarts(text: string): number[] {
  const starts = [0];
  for (const { index, 0: terminator } of text.matchAll(LINE_TERMINATOR)) {
    starts.push(index + terminator.length);
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
