import assert from "node:assert/strict";
import { AlignedRows } from "../../../cli/kit/table.ts";

const COLUMNS = [{ heading: "server" }, { heading: "bytes", isNumber: true }, { heading: "roles" }];

Deno.test("AlignedRows aligns numbers to the right and all else to the left", () => {
  const rows = new AlignedRows(COLUMNS);
  assert.deepEqual(rows.format([["a", "7", "web"], ["httpd12", "123456", ""]]), [
    "a             7  web",
    "httpd12  123456",
  ]);
  assert.equal(rows.headings, "server    bytes  roles");
});

Deno.test("AlignedRows keeps its widths when rows come in parts, and widens them", () => {
  const rows = new AlignedRows(COLUMNS);
  rows.format([["a-long-name", "1", ""]]);
  assert.deepEqual(rows.format([["b", "2", "web"]]), ["b                2  web"]);
  assert.deepEqual(rows.format([["c", "1234567", "x"]]), ["c            1234567  x"]);
});

Deno.test("AlignedRows counts the columns that a character takes, and escapes what would move the cursor", () => {
  const rows = new AlignedRows(COLUMNS);
  assert.deepEqual(rows.format([["\u{1f600}", "1", "a\tb\x1b[2J"], ["ab", "1", "\u65e5"]]), [
    "\u{1f600}          1  a\\tb\\u001b[2J",
    "ab          1  \u65e5",
  ]);
});
