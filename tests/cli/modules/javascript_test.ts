import assert from "node:assert/strict";
import { toJavaScript } from "../../../cli/modules/javascript.ts";
import { findImports } from "../../../cli/modules/syntax.ts";

async function compiled(source: string, verbatimModuleSyntax = false): Promise<string> {
  const options = { compilerOptions: { verbatimModuleSyntax }, module: "a.ts" };
  return (await toJavaScript(source, "/a.ts", options)).text;
}

/** The specifiers that the JavaScript of a source imports. */
async function importsOf(source: string, verbatimModuleSyntax = false): Promise<string[]> {
  const { imports } = await findImports(await compiled(source, verbatimModuleSyntax), "/a.ts");
  return imports.map(({ specifier }) => specifier);
}

Deno.test("toJavaScript drops imports that only types use, wherever else their names are", async () => {
  const dropped = [
    'import { A } from "x"; export const a: A = 1;',
    'import A from "x"; export const a = 1 as A;',
    'import * as A from "x"; export const a: A.B = 1;',
    'import type { A } from "x"; export const a: A = 1;',
    'import { type A } from "x"; export const a: A = 1;',
    'import { A } from "x"; export const a = { A: 1 }.A as A;',
    'import { A } from "x"; export class B { A = 1; f(): A { return this.A; } }',
    'import { A } from "x"; A: for (;;) break A;',
    'import { A } from "x"; export const f = (A: number) => A;',
    'import { A } from "x"; export function f([A]: number[], { b: B = A }) { return A + B; }',
    'import { A } from "x"; export function f(A = 1, ...b) { try { b(); } catch (A) { return A; } }',
    'import { A } from "x"; export const f = function A() { return A; };',
    'import { A } from "x"; export function f() { class A {} return [...new A()]; }',
    'import { A } from "x"; // A is a type',
    'import { A } from "x"; export const a = "A" as A;',
  ];
  for (const source of dropped) assert.deepEqual(await importsOf(source), [], source);
});

Deno.test("toJavaScript keeps imports that code uses, and those without names", async () => {
  const kept = [
    'import "x"; export const a: number = 1;',
    'import { A } from "x"; export const a: A = new A();',
    'import { A } from "x"; export { A };',
    'import { A } from "x"; export { A as B };',
    'import { A } from "x"; export default A;',
    'import { A } from "x"; export const a = { A };',
    'import { A } from "x"; export const a = { [A]: 1 };',
    'import { A } from "x"; export class B extends A {}',
    'import { A } from "x"; export const f = () => A;',
    'import { A } from "x"; export const f = (a: number = A) => a;',
    'import { A } from "x"; export const { a = A } = {};',
    'import { A, type B } from "x"; export const a: B = A`${1}`;',
    'import * as A from "x"; export const a: number = A.b;',
    'export { A } from "x"; export const a: number = 1;',
    'export * from "x"; export const a: number = 1;',
  ];
  for (const source of kept) assert.deepEqual(await importsOf(source), ["x"], source);
  const one = 'import { A } from "x"; import { B } from "y"; export const a: B = A;';
  assert.deepEqual(await importsOf(one), ["x"]);
});

Deno.test("toJavaScript keeps all imports but those of types with verbatimModuleSyntax", async () => {
  assert.deepEqual(await importsOf('import { A } from "x"; export const a = 1;', true), ["x"]);
  assert.deepEqual(await importsOf('import { type A } from "x"; let a: A;', true), ["x"]);
  assert.deepEqual(await importsOf('import type { A } from "x"; let a: A;', true), []);
});

Deno.test("toJavaScript leaves code where it is, unless its syntax is more than types", async () => {
  const source = "export function f<T>(a: T): T {\n  return a as T;\n}\n";
  const text = await compiled(source);
  assert.equal(text.length, source.length);
  assert.equal(text.indexOf("return"), source.indexOf("return"));
  assert.match(await compiled("export enum A { B }"), /A\["B"\] = 0/);
  assert.match(
    await compiled("export class A { constructor(readonly b: number) {} }"),
    /this\.b = b/,
  );
});
