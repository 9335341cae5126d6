/**
 * The differences between two texts, line by line.
 *
 * @module
 */

/** The number of lines around a change. */
const CONTEXT = 3;

/** Texts that differ in more lines than this, multiplied, are shown as replaced. */
const MOST_COMPARED = 4_000_000;

/** A line of a difference: ` ` in both, `-` only in the earlier, `+` only in the later. */
interface DiffLine {
  readonly sign: " " | "-" | "+";
  readonly text: string;
}

/** The lines of a unified difference without its head; none if the texts are the same. */
export function unifiedDiff(earlier: string, later: string): string[] {
  const lines = compare(splitLines(earlier), splitLines(later));
  const shown = new Set<number>();
  lines.forEach(({ sign }, at) => {
    if (sign === " ") return;
    for (let near = at - CONTEXT; near <= at + CONTEXT; near++) shown.add(near);
  });
  const output: string[] = [];
  let [before, after] = [1, 1];
  for (let at = 0; at < lines.length;) {
    const begin = at;
    const start = [before, after];
    const counts = [0, 0];
    for (; at < lines.length && shown.has(at) === shown.has(begin); at++) {
      if (lines[at]!.sign !== "+") counts[0]!++;
      if (lines[at]!.sign !== "-") counts[1]!++;
    }
    before += counts[0]!;
    after += counts[1]!;
    if (!shown.has(begin)) continue;
    output.push(`@@ -${start[0]},${counts[0]} +${start[1]},${counts[1]} @@`);
    output.push(...lines.slice(begin, at).map(({ sign, text }) => sign + text));
  }
  return output;
}

function splitLines(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function compare(a: readonly string[], b: readonly string[]): DiffLine[] {
  let begin = 0;
  while (begin < a.length && begin < b.length && a[begin] === b[begin]) begin++;
  let end = 0;
  while (
    end < a.length - begin && end < b.length - begin &&
    a[a.length - 1 - end] === b[b.length - 1 - end]
  ) end++;
  const both = (lines: readonly string[]) => lines.map((text): DiffLine => ({ sign: " ", text }));
  return [
    ...both(a.slice(0, begin)),
    ...compareMiddle(a.slice(begin, a.length - end), b.slice(begin, b.length - end)),
    ...both(a.slice(a.length - end)),
  ];
}

/** By the longest common subsequence. */
function compareMiddle(a: readonly string[], b: readonly string[]): DiffLine[] {
  const removed = (text: string): DiffLine => ({ sign: "-", text });
  const added = (text: string): DiffLine => ({ sign: "+", text });
  if (a.length * b.length > MOST_COMPARED) return [...a.map(removed), ...b.map(added)];
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] = a[i] === b[j]
        ? lengths[(i + 1) * width + j + 1]! + 1
        : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
    }
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ sign: " ", text: a[i++]! });
      j++;
    } else if (
      j === b.length ||
      i < a.length && lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!
    ) lines.push(removed(a[i++]!));
    else lines.push(added(b[j++]!));
  }
  return lines;
}
