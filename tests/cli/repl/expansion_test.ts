import assert from "node:assert/strict";
import { TypedSession } from "./typed_session.ts";

/** Types each list of inputs into its own session, and compares the output of the last one. */
function conversations(cases: Record<string, [inputs: string[], output: string][]>): void {
  for (const [name, talks] of Object.entries(cases)) {
    Deno.test(name, async () => {
      for (const [inputs, output] of talks) {
        assert.equal(await new TypedSession().typeAll(...inputs), output, inputs.join("\n"));
      }
    });
  }
}

const NOT_INITIALISED = "Uncaught ReferenceError: Cannot access 'a' before initialization";
const CONSTANT = "Uncaught TypeError: Assignment to constant variable.";

conversations({
  "eval is called as it stands, and sees the names around it": [
    [["((local) => eval('local + 1'))(6)"], "7"],
    [["{ const local = 7; eval('local') }"], "7"],
    [["const top = 8", "eval('top')"], "8"],
    [["(0, eval)('typeof local')"], '"undefined"'],
  ],
  "types come off": [
    [["const n: Map<string, number> = new Map([['a', 1]])", "n"], 'Map(1) { "a" => 1 }'],
    [["const id = <T,>(v: T): T => v; id<number>(3) as number"], "3"],
    [["interface I { a: number }"], ""],
    [["enum Color { Red, Green }", "Color.Green"], "1"],
    [["let late!: number; late = 1; late satisfies number"], "1"],
  ],
  "declarations stay, and can be made again": [
    [["const a = 1", "a"], "1"],
    [["const a = 1", "const a = 2", "let a = 3", "a"], "3"],
    [["let a = 1, b", "a++; [a, b]"], "[ 2, undefined ]"],
    [["let a = 1", "let a", "a"], ""],
    [["var a = 1", "var a", "a"], "1"],
    [["export const a = 1", "a"], "1"],
    [["class A { #p = 1; get p() { return this.#p } }", "new A().p"], "1"],
    [["class A {}", "class B extends A {}", "new B() instanceof A"], "true"],
    [
      ["if (true) { var a = 1 }", "for (var b = 0, c; b < 3; b++);", "[a, b, c]"],
      "[ 1, 3, undefined ]",
    ],
    [["for (var async of [7]);", "for (var { k } of [{ k: 8 }]);", "[async, k]"], "[ 7, 8 ]"],
    [
      ["for (var a in { x: 1 }) ;", "if (0) var b = 1; else var c = 2", "[a, b, c]"],
      '[ "x", undefined, 2 ]',
    ],
  ],
  "destructuring declares, with defaults, rest and nesting": [
    [
      ["const { a, b: { c = 3 } = {}, ...rest } = { a: 1, d: 4 }", "[a, c, rest]"],
      "[ 1, 3, { d: 4 } ]",
    ],
    [["let [x, , [y] = [2], ...z] = [1, 0, undefined, 5]", "[x, y, z]"], "[ 1, 2, [ 5 ] ]"],
    [["let x = 1, y = 2", "[x, y] = [y, x]; ({ x: y } = { x: 9 }); [x, y]"], "[ 2, 9 ]"],
  ],
  "names keep what functions and classes are called": [
    [["const f = () => {}, g = class {}; [f, g]"], "[ [Function: f], [class g] ]"],
    [
      ["function f() {}", "async function* g() {}", "[f, g]"],
      "[ [Function: f], [AsyncGeneratorFunction: g] ]",
    ],
    [["let { h = () => {} } = {}", "h"], "[Function: h]"],
  ],
  "a constant cannot be assigned to": [
    [["const a = 1", "a = 2"], `${CONSTANT}\n    at repl:2:1:3`],
    [["const a = 1; try { a++ } catch (e) { e.message }"], '"Assignment to constant variable."'],
    [["import { basename } from 'node:path'", "basename = 1"], `${CONSTANT}\n    at repl:2:1:10`],
  ],
  "what is not initialised cannot be read": [
    [["a; let a = 1"], `${NOT_INITIALISED}\n    at repl:1:1:1`],
    [["let b = a; const a = 1"], `${NOT_INITIALISED}\n    at repl:1:1:1`],
    [["new a(); class a {}"], `${NOT_INITIALISED}\n    at repl:1:1:1`],
  ],
  "a declaration that fails leaves the names as they were": [
    [["const a = 1", "const a = nosuch", "a"], "1"],
    [["let a = nosuch", "a"], "Uncaught ReferenceError: a is not defined\n    at repl:2:1:1"],
    [["let a = 2, b = nosuch", "a"], "2"],
  ],
  "functions can be called before they are declared, and see what is declared later": [
    [["f(1); function f(n) { return n && [n, f(n - 1)] }"], "[ 1, 0 ]"],
    [["const n = f(); function f() { return 1 }\nfunction g() { return f() + 1 }", "g()"], "2"],
    [["function f() { return g() }", "function g() { return 1 }", "f()"], "1"],
    [["const g = () => 1; const f = () => g()", "const g = () => 2", "f()"], "2"],
    [[
      "function f(n) { return n ? f(0) : 'old' }; const old = f",
      "function f() { return 'new' }",
      "old(1)",
    ], '"new"'],
    [["let a = 1; class C { get() { return a } }; const c = new C()", "let a = 2", "c.get()"], "2"],
  ],
  "inner names hide the session's": [
    [["let a = 1", "((a) => { a++; return { a } })(5)"], "{ a: 6 }"],
    [["let a = 1", "{ let a = 2; a++ }\na"], "1"],
    [["let a = 1", "try { throw 2 } catch (a) { a = 3 }\na"], "1"],
    [["let a = 1", "for (const a of [2]);\nfor (let a = 3; a < 4; a++);\na"], "1"],
    [["let a = 1", "(function a() { return typeof a })()"], '"function"'],
    [["let a = 1", "const o = { a, f() { return a } }; [o.a, o.f()]"], "[ 1, 1 ]"],
  ],
  "this is what it is in a module's functions": [
    [["function f() { return this }", "f()"], ""],
    [["const tag = function () { return this }", "tag`x`"], ""],
    [["const later = setTimeout; clearTimeout(later(() => {}, 0))"], ""],
    [["const o = { f() { return this === o } }; o.f()"], "true"],
  ],
  "what is not declared is no variable": [
    [["typeof nosuch"], '"undefined"'],
    [["nosuch = 1"], "Uncaught ReferenceError: nosuch is not defined\n    at repl:1:1:8"],
    [["nosuch()"], "Uncaught ReferenceError: nosuch is not defined\n    at repl:1:1:1"],
    [["let n = 1; n()"], "Uncaught TypeError: n is not a function\n    at repl:1:1:13"],
  ],
  "the last expression is the result": [
    [["1; 2;;"], "2"],
    [["{ a: 1 }"], "{ a: 1 }"],
    [["{}"], "{}"],
    [["let a = 1", "{ a }"], "{ a: 1 }"],
    [["{ let a = 1; a + 1 }"], "2"],
    [["{ a: 1 };"], "1"],
    [["'use strict'"], '"use strict"'],
    [["1 // one"], "1"],
    [["/a+/.test('caat')"], "true"],
    [["undefined"], ""],
    [["3; function f() {}"], "3"],
    [["if (1) 'yes'; else 'no'"], '"yes"'],
    [["try { nosuch } catch { 'caught' } finally { 1 }"], '"caught"'],
    [["switch (2) { case 1: 'one'; break; case 2: 'two'; break }"], '"two"'],
    [["for (const a of [1, 2]) a * 2"], "4"],
    [["outer: for (;;) { for (;;) { break outer } }"], ""],
    [["Promise.resolve(1)"], "Promise { 1 }"],
  ],
  "_ is the last result, and _error the last error": [
    [["20", "_ + 1", "_ * 2"], "42"],
    [["throw new RangeError('far')", "_error.message"], '"far"'],
    [["const _ = 'mine'", "1", "_"], '"mine"'],
    [["_ = 'mine'", "1", "_"], '"mine"'],
  ],
  "lines without semicolons stay apart": [
    [["let f = () => 2\nconst a = f\nf(1)"], "2"],
    [
      ["let f = (x) => x\nlet a = 1\nfunction g() {\n  a\n  f(2)\n  let b = f\n  f(3)\n  return [a, b]\n}\ng()[0]"],
      "1",
    ],
    [["let a = 1\nlet f = () => a\na\nvar b = a\n;[b]"], "[ 1 ]"],
  ],
  "await is that of a module": [
    [["await new Promise((r) => setTimeout(r, 0, 'late'))"], '"late"'],
    [["const a = await Promise.resolve(5)", "a"], "5"],
    [["for await (const v of (async function* () { yield 1; yield 2 })()) v"], "2"],
    [["async function f() { return await 1 }", "await f() + await f()"], "2"],
    [["await Promise.reject(new Error('no'))"], "Uncaught Error: no\n    at repl:1:1:22"],
  ],
  "an input that goes on": [
    ...[
      "function f() {",
      "[1,",
      "`a",
      "`a${",
      "/* a",
      "const a =",
      "{ a: 1, b:",
      "{",
      "a.",
      "type A = {",
      "x ? y",
    ]
      .map((input): [string[], string] => [[input], "..."]),
  ],
  "errors of syntax are at the line and column typed": [
    [
      ["const a = ;"],
      "Uncaught SyntaxError: Expression expected (1:11)\n  const a = ;\n            ^",
    ],
    [
      ["let a: number = 1\nlet a = 2"],
      "Uncaught SyntaxError: Identifier 'a' has already been declared (2:5)\n  let a = 2\n      ^",
    ],
    [["1)"], "Uncaught SyntaxError: Expected ';', '}' or <eof> (1:2)\n  1)\n   ^"],
    [
      ["{ a: 1, b: }"],
      "Uncaught SyntaxError: Expression expected (1:12)\n  { a: 1, b: }\n             ^",
    ],
    [
      ["import.meta.url"],
      "Uncaught SyntaxError: only modules have import.meta (1:1)\n  import.meta.url\n  ^",
    ],
    [
      ["export default 1"],
      "Uncaught SyntaxError: an input cannot export anything but a declaration (1:1)\n  export default 1\n  ^",
    ],
  ],
  "errors of evaluation are at the line and column typed": [
    [
      ["function boom(x: number): void {\n  null.foo\n}", "  boom(1)"],
      "Uncaught TypeError: Cannot read properties of null (reading 'foo')\n    at boom (repl:1:2:8)\n    at repl:2:1:7",
    ],
    [
      ["enum E { A }\nnull.foo"],
      "Uncaught TypeError: Cannot read properties of null (reading 'foo')\n    at repl:1:2:6",
    ],
    [
      ["[1].map((v) => { throw new Error(`no ${v}`) })"],
      "Uncaught Error: no 1\n    at repl:1:1:24\n    at Array.map (<anonymous>)\n    at repl:1:1:5",
    ],
    [
      ["throw new Error('outer', { cause: new TypeError('inner') })"],
      "Uncaught Error: outer\n    at repl:1:1:7\nCaused by: TypeError: inner\n    at repl:1:1:35",
    ],
    [["throw 42"], "Uncaught 42"],
  ],
});

Deno.test("imports are bound to loaded modules, and stay live", async () => {
  const session = new TypedSession();
  session.modules["counter.ts"] = { default: "it", count: 1, "odd name": 2 };
  await session.type("import it, { count, count as n, 'odd name' as odd } from 'counter.ts'");
  await session.type("import * as counter from 'counter.ts'");
  assert.equal(await session.type("[it, count, n, odd, counter.count]"), '[ "it", 1, 1, 2, 1 ]');
  session.modules["counter.ts"].count = 5;
  assert.equal(await session.type("count + counter.count"), "10");
  session.modules["counter.ts"] = { count: 7 };
  assert.equal(await session.type("count"), "7");
  assert.equal(await session.type("(await import('counter.ts')).count"), "7");
  assert.equal(await session.type("const id = 'counter.ts'; (await import(id)).count"), "7");
  assert.equal(await session.type("const count = 8; count"), "8");
});

Deno.test("a missing module or export is named", async () => {
  const session = new TypedSession();
  session.modules["a.ts"] = { a: 1 };
  assert.match(
    await session.type("import { a, B } from 'a.ts'"),
    /^Uncaught SyntaxError: .*'a\.ts' does not provide an export named 'B' \(if it is a type,/,
  );
  assert.match(await session.type("a"), /a is not defined/);
  assert.match(
    await session.type("import './nosuch.ts'"),
    /has not loaded \.\/nosuch\.ts: load it with ,\(load \.\/nosuch\.ts\)/,
  );
});

Deno.test("the server imports library modules", async () => {
  const session = new TypedSession();
  assert.equal(
    await session.typeAll("import { basename } from 'node:path'", "basename('/a/b')"),
    '"b"',
  );
  const url = `data:application/json,{"a":1}`;
  assert.equal(
    await session.typeAll(`import data from ${JSON.stringify(url)} with { type: "json" }`, "data"),
    "{ a: 1 }",
  );
  assert.equal(
    await session.type(
      `(await import(${JSON.stringify(url)}, { with: { type: "json" } })).default.a`,
    ),
    "1",
  );
});

Deno.test("an input can use the names that the expansion uses", async () => {
  const session = new TypedSession();
  assert.equal(
    await session.typeAll("let $result = 1, $import = 2", "[$result, $import]"),
    "[ 1, 2 ]",
  );
});
