import assert from "node:assert/strict";
import fc from "npm:fast-check@^4.10.2";
import { completeBashWord, splitBashLine } from "../../../cli/completion/typed_line.ts";
import { testWith } from "../../requirements.ts";

const LINES: [line: string, words: string[], raw: string, value: string][] = [
  ["gxensemble ping ht", ["gxensemble", "ping"], "ht", "ht"],
  ["gxensemble ping ", ["gxensemble", "ping"], "", ""],
  ["  gxensemble\tping   ", ["gxensemble", "ping"], "", ""],
  ["gxensemble --log=DE", ["gxensemble"], "--log=DE", "--log=DE"],
  [`g 'a b' "c d" e\\ f g`, ["g", "a b", "c d", "e f"], "g", "g"],
  [`g "a b`, ["g"], `"a b`, "a b"],
  [`g 'a\\`, ["g"], `'a\\`, "a\\"],
  [`g "a\\`, ["g"], `"a\\`, "a"],
  [`g a\\`, ["g"], `a\\`, "a"],
  [`g x"y z"'w'v`, ["g"], `x"y z"'w'v`, "xy zwv"],
  [`g "a\\"b\\\\c\\d\\$e"f`, ["g"], `"a\\"b\\\\c\\d\\$e"f`, 'a"b\\c\\d$ef'],
  [`g $'it\\'s' `, ["g", "it's"], "", ""],
  [`g '' ""  x`, ["g", "", ""], "x", "x"],
  ["cd x; g ping", ["g"], "ping", "ping"],
  ["a | g ping", ["g"], "ping", "ping"],
  ["a && g ping", ["g"], "ping", "ping"],
  ["g 2>&1 ping", ["g"], "ping", "ping"],
  ["g >out 2>err <in ping ", ["g", "ping"], "", ""],
  ["g &>> out ping ", ["g", "ping"], "", ""],
  ["g <<< text ping ", ["g", "ping"], "", ""],
  ["g a2>x b", ["g", "a2"], "b", "b"],
  ["g $(a b) `c d` <(e f) x", ["g", "$(a b)", "`c d`", "<(e f)"], "x", "x"],
  ["g $(a $(b) c", ["g"], "$(a $(b) c", "$(a $(b) c"],
  ["g $HOME ~/x *", ["g", "$HOME", "~/x"], "*", "*"],
];

for (const [line, words, raw, value] of LINES) {
  Deno.test(`splitBashLine splits a line as bash does: ${line}`, () => {
    const { current, ...split } = splitBashLine(line);
    assert.deepEqual(split, { words, isRedirection: false });
    assert.deepEqual({ raw: current.raw, value: current.value }, { raw, value });
  });
}

Deno.test("the file of a redirection is not a word of the command", () => {
  for (const line of ["g >", "g > ", "g > fi", "g 2>>fi", "g < fi", "g &> fi"]) {
    assert.equal(splitBashLine(line).isRedirection, true, line);
  }
});

/** Any text that can be typed. */
const typable = fc.string({ unit: fc.constantFrom(..." ab'\"\\$`!*?~#;|&<>()[]{}=:,é-") });

testWith(["bash"], {
  name: "completion quotes words so that bash reads what was meant",
  async fn() {
    const words: string[] = [];
    const expected: string[] = [];
    /**
     * The line after readline has inserted a word. It closes a quote, unless the word has a mark
     * for it.
     */
    const type = (typed: string, value: string) => {
      const { current } = splitBashLine(`g ${typed}`);
      const word = typed + completeBashWord(current, "", value);
      const mark = current.open.at(-1) ?? "";
      words.push((word.endsWith(mark) ? word : word + mark) || "''");
      expected.push(value);
    };
    for (const [start, rest] of fc.sample(fc.tuple(typable, typable), 1000)) {
      type(completeBashWord(splitBashLine("g ").current, "", start)!, start + rest);
      for (const quote of ["'", '"', "$'"]) if (rest !== "") type(quote, rest);
    }
    const script = `printf '%s\\0' ${words.join(" ")}`;
    const child = new Deno.Command("bash", { stdin: "piped", stdout: "piped" }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(script));
    await writer.close();
    const { stdout } = await child.output();
    assert.deepEqual(new TextDecoder().decode(stdout).split("\0").slice(0, -1), expected);
  },
});

Deno.test("completion replaces only what follows the last word-breaking character", () => {
  const complete = (typed: string, replaced: string, value: string) =>
    completeBashWord(splitBashLine(`g ${typed}`).current, replaced, value);
  assert.equal(complete("--log=DE", "DE", "--log=DEBUG"), "DEBUG");
  assert.equal(complete("--log=", "", "--log=DEBUG"), "DEBUG");
  assert.equal(complete("a:b", "b", "a:b c"), "b\\ c");
  assert.equal(complete(`"a:b`, "a:b", `a:b "c"`), `a:b \\"c\\""`);
  assert.equal(complete("DE", "x", "DEBUG"), undefined, "replaces something else");
  assert.equal(complete("WA", "WA", "DEBUG"), undefined, "begins otherwise");
});

Deno.test("completion quotes a ! so that bash does not search its history", () => {
  const complete = (typed: string) =>
    completeBashWord(splitBashLine(`g ${typed}`).current, "", "a!b");
  assert.equal(complete(""), "a\\!b");
  assert.equal(complete("'"), "a!b");
  assert.equal(complete('"'), `a"'!'"b`);
});
