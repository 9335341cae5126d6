import assert from "node:assert/strict";
import {
  BACKSPACE,
  CTRL,
  DOWN,
  ENTER,
  ESCAPE,
  HOME,
  LEFT,
  pasted,
  RIGHT,
  UP,
  withEditor,
} from "./edited_terminal.ts";

Deno.test("an input is shown as it is typed, and entered as a whole when it is complete", () =>
  withEditor({}, async (terminal) => {
    await terminal.shows("> |");
    terminal.type("function f() {");
    await terminal.shows("> function f() {|");
    terminal.type(ENTER);
    await terminal.shows("> function f() {", ". |");
    terminal.type("return 1", ENTER, "}");
    await terminal.shows("> function f() {", ". return 1", ". }|");
    terminal.type(ENTER);
    await terminal.enters("function f() {\nreturn 1\n}");
    await terminal.shows("> function f() {", ". return 1", ". }", "> |");
    terminal.type("a = 3.5e", ENTER);
    await terminal.enters("function f() {\nreturn 1\n}", "a = 3.5e");
  }));

Deno.test("the lines of an input can be edited before it is entered", () =>
  withEditor({}, async (terminal) => {
    terminal.type("f(", ENTER, "1,", ENTER, "22");
    await terminal.shows("> f(", ". 1,", ". 22|");
    terminal.type(UP, UP, HOME, "g.", UP, LEFT);
    await terminal.shows("> g|.f(", ". 1,", ". 22");
    terminal.type(CTRL.e!, RIGHT, RIGHT, BACKSPACE, "3");
    await terminal.shows("> g.f(", ". 3|,", ". 22");
    terminal.type("\x1b\r");
    await terminal.shows("> g.f(", ". 3", ". |,", ". 22");
    terminal.type(DOWN, CTRL.e!, ")", ENTER);
    await terminal.enters("g.f(\n3\n,\n22)");
  }));

Deno.test("Enter enters a complete input at any cursor position, and prints below it", () =>
  withEditor({}, async (terminal) => {
    terminal.type(pasted("[\n1\n]"), UP, HOME, ENTER);
    await terminal.enters("[\n1\n]");
    await terminal.shows("> [", ". 1", ". ]", "> |");
  }));

Deno.test("a paste is shown unchanged, and evaluated only after Enter", () =>
  withEditor({}, async (terminal) => {
    terminal.type("x = ", pasted("[\n  1,\n\t2]\ny\n  .z()\n"));
    await terminal.shows("> x = [", ".   1,", ".     2]", ". y", ".   .z()", ". |");
    assert.deepEqual(terminal.entered, []);
    terminal.type(ENTER);
    await terminal.enters("x = [\n  1,\n\t2]\ny\n  .z()\n");
  }));

Deno.test("control characters in a paste have no effect, and are shown as escapes", () =>
  withEditor({ complete: () => assert.fail("it completes") }, async (terminal) => {
    terminal.type(pasted("a\tb\x03\x04\x1b[2J\x1b[A\x07\x12\x7f\u202e\x9b"), "c");
    await terminal.shows(
      "> a   b\\u0003\\u0004\\u001b[2J\\u001b[A\\u00",
      "07\\u0012\\u007f\\u202e\\u009bc|",
    );
    terminal.type(ENTER);
    await terminal.enters("a\tb\x03\x04\x1b[2J\x1b[A\x07\x12\x7f\u202e\x9bc");
  }));

Deno.test("a paste can arrive in pieces, split anywhere", () =>
  withEditor({}, async (terminal) => {
    for (const character of pasted("[\n1\x1b[\n2]")) terminal.type(character);
    terminal.type("!");
    await terminal.shows("> [", ". 1\\u001b[", ". 2]!|");
  }));

Deno.test("Ctrl-C drops a paste, even one without an end", () =>
  withEditor({}, async (terminal) => {
    terminal.type(pasted("a\nb"), CTRL.c!);
    await terminal.shows("> a", ". b", "> |");
    terminal.type("\x1b[200~never\rends", "typed", CTRL.c!);
    terminal.type("c", ENTER);
    await terminal.enters("c");
  }));

Deno.test("a paste of 100 KB is inserted at once, and its visible part shown", () =>
  withEditor({ columns: 20, rows: 4 }, async (terminal) => {
    const lines = Array.from({ length: 5000 }, (_, line) => `v${line} = ${line};`);
    terminal.type(pasted(lines.join("\n")));
    await terminal.shows(
      ". v4996 = 4996;",
      ". v4997 = 4997;",
      ". v4998 = 4998;",
      ". v4999 = 4999;|",
    );
    terminal.type("//", ...Array.from({ length: 5000 }, () => UP), HOME, "x");
    await terminal.shows("> x|v0 = 0;", ". v1 = 1;", ". v2 = 2;", ". v3 = 3;");
    terminal.type(ENTER);
    await terminal.enters(`x${lines.join("\n")}//`);
    await terminal.shows(". v4997 = 4997;", ". v4998 = 4998;", ". v4999 = 4999;//", "> |");
  }));

Deno.test("a long line wraps, and the cursor stays at its text", () =>
  withEditor({ columns: 20, rows: 6 }, async (terminal) => {
    terminal.type("x".repeat(17));
    await terminal.shows(`> ${"x".repeat(17)}|`);
    terminal.type("y");
    await terminal.shows(`> ${"x".repeat(17)}y`, "|");
    terminal.type("z");
    await terminal.shows(`> ${"x".repeat(17)}y`, "z|");
    terminal.type(LEFT);
    await terminal.shows(`> ${"x".repeat(17)}y`, "|z");
    terminal.type(LEFT);
    await terminal.shows(`> ${"x".repeat(17)}|y`, "z");
    terminal.type(CTRL.a!, "1");
    await terminal.shows(`> 1|${"x".repeat(17)}`, "yz");
    terminal.type(ENTER);
    await terminal.shows(`> 1${"x".repeat(17)}`, "yz", "> |");
  }));

Deno.test("a line that exactly fills a row leaves no empty row below", () =>
  withEditor({ columns: 20, rows: 6 }, async (terminal) => {
    terminal.type("x".repeat(18), ENTER);
    await terminal.shows(`> ${"x".repeat(18)}`, "> |");
    terminal.type("y".repeat(18), LEFT, ENTER);
    await terminal.shows(`> ${"x".repeat(18)}`, `> ${"y".repeat(18)}`, "> |");
  }));

Deno.test("the cursor moves over wide and combining characters as one, and deletes them as one", () =>
  withEditor({ columns: 20, rows: 6 }, async (terminal) => {
    terminal.type("'日本語e\u0301'");
    await terminal.shows("> '日本語e\u0301'|");
    terminal.type(LEFT, LEFT);
    await terminal.shows("> '日本語|e\u0301'");
    terminal.type(LEFT, BACKSPACE);
    await terminal.shows("> '日|語e\u0301'");
    terminal.type(CTRL.e!, LEFT, BACKSPACE, "x".repeat(8), "本");
    await terminal.shows("> '日語xxxxxxxx本|'");
    // The next character does not fit in the last column of the row.
    terminal.type("本");
    await terminal.shows("> '日語xxxxxxxx本本|'");
    terminal.type("本");
    await terminal.shows("> '日語xxxxxxxx本本", "本|'");
    terminal.type(ENTER);
    await terminal.enters("'日語xxxxxxxx本本本'");
  }));

Deno.test("output is printed above the input", () =>
  withEditor({ columns: 20, rows: 6 }, async (terminal) => {
    terminal.type("[", ENTER, "1", LEFT);
    await terminal.shows("> [", ". |1");
    terminal.editor.print("one\ntwo");
    await terminal.shows("one", "two", "> [", ". |1");
  }));

Deno.test("the input is redrawn when the terminal is resized", () =>
  withEditor({ columns: 40, rows: 6 }, async (terminal) => {
    terminal.type("x".repeat(30));
    await terminal.shows(`> ${"x".repeat(30)}|`);
    terminal.resize(20, 6);
    await terminal.shows(`> ${"x".repeat(18)}`, `${"x".repeat(12)}|`);
  }));

Deno.test("the arrow keys go through whole inputs, and back to the typed one", () =>
  withEditor({}, async (terminal) => {
    terminal.history.push("first", "f(\n1)", "other");
    terminal.type("typed", CTRL.a!, UP);
    await terminal.shows("> other|");
    terminal.type(UP);
    await terminal.shows("> f(", ". 1)|");
    terminal.type(UP);
    await terminal.shows("> f(|", ". 1)");
    terminal.type(UP);
    await terminal.shows("> first|");
    terminal.type(UP, DOWN);
    await terminal.shows("> f(", ". 1)|");
    terminal.type(DOWN, DOWN, DOWN);
    await terminal.shows("> |typed");
  }));

Deno.test("the up arrow goes to inputs that begin with the typed text, and changes none of them", () =>
  withEditor({}, async (terminal) => {
    terminal.history.push("let a", "const b", "let c", "let c");
    terminal.type("let", UP);
    await terminal.shows("> let c|");
    terminal.type(UP);
    await terminal.shows("> let a|");
    terminal.type("!", ENTER);
    await terminal.enters("let a!");
    assert.deepEqual(terminal.history.slice(0, 4), ["let a", "const b", "let c", "let c"]);
  }));

Deno.test("Ctrl-R searches backwards while the query is typed", () =>
  withEditor({}, async (terminal) => {
    terminal.history.push("const Foo = 1", "f(\nbar)", "const baz = 2", "日本語", "last");
    terminal.type("typed", CTRL.r!);
    await terminal.shows("(reverse-i-search)`': typed|");
    terminal.type("ba");
    await terminal.shows("(reverse-i-search)`ba': const |baz = 2");
    terminal.type(CTRL.r!);
    await terminal.shows("(reverse-i-search)`ba': f(", ". |bar)");
    terminal.type(CTRL.s!);
    await terminal.shows("(i-search)`ba': const |baz = 2");
    terminal.type(CTRL.r!, CTRL.r!);
    await terminal.shows("(failed reverse-i-search)`ba': f(", ". |bar)");
    terminal.type(BACKSPACE, BACKSPACE, "本");
    await terminal.shows("(reverse-i-search)`本': 日|本語");
    terminal.type(CTRL.g!);
    await terminal.shows("> typed|");
    terminal.type(CTRL.r!, "foo", RIGHT, "_");
    await terminal.shows("> const F_|oo = 1");
    assert.deepEqual(terminal.entered, []);
  }));

Deno.test("Ctrl-R pressed twice repeats the last search; Enter enters, Escape edits", () =>
  withEditor({}, async (terminal) => {
    terminal.history.push("a1", "b1", "a2");
    terminal.type(CTRL.r!, "a", ENTER);
    await terminal.enters("a2");
    terminal.type(CTRL.r!, CTRL.r!, CTRL.r!);
    await terminal.shows("> a2", "(reverse-i-search)`a': |a1");
    terminal.type(ESCAPE);
    await terminal.shows("> a2", "> |a1");
    terminal.type("x", ENTER);
    await terminal.enters("a2", "xa1");
    terminal.type(CTRL.r!, "nosuch", CTRL.c!, "y", ENTER);
    await terminal.enters("a2", "xa1", "y");
    // A query with a capital letter is case-sensitive.
    terminal.type(CTRL.r!, "A");
    await terminal.shows("> a2", "> xa1", "> y", "(failed reverse-i-search)`A': |");
  }));

Deno.test("a search fits in a narrow terminal", () =>
  withEditor({ columns: 20, rows: 6 }, async (terminal) => {
    terminal.history.push("日本語 = '日本語'");
    terminal.type(CTRL.r!, "=");
    await terminal.shows("(reverse-i-search)`=", "': 日本語 |= '日本語'");
    terminal.type(ENTER);
    await terminal.shows("> 日本語 = '日本語'", "> |");
  }));

Deno.test("Tab completes, and lists the candidates when pressed again", () =>
  withEditor({
    columns: 20,
    complete: (text) =>
      Promise.resolve([["alpha", "alpine", "日本"].filter((word) => word.startsWith(text)), text]),
  }, async (terminal) => {
    terminal.type("al", "\t");
    await terminal.shows("> alp|");
    terminal.type("\t");
    await terminal.shows("> alp", "alpha   alpine", "> alp|");
    terminal.type("i", "\t");
    await terminal.shows("> alp", "alpha   alpine", "> alpine|");
    terminal.type("(", ENTER, "\t");
    await terminal.shows("> alp", "alpha   alpine", "> alpine(", ".   |");
  }));

Deno.test("Ctrl-C cancels a pending completion", async () => {
  const asked = Promise.withResolvers<void>();
  await withEditor({
    complete: () => {
      asked.resolve();
      return new Promise<never>(() => {});
    },
  }, async (terminal) => {
    terminal.type("a\t");
    await asked.promise;
    terminal.type(CTRL.c!, "b", ENTER);
    await terminal.enters("ab");
  });
});

Deno.test("Tab indents within an input, and completes after a name", () =>
  withEditor({ complete: (text) => Promise.resolve([["name"], text]) }, async (terminal) => {
    terminal.type("[\r\t\t1]\r");
    await terminal.enters("[\n\t\t1]");
    terminal.type("na\t()\r");
    await terminal.enters("[\n\t\t1]", "name()");
    terminal.type("na\t\t\r");
    await terminal.enters("[\n\t\t1]", "name()", "name");
  }));

Deno.test("Ctrl-C drops the input, and says how to leave if it is empty; Ctrl-D leaves", () =>
  withEditor({}, async (terminal) => {
    terminal.type("[", ENTER, "1", CTRL.c!);
    await terminal.shows("> [", ". 1", "> |");
    terminal.type(CTRL.c!);
    await terminal.shows("> [", ". 1", "> ", "to leave, press Ctrl-D or type ,q", "> |");
    terminal.type("ab", CTRL.a!, CTRL.d!);
    await terminal.shows("> [", ". 1", "> ", "to leave, press Ctrl-D or type ,q", "> |b");
    terminal.type(CTRL.d!, CTRL.d!);
    await terminal.leaves();
    assert.deepEqual(terminal.entered, []);
  }));

Deno.test("text typed ahead becomes the next input, and Ctrl-C drops it", async () => {
  const { EditedTerminal } = await import("./edited_terminal.ts");
  using terminal = new EditedTerminal();
  terminal.type("dropped\r", CTRL.c!);
  assert.equal(terminal.interrupts, 1);
  terminal.type("kept\r", "more");
  const running = terminal.run();
  await terminal.enters("kept");
  await terminal.shows("> kept", "> more|");
  terminal.editor.end();
  await running;
});

Deno.test("Ctrl-L clears the screen and keeps the input", () =>
  withEditor({}, async (terminal) => {
    terminal.type("a", ENTER, "[", ENTER, "b", CTRL.l!);
    await terminal.shows("> [", ". b|");
  }));
