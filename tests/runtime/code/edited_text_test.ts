import assert from "node:assert/strict";
import fc from "npm:fast-check@^4.10.2";
import { decode, encode } from "npm:@jridgewell/sourcemap-codec@^1.6.0";
import { EditedText } from "../../../runtime/code/edited_text.ts";
import {
  lineStarts,
  type Mappings,
  ownMappings,
  positionAt,
  sourcePosition,
} from "../../../runtime/code/source_map.ts";

interface TextEdit {
  start: number;
  end: number;
  replacement: string;
}

/** The output of an edited text, and its mappings. */
function edit(text: string, edits: TextEdit[]): { after: string; code: EditedText; map: Mappings } {
  const code = new EditedText(text);
  // In any order.
  for (const { start, end, replacement } of edits.toReversed()) {
    code.replace(start, end, replacement);
  }
  return { after: code.toString(), code, map: decode(code.mappings(ownMappings(text))) };
}

/** Texts of distinct words on lines with every kind of line break, and edits of some words. */
const edited = fc.record({
  words: fc.array(fc.constantFrom("\n", "\r\n", "\u2028", " ", "()", ";"), { maxLength: 30 }),
  edits: fc.array(fc.option(fc.string({ unit: "grapheme-ascii", maxLength: 9 })), {
    minLength: 31,
    maxLength: 31,
  }),
}).map(({ words, edits }) => {
  const replaced: TextEdit[] = [];
  let text = "";
  [...words, ""].forEach((separator, index) => {
    const word = `word${index}`;
    const replacement = edits[index];
    if (replacement) {
      replaced.push({ start: text.length, end: text.length + word.length, replacement });
    }
    text += word + separator;
  });
  return { text, edits: replaced };
});

Deno.test("EditedText keeps the sources of what is not replaced", () => {
  fc.assert(fc.property(edited, ({ text, edits }) => {
    const { after, code, map } = edit(text, edits);
    const starts = { before: lineStarts(text), after: lineStarts(after) };
    let shift = 0;
    let next = 0;
    for (const { index, 0: word } of text.matchAll(/word\d+/g)) {
      const edit = edits[next];
      assert.equal(code.shifted(index), index + shift);
      const place = positionAt(starts.after, index + shift);
      assert.deepEqual(sourcePosition(map, place), positionAt(starts.before, index));
      if (edit?.start !== index) continue;
      shift += edit.replacement.length - word.length;
      next++;
    }
  }));
});

Deno.test("EditedText shifts the text after a replacement of several lines", () => {
  const { after, map } = edit("a import\n  .meta b\nc", [
    { start: 2, end: 16, replacement: "meta()\n" },
  ]);
  assert.equal(after, "a meta()\n b\nc");
  assert.deepEqual(sourcePosition(map, { line: 2, column: 2 }), { line: 2, column: 9 });
  assert.deepEqual(sourcePosition(map, { line: 3, column: 1 }), { line: 3, column: 1 });
});

Deno.test("EditedText shifts the first line when a text is put before it", () => {
  const code = new EditedText("a b\nc");
  code.prepend("before ");
  code.append("\nafter");
  assert.equal(code.toString(), "before a b\nc\nafter");
  assert.equal(code.shifted(2), 9);
  const map = decode(code.mappings(ownMappings("a b\nc")));
  assert.deepEqual(sourcePosition(map, { line: 1, column: 10 }), { line: 1, column: 3 });
  assert.deepEqual(sourcePosition(map, { line: 2, column: 1 }), { line: 2, column: 1 });
});

Deno.test("EditedText keeps a source inside a replaced part for the text behind it", () => {
  const code = new EditedText("f(long, x)");
  code.replace(2, 6, "s");
  const map = decode(code.mappings(encode([[[0, 0, 0, 0], [3, 0, 7, 7]]])));
  assert.equal(code.toString(), "f(s, x)");
  assert.deepEqual(map, [[[0, 0, 0, 0], [3, 0, 7, 7]]]);
});

Deno.test("EditedText returns the same source map when nothing before the end changes", () => {
  const code = new EditedText("a");
  code.append("\nb");
  assert.equal(code.mappings("AAAA"), "AAAA");
});
