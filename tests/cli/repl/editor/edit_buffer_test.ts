import assert from "node:assert/strict";
import { EditBuffer } from "../../../../cli/repl/editor/edit_buffer.ts";

/** The text after changes, with the cursor shown as `|` before and after. */
function after(text: string, ...changes: ((buffer: EditBuffer) => void)[]): string {
  const buffer = new EditBuffer();
  buffer.reset({ text: text.replace("|", ""), cursor: text.indexOf("|") });
  for (const change of changes) change(buffer);
  return `${buffer.text.slice(0, buffer.cursor)}|${buffer.text.slice(buffer.cursor)}`;
}

Deno.test("EditBuffer moves by characters, words and lines", () => {
  const family = "👨‍👩‍👧";
  const cases: [before: string, move: (buffer: EditBuffer) => void, after: string][] = [
    [`a${family}|`, (b) => b.left(), `a|${family}`],
    [`|e\u0301a`, (b) => b.right(), `e\u0301|a`],
    ["|", (b) => b.left(), "|"],
    ["a|", (b) => b.right(), "a|"],
    ["a\n|", (b) => b.left(), "a|\n"],
    ["foo.bar($x|", (b) => b.wordLeft(), "foo.bar(|$x"],
    ["foo.bar(|$x", (b) => b.wordLeft(), "foo.|bar($x"],
    ["grün ist|", (b) => b.wordLeft(), "grün |ist"],
    ["|  foo.bar", (b) => b.wordRight(), "  foo|.bar"],
    ["a\nbc|\nd", (b) => b.lineStart(), "a\n|bc\nd"],
    ["a\n|bc\nd", (b) => b.lineEnd(), "a\nbc|\nd"],
    ["|\na", (b) => b.lineStart(), "|\na"],
    ["a\nb|", (b) => b.goTo("start"), "|a\nb"],
    ["|a\nb", (b) => b.goTo("end"), "a\nb|"],
    ["abc\nde|f", (b) => b.up(), "ab|c\ndef"],
    ["日本\nabc|", (b) => b.up(), "日本|\nabc"],
    ["a|\n日本", (b) => b.down(), "a\n日|本"],
  ];
  for (const [before, move, expected] of cases) assert.equal(after(before, move), expected, before);
});

Deno.test("EditBuffer returns to its column after a shorter line, until the cursor moves sideways", () => {
  const down = (buffer: EditBuffer) => void buffer.down();
  assert.equal(after("abcd|\ne\nfghij", down), "abcd\ne|\nfghij");
  assert.equal(after("abcd|\ne\nfghij", down, down), "abcd\ne\nfghi|j");
  assert.equal(after("abcd|\ne\nfghij", down, (b) => b.left(), down), "abcd\ne\n|fghij");
  const buffer = new EditBuffer();
  buffer.reset({ text: "a\nb", cursor: 1 });
  assert.deepEqual([buffer.up(), buffer.down(), buffer.down()], [false, true, false]);
});

Deno.test("EditBuffer deletes text, and inserts the deleted text", () => {
  const cases: [before: string, changes: ((buffer: EditBuffer) => void)[], after: string][] = [
    ["ae\u0301|b", [(b) => b.deleteLeft()], "a|b"],
    ["a|日b", [(b) => b.deleteRight()], "a|b"],
    ["a\n|b", [(b) => b.deleteLeft()], "a|b"],
    ["foo.bar  |", [(b) => b.killWordLeft()], "foo.|"],
    ["foo.|", [(b) => b.killWordLeft()], "foo|"],
    ["|  foo.bar", [(b) => b.killWordRight()], "|.bar"],
    ["a\nbc|d\ne", [(b) => b.killToLineStart()], "a\n|d\ne"],
    ["a\nb|cd\ne", [(b) => b.killToLineEnd()], "a\nb|\ne"],
    ["a|\nb", [(b) => b.killToLineEnd()], "a|b"],
    ["one two|", [(b) => b.killWordLeft(), (b) => b.killWordLeft(), (b) => b.yank()], "one two|"],
    [
      "one two|",
      [(b) => b.killWordLeft(), (b) => b.left(), (b) => b.killWordLeft(), (b) => b.yank()],
      "one| ",
    ],
    [
      "one two|",
      [
        (b) => b.killWordLeft(),
        (b) => b.left(),
        (b) => b.killWordLeft(),
        (b) => b.yank(),
        (b) => b.yankEarlier(),
      ],
      "two| ",
    ],
  ];
  for (const [before, changes, expected] of cases) {
    assert.equal(after(before, ...changes), expected, before);
  }
});

Deno.test("EditBuffer undoes and redoes changes, and treats typed words as one change", () => {
  const buffer = new EditBuffer();
  const type = (text: string) => [...text].forEach((c) => buffer.insert(c, { isTyped: true }));
  type("one two");
  buffer.insert("\npasted\n");
  buffer.killToLineStart();
  buffer.left();
  buffer.killWordLeft();
  const states = [];
  for (let count = 0; count < 5; count++) {
    states.push(buffer.text);
    buffer.undo();
  }
  assert.deepEqual(states, ["one two\n\n", "one two\npasted\n", "one two", "one", ""]);
  buffer.redo();
  buffer.redo();
  assert.equal(buffer.text, "one two");
  buffer.insert("!");
  buffer.redo();
  assert.equal(buffer.text, "one two!");
});
