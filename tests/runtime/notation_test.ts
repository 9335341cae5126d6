import assert from "node:assert/strict";
import fc from "npm:fast-check@^4.10.2";
import { InvalidInputError } from "../../runtime/errors.ts";
import {
  type Datum,
  formatNotation,
  keyword,
  parseNotation,
  parseSymbols,
  symbol,
} from "../../runtime/notation.ts";
import { anyText } from "../any_text.ts";

Deno.test("parseNotation reads symbols, keywords, strings and nested lists", () => {
  assert.deepEqual(parseNotation('(httpd1 (httpd) (unix: "host" "/a b"))'), [
    [symbol("httpd1"), [symbol("httpd")], [keyword("unix"), "host", "/a b"]],
  ]);
  assert.deepEqual(parseNotation(""), []);
  assert.deepEqual(parseNotation(" a  |b c| |d e|: : "), [
    symbol("a"),
    symbol("b c"),
    keyword("d e"),
    symbol(":"),
  ]);
});

Deno.test("parseNotation reads escapes in strings", () => {
  assert.deepEqual(parseNotation(String.raw`"a\"\\\n\t\x41;\x1F600;"`), ['a"\\\n\tA\u{1F600}']);
});

Deno.test("formatNotation uses bars and escapes where they are needed", () => {
  assert.equal(formatNotation(symbol("a b")), "|a b|");
  assert.equal(formatNotation(symbol("")), "||");
  assert.equal(formatNotation(symbol("a:")), "|a:|");
  assert.equal(formatNotation(symbol("a|b")), String.raw`|a\|b|`);
  assert.equal(formatNotation(keyword("a b")), "|a b|:");
  assert.equal(formatNotation('a"b|\n\0'), String.raw`"a\"b|\n\x0;"`);
  assert.equal(formatNotation([symbol("@my/lib"), [], "x"]), '(@my/lib () "x")');
});

Deno.test("formatNotation escapes control and bidirectional characters, and parseNotation restores them", () => {
  const name = 'a\x1b\x7f\x9b\u202e\u2066\u200b\u2028\ud800 \u{e0041}\r\n\t\\|"';
  const escapes = String.raw`\x1b;\x7f;\x9b;\x202e;\x2066;\x200b;\x2028;\xd800; \xe0041;\r\n\t\\`;
  assert.equal(formatNotation(symbol(name)), String.raw`|a${escapes}\|"|`);
  assert.equal(formatNotation(name), String.raw`"a${escapes}|\""`);
  assert.deepEqual(parseNotation(formatNotation([symbol(name), name])), [[symbol(name), name]]);
});

Deno.test("an error names its position", () => {
  const cases: [string, RegExp][] = [
    ["(a (b)", /a "\(" without its "\)" at character 1$/],
    ["a)", /a "\)" that closes nothing at character 2$/],
    ['ab "c', /a string without its closing " at character 4$/],
    ["|c\\", /a name without its closing \| at character 1$/],
    [String.raw`"a\q"`, /an unknown escape "\\q" at character 3$/],
    [String.raw`"\x110000;"`, /an escape beyond Unicode at character 2$/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseNotation(text), (error) => {
      assert.ok(error instanceof InvalidInputError);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("parseNotation reads lists deeper than the call stack", () => {
  assert.throws(() => parseNotation("(".repeat(100_000)), InvalidInputError);
});

Deno.test("a list of symbols is read in both notations", () => {
  for (const text of ["(a b)", "a,b", "a b", "a, b", " ( a b ) "]) {
    assert.deepEqual(parseSymbols(text), ["a", "b"], text);
  }
  assert.deepEqual(parseSymbols("(a)"), ["a"]);
  assert.deepEqual(parseSymbols("()"), []);
  assert.deepEqual(parseSymbols(""), []);
});

Deno.test("only a flat list of symbols is accepted", () => {
  for (const text of ["(a (b))", '("a")', "a:", "(a) (b)", "(a"]) {
    assert.throws(() => parseSymbols(text), InvalidInputError, text);
  }
});

Deno.test("every value is read back as it was written", () => {
  const names = anyText({ maxLength: 8 });
  const data: fc.Arbitrary<Datum> = fc.letrec<{ datum: Datum }>((tie) => ({
    datum: fc.oneof(
      { maxDepth: 4 },
      names,
      names.map(symbol),
      names.map(keyword),
      fc.array(tie("datum"), { maxLength: 4 }),
    ),
  })).datum;
  fc.assert(fc.property(data, (datum) => {
    assert.deepEqual(parseNotation(formatNotation(datum)), [datum]);
  }));
});

Deno.test("a comment ends with its line", () => {
  assert.deepEqual(parseNotation('(a ";" b) ; (not read'), [[symbol("a"), ";", symbol("b")]]);
  assert.deepEqual(parseNotation("; first\na;b\n c"), [symbol("a"), symbol("c")]);
  assert.equal(formatNotation(symbol("a;b")), "|a;b|");
});
