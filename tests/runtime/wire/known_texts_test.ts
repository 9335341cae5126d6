import assert from "node:assert/strict";
import { knownText, MAX_KNOWN_TEXT } from "../../../runtime/wire/known_texts.ts";

/** Reads a text from the middle of other bytes. */
function read(codes: readonly number[]): string {
  const bytes = Uint8Array.from([1, 2, 3, ...codes, 4, 5]);
  return knownText(new DataView(bytes.buffer), 3, codes.length);
}

Deno.test("texts of each length that differ in one byte are told apart", () => {
  for (let length = 0; length <= MAX_KNOWN_TEXT; length++) {
    const codes = Array.from({ length }, (_, i) => 97 + i);
    const texts = [codes, ...codes.map((_, i) => codes.with(i, 0)), codes.map(() => 255)];
    // The second time, they are known.
    for (const each of [...texts, ...texts]) {
      assert.equal(read(each), String.fromCharCode(...each));
    }
  }
});

Deno.test("texts of the same words and other lengths are told apart", () => {
  for (let length = 1; length <= MAX_KNOWN_TEXT; length++) {
    assert.equal(read(new Array(length).fill(0)), "\0".repeat(length));
  }
});

Deno.test("a text is right after many others", () => {
  const texts = Array.from({ length: 20_000 }, (_, n) => `key ${n}`);
  for (const each of [...texts, ...texts]) {
    assert.equal(read([...each].map((letter) => letter.charCodeAt(0))), each);
  }
});

Deno.test("a text is read from a part of a buffer", () => {
  const bytes = new TextEncoder().encode("before: a longer text");
  for (const text of ["a longer text", "text", "a"]) {
    const start = bytes.length - "a longer text".length + "a longer text".indexOf(text);
    const view = new DataView(bytes.buffer, start - 2, text.length + 2);
    assert.equal(knownText(view, 2, text.length), text);
  }
});
