import assert from "node:assert/strict";
import { escapeControls, hasControls } from "../../runtime/safe_text.ts";

Deno.test("escapeControls escapes each control, bidirectional and invisible character", () => {
  const ranges: [first: number, last: number, what: string][] = [
    [0x00, 0x1f, "C0"],
    [0x7f, 0x9f, "DEL and C1"],
    [0xad, 0xad, "soft hyphen"],
    [0x034f, 0x034f, "combining grapheme joiner"],
    [0x061c, 0x061c, "Arabic letter mark"],
    [0x115f, 0x1160, "Hangul fillers"],
    [0x17b4, 0x17b5, "Khmer inherent vowels"],
    [0x180e, 0x180e, "Mongolian vowel separator"],
    [0x200b, 0x200b, "zero-width space"],
    [0x200e, 0x200f, "direction marks"],
    [0x2028, 0x202e, "separators, embeddings and overrides"],
    [0x2060, 0x206f, "word joiner, invisible operators, isolates, deprecated format characters"],
    [0x3164, 0x3164, "Hangul filler"],
    [0xd800, 0xdfff, "lone surrogates"],
    [0xfeff, 0xfeff, "byte order mark"],
    [0xffa0, 0xffa0, "halfwidth Hangul filler"],
    [0xfff9, 0xfffb, "interlinear annotations"],
    [0x1bca0, 0x1bca3, "shorthand format controls"],
    [0x1d173, 0x1d17a, "musical format controls"],
    [0xe0000, 0xe007f, "tags"],
  ];
  for (const [first, last, what] of ranges) {
    for (let code = first; code <= last; code++) {
      const character = String.fromCodePoint(code);
      const escaped = escapeControls(`a${character}b`);
      assert.match(escaped, /^a\\[nrtu{}0-9a-f]+b$/, `${what}: ${code.toString(16)}`);
      assert.equal(JSON.parse(`"${toJson(escaped)}"`), `a${character}b`, what);
      assert.equal(hasControls(character), true, what);
    }
  }
});

/** JSON escapes have at most four digits. */
function toJson(text: string): string {
  return text.replace(
    /\\u\{(\w+)\}/,
    (_, hex) =>
      String.fromCodePoint(parseInt(hex, 16)).split("")
        .map((half) => `\\u${half.charCodeAt(0).toString(16)}`).join(""),
  );
}

Deno.test("escapeControls uses short escapes, then four digits, then braces", () => {
  assert.equal(
    escapeControls("\n\r\t\x1b\u202e\u{e0041}"),
    String.raw`\n\r\t\u001b\u202e\u{e0041}`,
  );
});

Deno.test("escapeControls keeps ordinary text", () => {
  const texts = [
    "plain ASCII: ~!@#$%^&*()_+{}|:\"<>?`-=[]\\;',./",
    "na\u00efve caf\u00e9 e\u0301, no\u00a0break, wide\u3000space",
    "עברית ואנגלית together",
    "العربية والإنجليزية together",
    "می‌خواهم", // Persian, with a zero-width non-joiner.
    "क्‍ष", // Hindi, with a zero-width joiner.
    "日本語 葛\u{e0100}城", // with an ideographic variation selector.
    "😀 ❤️ 1️⃣ 👩🏽‍🚀 👨‍👩‍👧‍👦 🇺🇳",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿 🏴󠁧󠁢󠁳󠁣󠁴󠁿 🏴󠁧󠁢󠁷󠁬󠁳󠁿", // The flags of England, Scotland and Wales.
  ];
  for (const text of texts) {
    assert.equal(escapeControls(text), text);
    assert.equal(hasControls(text), false, text);
  }
});

Deno.test("escapeControls escapes tags that are not part of a Unicode flag", () => {
  const hidden = [..."rm"].map((letter) => String.fromCodePoint(0xe0000 + letter.charCodeAt(0)));
  assert.equal(
    escapeControls(`🏴${hidden.join("")}\u{e007f}`),
    String.raw`🏴\u{e0072}\u{e006d}\u{e007f}`,
  );
});

Deno.test("escapeControls keeps the given characters, and no others", () => {
  assert.equal(escapeControls("a\n\tb\rc\x1b", { keep: "\n\t" }), "a\n\tb\\rc\\u001b");
  assert.equal(escapeControls("\x1b\n", { write: (code) => `<${code}>` }), "<27>\\n");
});
