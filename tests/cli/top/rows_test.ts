import assert from "node:assert/strict";
import { cut, formatRows, type ItemColumn } from "../../../cli/top/rows.ts";

const COLUMNS: readonly ItemColumn<{ name: string; size: number }>[] = [
  { heading: "name", rank: 0, least: 6, most: 8, text: ({ name }) => name },
  { heading: "size", rank: 2, isNumber: true, text: ({ size }) => `${size}` },
  { heading: "twice", rank: 1, isNumber: true, text: ({ size }) => `${2 * size}` },
];

Deno.test("formatRows leaves out the least important columns where there is no room", () => {
  const items = [{ name: "a", size: 7 }, { name: "a long name", size: 1_234 }];
  const within = (width: number) => {
    const { headings, rows } = formatRows(COLUMNS, { items, width });
    return [headings, ...rows];
  };
  assert.deepEqual(within(80), [
    "name      size  twice",
    "a            7     14",
    "a long n  1234   2468",
  ]);
  assert.deepEqual(within(21), within(80));
  assert.deepEqual(within(20), ["name      twice", "a            14", "a long n   2468"]);
  assert.deepEqual(within(12), ["name", "a", "a long n"]);
  assert.deepEqual(within(3), ["nam", "a", "a l"]);
  assert.deepEqual(formatRows(COLUMNS, { items: [], width: 80 }), {
    headings: "name    size  twice",
    rows: [],
  });
});

Deno.test("formatRows shows control characters, and counts the columns of wide characters", () => {
  const items = [{ name: "\x1b[2J", size: 1 }, { name: "漢字漢字漢字", size: 2 }];
  assert.deepEqual(formatRows(COLUMNS, { items, width: 80 }).rows, [
    "\\u001b[2     1      2",
    "漢字漢字     2      4",
  ]);
});

Deno.test("cut cuts a text before the character that does not fit", () => {
  assert.deepEqual([5, 4, 3, 1, 0].map((width) => cut("漢a字", width)), [
    "漢a字",
    "漢a",
    "漢a",
    "",
    "",
  ]);
  assert.equal(cut("abc", Infinity), "abc");
});
