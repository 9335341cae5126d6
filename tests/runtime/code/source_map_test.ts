import assert from "node:assert/strict";
import fc from "npm:fast-check@^4.10.2";
import {
  editText,
  lineStarts,
  type Mappings,
  mappingsOf,
  positionAt,
  sourcePosition,
} from "../../../runtime/code/source_map.ts";

interface TextEdit {
  start: number;
  end: number;
  replacement: string;
}

/** The output of an edited text and its mappings, edited all at once and edit by edit. */
async function edit(text: string, edits: TextEdit[]): Promise<{ after: string; maps: Mappings[] }> {
  const code = await editText(text);
  for (const { start, end, replacement } of edits) code.update(start, end, replacement);
  const maps = [
    await mappingsOf(code),
    await mappingsOf(code, await mappingsOf(await editText(text))),
  ];
  return { after: code.toString(), maps };
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

Deno.test("text that is not replaced keeps its position in the source", () =>
  fc.assert(fc.asyncProperty(edited, async ({ text, edits }) => {
    const { after, maps } = await edit(text, edits);
    const starts = { before: lineStarts(text), after: lineStarts(after) };
    let shift = 0;
    let next = 0;
    for (const { index, 0: word } of text.matchAll(/word\d+/g)) {
      const edit = edits[next];
      const place = positionAt(starts.after, index + shift);
      for (const mappings of maps) {
        assert.deepEqual(sourcePosition(mappings, place), positionAt(starts.before, index));
      }
      if (edit?.start !== index) continue;
      shift += edit.replacement.length - word.length;
      next++;
    }
  })));

Deno.test("a replacement over several lines shifts the text after it", async () => {
  const { after, maps } = await edit("a import\n  .meta b\nc", [
    { start: 2, end: 16, replacement: "meta()\n" },
  ]);
  assert.equal(after, "a meta()\n b\nc");
  for (const mappings of maps) {
    assert.deepEqual(sourcePosition(mappings, { line: 2, column: 2 }), { line: 2, column: 9 });
    assert.deepEqual(sourcePosition(mappings, { line: 3, column: 1 }), { line: 3, column: 1 });
  }
});
