import assert from "node:assert/strict";
import { OutputLines } from "../../../cli/dev/output_lines.ts";

const encoder = new TextEncoder();

function linesOf(...pieces: (string | Uint8Array)[]): string[] {
  const lines = new OutputLines();
  return [
    ...pieces.flatMap((piece) =>
      lines.add(typeof piece === "string" ? encoder.encode(piece) : piece)
    ),
    ...lines.end(),
  ];
}

Deno.test("OutputLines keeps a line together that comes in pieces", () => {
  assert.deepEqual(linesOf("a", "b\nc", "\n"), ["ab", "c"]);
});

Deno.test("OutputLines keeps a character together that comes in pieces", () => {
  const [first, ...rest] = encoder.encode("ü\n");
  assert.deepEqual(linesOf(new Uint8Array([first!]), new Uint8Array(rest)), ["ü"]);
});

Deno.test("OutputLines has a last line without a line break", () => {
  assert.deepEqual(linesOf("a\nb"), ["a", "b"]);
  assert.deepEqual(linesOf("a\n"), ["a"]);
  assert.deepEqual(linesOf(), []);
});

Deno.test("OutputLines keeps the last state of a line that is drawn again", () => {
  assert.deepEqual(linesOf("10%\r50%\r100%\r\n"), ["100%"]);
});

Deno.test("OutputLines divides a line that is too long to be kept", () => {
  const lines = linesOf("x".repeat(150_000), `${"y".repeat(70_000)}\n`);
  assert.ok(lines.every((line) => line.length <= 65_536));
  assert.equal(lines.join(""), "x".repeat(150_000) + "y".repeat(70_000));
});

Deno.test("OutputLines replaces bytes that are no text", () => {
  assert.deepEqual(linesOf(new Uint8Array([0xff, 10])), ["\ufffd"]);
});
