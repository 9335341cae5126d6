/**
 * Projects whose modules do the same under `deno run` and under `load`.
 *
 * @module
 */

/** A project and its output. */
export interface DenoRunCase {
  /** The property that is compared. */
  name: string;
  /** The files, each after a line `== its/path`. */
  project: string;
  /** The module to run, if it is not `main.ts`. */
  entry?: string;
  /** Binary files, as Base64. */
  binary?: Record<string, string>;
  /** The error of `load` for a project that `deno run` runs but that cannot be shipped. */
  refused?: RegExp;
}

/** The cases. */
export const CASES: DenoRunCase[] = [
  {
    name: "an import that is used only as a type is dropped",
    project: `== types.ts
export interface Handler { path: string } export const v = 1;
== main.ts
import { Handler, v } from "./types.ts"; const h: Handler = { path: "/" }; console.log(h.path, v);
`,
  },
  {
    name: "an import that is not used is dropped with its side effects",
    project: `== side.ts
console.log("side effect"); export const opts = 1; export default 2;
== main.ts
import { opts } from "./side.ts";
import all, { opts as other } from "./side.ts";
import * as everything from "./side.ts";
console.log("main");
`,
  },
  {
    name: "an import that is not used is dropped beside syntax that is rewritten",
    project: `== side.ts
console.log("side effect"); export const opts = 1;
== main.ts
import { opts } from "./side.ts"; enum E { A } console.log("main", E.A);
`,
  },
  {
    name: "a bare import keeps its side effects",
    project: `== side.ts
console.log("side effect");
== main.ts
import "./side.ts"; import {} from "./side.ts"; console.log("main");
`,
  },
  {
    name: "an interface that is exported by name is dropped",
    project: `== main.ts
interface I { a: 1 } type T = I; export { I, type T }; console.log("main");
`,
  },
  {
    name: "imports of types are dropped in a module of types",
    project: `== types.ts
export type T = number;
== mid.ts
import { T } from "./types.ts"; export type U = T[]; export type { T } from "./types.ts";
console.log("mid");
== main.ts
import type { U } from "./mid.ts"; import { type U as V } from "./mid.ts"; import "./mid.ts";
const x: U | V = [1]; console.log(x);
`,
  },
  {
    name: "a class that is used only as a type is not imported, and one that is constructed is",
    project: `== a.ts
console.log("a"); export class A { x = 1 }
== b.ts
console.log("b"); export class B { x = 2 }
== main.ts
import { A } from "./a.ts"; import { B } from "./b.ts";
function f(a: A): a is A { return a instanceof B; } console.log(f({ x: 1 }));
`,
  },
  {
    name: "imports that stand for a namespace's member are kept while it is used",
    project: `== a.ts
export namespace N { export const x = 1; export type T = string; }
== main.ts
import { N } from "./a.ts"; import x = N.x; import T = N.T; const t: T = "t"; console.log(x, t);
`,
  },
  {
    name: "verbatimModuleSyntax keeps imports that are not used",
    project: `== deno.json
{ "compilerOptions": { "verbatimModuleSyntax": true } }
== side.ts
console.log("side"); export const a = 1;
== main.ts
import { a } from "./side.ts"; import type { b } from "./none.ts"; console.log("main");
`,
  },
  {
    name: "JavaScript keeps imports that are not used",
    entry: "main.js",
    project: `== side.ts
console.log("side"); export const a = 1;
== main.js
import { a } from "./side.ts"; console.log("main");
`,
  },
  {
    name: "JSX drops imports that are not used",
    entry: "main.jsx",
    project: `== side.ts
console.log("side"); export const opts = 1;
== main.jsx
/** @jsx h */ import { opts } from "./side.ts"; const h = (...all) => all.length; console.log(<a b="1">x</a>);
`,
  },
  {
    name: "enums, namespaces, parameter properties and overloads mean what they do in Deno",
    project: `== main.ts
enum A { X, Y = "y".length, Z = X | 4 } const enum B { P = 1 } declare enum C { Q }
namespace N { export let n = 1; export namespace M { export const m = n + 1; } } namespace N { export const k = N.M.m; }
abstract class D { constructor(private readonly d: number, public e = d) {} declare f: string; abstract g(): void;
  h(): number; h(x?: number) { return this.d + (x ?? 0); } }
class F extends D { override g() {} }
const f = new F(2); console.log(A, B.P, N.n, N.k, f.h(), Object.keys(f), f satisfies D, <number> 3, f!.e);
`,
  },
  {
    name: "using and await using",
    project: `== main.ts
{ using a = { [Symbol.dispose]() { console.log("dispose"); } }; console.log(typeof a); }
{ await using b = { async [Symbol.asyncDispose]() { console.log("async dispose"); } }; console.log(typeof b); }
`,
  },
  {
    name: "modules with several extensions",
    project: `== a.mts
export const a: number = 1;
== b.mjs
export const b = 2;
== c.js
export const c = 3;
== main.ts
import { a } from "./a.mts"; import { b } from "./b.mjs"; import { c } from "./c.js"; console.log(a, b, c);
`,
  },
  {
    name: "a workspace's members import each other by name, each with its own map",
    entry: "a/main.ts",
    project: `== deno.json
{ "workspace": ["./a", "b"], "imports": { "x": "./x.ts", "both": "./root.ts" } }
== x.ts
export default (text: string) => "x" + text;
== root.ts
console.log("root's both");
== a/deno.json
{ "name": "@w/a", "exports": "./main.ts" }
== b/deno.json
{ "name": "@w/b", "exports": { ".": "./mod.ts", "./sub": "./sub.ts" }, "imports": { "y": "./y.ts", "both": "./both.ts" } }
== b/mod.ts
import y from "y"; import "both"; export const b = "b" + y;
== b/sub.ts
import "both"; console.log("sub");
== b/both.ts
console.log("b's both");
== b/y.ts
export default 7;
== a/main.ts
import x from "x"; import { b } from "@w/b"; import "both"; import "@w/b/sub"; import "@w/a"; console.log(x("1d"), b);
`,
  },
  {
    name: "a workspace's members by glob, some of them npm's",
    entry: "apps/web/main.ts",
    project: `== deno.jsonc
{ // all of them
  "workspace": { "members": ["./packages/*", "apps/**"] }, "imports": { "top": "./top.ts" } }
== top.ts
console.log("top");
== packages/one/deno.jsonc
{ "name": "@w/one", "version": "1.2.0", "exports": "./m.ts", }
== packages/one/m.ts
import "top"; console.log("one");
== packages/two/package.json
{ "name": "two", "version": "1.0.0", "type": "module",
  "exports": { ".": { "browser": "./no.ts", "deno": "./deno.ts", "default": "./no.ts" }, "./f/*": "./lib/*.ts", "./private/*": null } }
== packages/two/deno.ts
console.log("two for deno");
== packages/two/lib/z.ts
console.log("two/f/z");
== packages/readme.md
none
== apps/web/deno.json
{}
== apps/web/main.ts
import "@w/one"; import "two"; import "two/f/z"; import "top"; import "jsr:@w/one@1"; import "jsr:@w/one@^1.1";
`,
  },
  {
    name: "the module of a workspace's root uses its members",
    project: `== deno.json
{ "workspace": ["./lib"], "scopes": { "./lib/": { "s": "./s.ts" } } }
== s.ts
console.log("s");
== lib/deno.json
{ "name": "@w/lib", "exports": { "./deep/x": "./src/x.ts" }, "imports": { "@/": "./src/" } }
== lib/src/x.ts
import "@/y.ts"; import "s"; console.log("x");
== lib/src/y.ts
console.log("y");
== main.ts
import "@w/lib/deep/x";
`,
  },
  {
    name: "links stand for packages of the registry",
    project: `== deno.json
{ "links": ["./l"], "imports": { "@x/l": "jsr:@x/l@^1" } }
== l/deno.json
{ "name": "@x/l", "version": "1.0.0", "exports": { ".": "./m.ts", "./q": "./q.ts" }, "imports": { "in": "./in.ts" } }
== l/m.ts
import "in"; console.log("linked");
== l/in.ts
console.log("in");
== l/q.ts
console.log("q");
== main.ts
import "@x/l"; import "@x/l/q"; import "jsr:@x/l@1";
`,
  },
  {
    name: "links by their former name, and by the name of the package alone",
    project: `== deno.json
{ "patch": ["./l"] }
== l/deno.json
{ "name": "@x/l", "version": "1.0.0", "exports": "./m.ts" }
== l/m.ts
console.log("linked");
== main.ts
import "jsr:@x/l@1"; import "@x/l";
`,
  },
  {
    name: "a package's own name",
    project: `== deno.json
{ "name": "@me/self", "version": "1.0.0", "exports": { ".": "./mod.ts", "./u": "./u.ts" } }
== mod.ts
console.log("self");
== u.ts
console.log("u");
== main.ts
import "@me/self"; import "@me/self/u"; import "jsr:@me/self@^1.0.0/u";
`,
  },
  {
    name: "package.json: dependencies, aliases and subpaths",
    project: `== deno.json
{ "nodeModulesDir": "none" }
== package.json
{ "name": "p", "type": "module", "dependencies": { "acorn": "^8.19.0" }, "devDependencies": { "other": "npm:acorn@^8.19.0" } }
== main.ts
import { parse } from "acorn"; import * as other from "other"; import p from "acorn/package.json" with { type: "json" };
console.log(parse("1", { ecmaVersion: 2022 }).type, other.parse === parse, p.name);
`,
  },
  {
    name: "package.json: imports with conditions and patterns, exports, and its own name",
    project: `== package.json
{ "name": "own", "version": "1.0.0", "type": "module",
  "exports": { ".": "./m.ts", "./x/*": "./lib/*.ts" },
  "imports": { "#x": "./x.ts", "#a/*": "./lib/*.ts", "#fs": "node:fs", "#path": "path",
    "#c": { "browser": "./no.ts", "deno": "./lib/d.ts", "node": "./lib/n.ts" }, "#d": { "node": { "import": "./lib/n.ts" }, "default": "./no.ts" } } }
== x.ts
export default 4;
== m.ts
console.log("m");
== lib/d.ts
console.log("d");
== lib/n.ts
console.log("n");
== lib/z.ts
console.log("z");
== main.ts
import x from "#x"; import "own"; import "own/x/z"; import "#a/n"; import "#c"; import "#d"; import fs from "#fs"; import path from "#path";
console.log(x, typeof fs.readFileSync, typeof path.join);
`,
  },
  {
    name: "built-in modules without node:",
    project: `== main.ts
import fs from "fs"; import { posix } from "path"; import p from "path/posix"; import { readFile } from "fs/promises";
console.log(typeof fs.readFileSync, posix.sep, p.sep, typeof readFile);
`,
  },
  {
    name: "package.json: workspaces and the files of a package without exports",
    entry: "a/main.ts",
    project: `== deno.json
{ "nodeModulesDir": "none" }
== package.json
{ "workspaces": ["./a", "b"] }
== a/package.json
{ "name": "a", "type": "module", "dependencies": { "b": "workspace:*" } }
== a/main.ts
import "b"; import "b/x.ts"; import "#n";
== b/package.json
{ "name": "b", "version": "1.0.0", "type": "module", "main": "./m.ts" }
== b/m.ts
console.log("b");
== b/x.ts
console.log("b/x");
`.replace(' import "#n";', ""),
  },
  {
    name: "package.json around a module counts, also where deno.json is above it",
    entry: "sub/main.ts",
    project: `== deno.json
{ "workspace": ["sub"], "imports": { "y": "./y.ts" } }
== y.ts
console.log("y");
== sub/package.json
{ "imports": { "#z": "./z.ts" } }
== sub/z.ts
console.log("z");
== sub/main.ts
import "#z"; import "y";
`,
  },
  {
    name: "sloppy imports",
    project: `== deno.json
{ "unstable": ["sloppy-imports"] }
== q.ts
console.log("q");
== r.ts
console.log("r");
== d/index.ts
console.log("d");
== main.ts
import "./q"; import "./r.js"; import "./d";
`,
  },
  {
    name: "files of equal text are modules of their own",
    project: `== a/state.ts
export const items: number[] = []; export const t = Deno.readTextFileSync(new URL("./d.txt", import.meta.url)).trim();
== b/state.ts
export const items: number[] = []; export const t = Deno.readTextFileSync(new URL("./d.txt", import.meta.url)).trim();
== c/state.ts
export const items: number[] = [];
== d/state.ts
export const items: number[] = [];
== a/d.txt
AA
== b/d.txt
BB
== main.ts
import * as a from "./a/state.ts"; import * as b from "./b/state.ts"; import * as c from "./c/state.ts"; import * as d from "./d/state.ts";
a.items.push(1); c.items.push(1); console.log(a.t, b.t, a.items.length, b.items.length, c.items.length, d.items.length);
`,
  },
  {
    name: "a file with several queries is several modules",
    project: `== side.ts
console.log("side", import.meta.url.slice(import.meta.url.lastIndexOf("/")));
== main.ts
import "./side.ts?1"; import "./side.ts?2"; import "./side.ts#2"; import "./side.ts"; import "./side.ts?1";
`,
  },
  {
    name: "computed imports of a template and of a sum",
    project: `== l/a.ts
export default 1;
== l/sub/b.ts
import a from "../a.ts"; export default a + 1;
== l/data.json
{ "d": 1 }
== l/broken.ts
const a: = 1;
== main.ts
for (const n of ["a", "sub/b"]) console.log((await import(\`./l/\${n}.ts\`)).default, (await import("./l/" + n + ".ts")).default);
for (const n of ["data"]) console.log((await import(\`./l/\${n}.json\`, { with: { type: "json" } })).default);
const whole = "./l/a.ts"; const path = \`./\${whole.slice(2)}\`;
console.log((await import(whole)).default, await import(path) === await import(whole), await import("./l/a.ts") === await import(whole));
console.log((await import(new URL("./l/a.ts", import.meta.url).href)).default, (await import(import.meta.resolve("./l/a.ts"))).default);
try { await import(\`./l/\${"none"}.ts\`); } catch (error) { console.log((error as Error).name); }
for (const n of ["path"]) console.log(typeof (await import(\`node:\${n}\`)).join);
`,
  },
  {
    name: "a computed import that names its own module, and one in a cycle",
    project: `== pages/a.ts
import { open } from "../router.ts"; export const a = 1; export const next = () => open("b");
== pages/b.ts
export { pages } from "../router.ts"; export const b = 2;
== router.ts
export const pages = ["a", "b"];
export const open = (name: string) => import(\`./\${name === "self" ? "router" : \`pages/\${name}\`}.ts\`);
== main.ts
import { open } from "./router.ts"; const a = await open("a"); const b = await a.next(); console.log(b.b, b.pages, a.a, (await open("self")).pages);
`,
  },
  {
    name: "CommonJS in .cjs",
    project: `== a.cjs
#!/usr/bin/env node
const { b } = require("./b.cjs"); const fs = require("fs"); const data = require("./d.json");
module.exports = { a: 1 + b, fs: typeof fs.readFileSync, data, self: this === module.exports };
== b.cjs
exports.b = 41; exports.file = __filename.slice(-5); exports.dir = typeof __dirname;
== d.json
{ "d": 1 }
== cycle1.cjs
exports.early = 1; const two = require("./cycle2"); exports.late = two.seen;
== cycle2.cjs
const one = require("./cycle1.cjs"); exports.seen = one.early;
== main.ts
import a from "./a.cjs"; import { b, dir } from "./b.cjs"; import * as ns from "./b.cjs"; import cycle from "./cycle1.cjs";
console.log(a, b, dir, Object.keys(ns).sort(), cycle);
`,
  },
  {
    name: "CommonJS by the type of the package",
    entry: "main.js",
    project: `== package.json
{ "type": "commonjs" }
== main.js
const { a } = require("./a.js"); console.log(a, typeof module, require("node:path").sep);
let missing; try { require("./none.js"); } catch (error) { missing = error.code; } console.log(missing);
== a.js
Object.defineProperty(exports, "__esModule", { value: true }); exports.a = 5;
`,
  },
  {
    name: "ECMAScript modules in a package of CommonJS",
    project: `== package.json
{ "type": "commonjs" }
== main.ts
import { a } from "./a.js"; import { t } from "./t.ts"; import all from "./a.js"; console.log(a, t, all);
== a.js
exports.a = 5;
== t.ts
export const t: number = 1;
`,
  },
  {
    name: "WebAssembly",
    binary: {
      "add.wasm": "AGFzbQEAAAABBwFgAn9/AX8DAgEABwcBA2FkZAAACgkBBwAgACABags=",
    },
    project: `== main.ts
import { add } from "./add.wasm"; import * as all from "./add.wasm"; console.log(add(1, 2), Object.keys(all));
`,
  },
  {
    name: "JSX without settings",
    entry: "main.tsx",
    project: `== main.tsx
const React = { createElement: (...a: unknown[]) => JSON.stringify(a), Fragment: "F" };
console.log(<a b="1" {...{ c: 2 }}>x{1}</a>, <>y</>);
`,
  },
  {
    name: "JSX with factories",
    entry: "main.tsx",
    project: `== deno.json
{ "compilerOptions": { "jsx": "react", "jsxFactory": "h", "jsxFragmentFactory": "F" } }
== main.tsx
const F = "f"; function h(...a: unknown[]) { return JSON.stringify(a); } console.log(<a b="1">x</a>, <>1</>);
`,
  },
  {
    name: "JSX with an import source of the import map",
    entry: "main.tsx",
    project: `== deno.json
{ "compilerOptions": { "jsx": "react-jsx", "jsxImportSource": "@/ui" }, "imports": { "@/ui/jsx-runtime": "./runtime.ts" } }
== runtime.ts
export const jsx = (...all: unknown[]) => JSON.stringify(all); export const jsxs = jsx; export const Fragment = "F";
== view.tsx
export const View = (props: { name: string }) => <b title="t">{props.name}</b>;
== main.tsx
import { View } from "./view.tsx"; console.log(<View name="n" />, <a key="k">x{1}</a>, <>y</>);
`,
  },
  {
    name: "JSX with an import source of the file",
    entry: "main.tsx",
    project: `== ui/jsx-runtime
export const jsx = (...all) => JSON.stringify(all);
== deno.json
{ "imports": { "ui/jsx-runtime": "./runtime.js" } }
== runtime.js
export const jsx = (...all) => JSON.stringify(all);
== main.tsx
/** @jsxImportSource ui */
enum E { A } console.log(<a b={E.A}>x</a>);
`,
  },
  {
    name: "decorators of the standard",
    project: `== main.ts
function d(value: unknown, context: { kind: string; name?: string | symbol }): any {
  console.log(context.kind, context.name, typeof value);
  if (context.kind === "method") return function (this: unknown, ...all: unknown[]) { return ["wrapped", (value as any).apply(this, all)]; };
  if (context.kind === "field") return (initial: number) => initial + 1;
}
@d class A { @d m(x: number): number { return x; } @d x: number = 2; @d accessor y = 3; }
const a = new A(); console.log(a.m(1), a.x, a.y);
export const B = @d class B2 {};
`,
  },
  {
    name: "decorators as they were before the standard",
    project: `== deno.json
{ "compilerOptions": { "experimentalDecorators": true, "emitDecoratorMetadata": true } }
== dep.ts
export class Dep {} export interface Shape {}
== main.ts
import { Dep, Shape } from "./dep.ts";
(Reflect as any).metadata = (k: string, v: any) => () => k === "design:type" ? undefined : console.log(k, Array.isArray(v) ? v.map((x) => x?.name) : v?.name);
function d(...a: unknown[]): any { console.log(a.length, typeof a[1]); } function p(...a: unknown[]) { console.log("param", a.length); }
@d class A { constructor(@p x: Dep, y?: Date) {} @d m(@p z: number): Map<string, number> { return new Map() } @d x: Shape | undefined = undefined; }
new A(new Dep());
`,
  },
  {
    name: "decorators by the settings of a workspace's member",
    entry: "a/main.ts",
    project: `== deno.json
{ "workspace": ["a"] }
== a/deno.json
{ "compilerOptions": { "experimentalDecorators": true } }
== a/main.ts
import "../b.ts"; function d(...a: unknown[]): any { console.log(a.length, typeof a[1]); } @d class A { @d x = 1; }
== b.ts
function d(...a: unknown[]): any { console.log("b", a.length, typeof a[1]); } @d class A { @d x = 1; }
`,
  },
  {
    name: "decorators by tsconfig.json",
    project: `== package.json
{}
== base.json
{ "compilerOptions": { "experimentalDecorators": true } }
== tsconfig.json
{ "extends": "./base.json", "compilerOptions": { /* none */ } }
== main.ts
function d(...a: unknown[]): any { console.log(a.length, typeof a[1]); } @d class A { @d x = 1; }
`,
  },
  {
    name: "a worker beside its module",
    project: `== w.ts
import { x } from "./x.ts"; const v: number = x; postMessage(v);
== x.ts
export const x = 5;
== main.ts
const w = new Worker(new URL("./w.ts", import.meta.url), { type: "module" }); const d = Promise.withResolvers(); w.onmessage = (e) => { d.resolve(e.data); w.terminate(); }; console.log(await d.promise);
`,
  },
  {
    name: "a default export and types of one module",
    project: `== a.ts
export default interface A { x: number }
export type B = string; export const c = 1;
== main.ts
import A, { B, c } from "./a.ts"; const a: A = { x: 1 }; const b: B = "b"; console.log(a, b, c);
`,
  },
  {
    name: "export type * gives types and nothing else",
    project: `== a.ts
export interface A { x: number } export const v = 1;
== b.ts
export type * from "./a.ts"; export * from "./a.ts"; export type * as ns from "./a.ts";
== main.ts
import { A, v } from "./b.ts"; const a: A = { x: v }; console.log(a);
`,
  },
  {
    name: "an import that is used only in typeof of a type is dropped",
    project: `== a.ts
console.log("a side"); export const v = 1;
== main.ts
import { v } from "./a.ts"; let x: typeof v = 1; console.log(x);
`,
  },
  {
    name: "an import that is used only as the type of a decorated parameter",
    project: `== deno.json
{"compilerOptions":{"experimentalDecorators":true}}
== a.ts
console.log("a side"); export class V {}
== main.ts
import { V } from "./a.ts"; const d = (..._: any[]) => {}; class C { constructor(@d x: V) {} } console.log(C.name);
`,
  },
  {
    name: "an import whose name is used only where it is shadowed",
    project: `== a.ts
console.log("a side"); export const v = 1;
== main.ts
import { v } from "./a.ts"; { const v = 2; console.log(v); }
`,
  },
  {
    name: "imports used as shorthand properties are kept",
    project: `== a.ts
export const v = 1; export const w = 2;
== main.ts
import { v, w as u } from "./a.ts"; console.log({ v, u });
`,
  },
  {
    name: "imports used in implements and as type arguments are dropped",
    project: `== a.ts
console.log("a"); export class X {} export class Y<T> { t?: T }
== main.ts
import { X, Y } from "./a.ts"; class Z extends Y<X> implements X {} console.log(new Z());
`,
  },
  {
    name: "ambient declarations leave nothing",
    project: `== main.ts
declare const foo: number; declare module "x" { export const y: number } declare global { interface Window { z: number } } declare function q(): void;
abstract class A { abstract x: number; protected constructor() {} } class B extends A { x = 1; constructor() { super(); } } console.log(new B());
export {};
`,
  },
  {
    name: "enums of another module, constant ones too",
    project: `== a.ts
export enum E { A = "a", B = "b" } export const enum F { X = 4 }
== main.ts
import { E, F } from "./a.ts"; console.log(E.A, F.X, E);
`,
  },
  {
    name: "class fields are defined, and declared ones are not",
    project: `== main.ts
class A { set x(v: number) { console.log("set"); } } class B extends A { x = 1; y; declare z: number } console.log(Object.keys(new B()));
`,
  },
  {
    name: "assertions of types leave their values",
    project: `== main.ts
const f = <T,>(x: T) => x; const o = { a: 1 } as const satisfies { a: number }; let u: number | undefined = 3; console.log(f(2), o, u!, <any> 4);
`,
  },
  {
    name: "data that is exported again, and imported late",
    project: `== d.json
{"a":1}
== main.ts
export { default as x } from "./d.json" with { type: "json" }; const m = await import("./d.json", { with: { type: "json" } }); console.log(m.default);
`,
  },
  {
    name: "more built-in modules without node:",
    project: `== main.ts
import { Buffer } from "buffer"; import process from "process"; import * as tp from "timers/promises"; import module from "module"; import assert from "assert/strict"; import util, { inspect } from "util"; console.log(typeof Buffer, typeof process.pid, typeof tp.setTimeout, typeof module.createRequire, typeof assert.equal, util.inspect === inspect);
`,
  },
  {
    name: "an import map with prefixes",
    project: `== deno.json
{"imports":{"@/":"./src/","lib":"./lib/mod.ts","lib/":"./lib/"}}
== src/a.ts
import "lib"; import "lib/x.ts"; console.log("a");
== lib/mod.ts
console.log("lib");
== lib/x.ts
console.log("x");
== main.ts
import "@/a.ts";
`,
  },
  {
    name: "an import map in a file of its own",
    project: `== deno.json
{"importMap":"./conf/map.json"}
== conf/map.json
{"imports":{"q":"../q.ts"},"scopes":{"../sub/":{"q":"../q2.ts"}}}
== q.ts
console.log("q");
== q2.ts
console.log("q2");
== sub/s.ts
import "q";
== main.ts
import "q"; import "./sub/s.ts";
`,
  },
  {
    name: "a member inside another",
    entry: "packages/app/src/main.ts",
    project: `== deno.json
{"workspace":["./packages/app","./packages/app/plugins/p1"],"imports":{"root":"./root.ts"}}
== root.ts
console.log("root");
== packages/app/deno.json
{"name":"@app/app","exports":{"./x":"./src/x.ts"},"imports":{"root2":"../../root.ts","~/":"./src/"}}
== packages/app/src/x.ts
console.log("x");
== packages/app/src/main.ts
import "root2"; import "root"; import "~/x.ts"; import "@p/p1"; import "@app/app/x";
== packages/app/plugins/p1/deno.json
{"name":"@p/p1","exports":"./m.ts","imports":{"~/":"./"}}
== packages/app/plugins/p1/m.ts
import "~/n.ts"; console.log("p1");
== packages/app/plugins/p1/n.ts
console.log("n");
`,
  },
  {
    name: "members with both deno.json and package.json",
    entry: "a/main.ts",
    project: `== deno.json
{"workspace":["a","b"]}
== a/deno.json
{"name":"@x/a","exports":"./main.ts"}
== a/package.json
{"name":"a-npm","imports":{"#p":"./p.ts"}}
== a/p.ts
console.log("p");
== a/main.ts
import "#p"; import "b-npm"; import "@x/b";
== b/deno.json
{"name":"@x/b","exports":"./mod.ts"}
== b/package.json
{"name":"b-npm","version":"1.0.0","exports":"./npm.ts"}
== b/mod.ts
console.log("deno b");
== b/npm.ts
console.log("npm b");
`,
  },
  {
    name: "package.json: imports with arrays, suffixes and exclusions",
    project: `== package.json
{"name":"q","type":"module","imports":{"#internal/*":"./src/*.ts","#internal/secret":null,"#dep":{"node":"node:path","default":"./x.ts"},"#arr":["./src/a.ts"],"#x.js":"./src/a.ts","#deep/*.js":"./src/*.ts"}}
== src/a.ts
console.log("a"); export default 1;
== main.ts
import a from "#internal/a"; import { sep } from "#dep"; import b from "#arr"; import c from "#x.js"; import d from "#deep/a.js"; console.log(a, sep, b, c, d);
`,
  },
  {
    name: "package.json: exports of conditions alone",
    project: `== package.json
{"name":"@scope/self","type":"module","exports":{"import":"./esm.ts","require":"./c.cjs"}}
== esm.ts
export const kind = "esm";
== main.ts
import { kind } from "@scope/self"; console.log(kind);
`,
  },
  {
    name: "the import map counts before the dependencies",
    project: `== deno.json
{"imports":{"acorn":"./fake.ts"},"nodeModulesDir":"none"}
== package.json
{"dependencies":{"acorn":"^8.19.0","also":"npm:acorn@^8.19.0"}}
== fake.ts
export const fake = 1;
== main.ts
import * as a from "acorn"; import * as b from "also"; console.log(Object.keys(a), typeof b.parse);
`,
  },
  {
    name: "a package in node_modules that is in no registry",
    project: `== package.json
{"type":"module","dependencies":{"loc":"1.0.0"}}
== node_modules/loc/package.json
{"name":"loc","version":"1.0.0","main":"index.js"}
== node_modules/loc/index.js
module.exports = { loc: 1 };
== main.ts
import l from "loc"; console.log(l);
`,
  },
  {
    name: "a computed import of one file in each of several directories",
    project: `== plugins/a/mod.ts
export default "pa";
== plugins/b/mod.ts
export default "pb";
== main.ts
for (const p of ["a", "b"]) { const m = await import("./plugins/" + p + "/mod.ts"); console.log(m.default); }
`,
  },
  {
    name: "a computed import by a prefix of the import map",
    project: `== deno.json
{"imports":{"@/":"./src/"}}
== src/a.ts
export default "a";
== main.ts
const n = "a"; console.log((await import(\`@/\${n}.ts\`)).default);
`,
  },
  {
    name: "a computed import of paths that stand in the text",
    project: `== a.ts
export default "a";
== main.ts
const list = ["./a.ts"]; for (const x of list) { try { console.log((await import(x)).default); } catch (e) { console.log((e as Error).name) } }
`,
  },
  {
    name: "an import of one path or another",
    project: `== a.ts
export default "a";
== b.ts
export default "b";
== main.ts
const c = Math.random() < 2; console.log((await import(c ? "./a.ts" : "./b.ts")).default);
`,
  },
  {
    name: "a computed import of all below the module's directory",
    project: `== l/a.ts
export default "a";
== main.ts
const load = async (x: string) => (await import(\`./\${x}\`)).default; console.log(await load("l/a.ts"));
`,
  },
  {
    name: "CommonJS that was compiled from ECMAScript modules",
    project: `== a.cjs
"use strict"; Object.defineProperty(exports, "__esModule", { value: true }); exports.default = 7; exports.named = 8; __exportStar(require("./b.cjs"), exports);
function __exportStar(m, e) { for (const k in m) if (k !== "default") e[k] = m[k]; }
== b.cjs
exports.bee = 9;
== main.ts
import a, { named, bee } from "./a.cjs"; console.log(a, named, bee);
`,
  },
  {
    name: "CommonJS that imports and requires ECMAScript modules",
    project: `== a.cjs
module.exports = async () => (await import("./e.mjs")).default;
== e.mjs
export default "esm";
== r.cjs
module.exports = require("./e.mjs").default;
== main.ts
import f from "./a.cjs"; import r from "./r.cjs"; console.log(await f(), r);
`,
  },
  {
    name: "createRequire beside the author's file",
    project: `== d.json
{"d":1}
== main.ts
import { createRequire } from "node:module"; const require = createRequire(import.meta.url); console.log(require("./d.json"));
`,
  },
  {
    name: "CommonJS with types",
    project: `== a.cts
const x: number = 3; module.exports = { x };
== main.ts
import a from "./a.cts"; console.log(a.x);
`,
  },
  {
    name: "JSX for development",
    entry: "main.tsx",
    project: `== deno.json
{"compilerOptions":{"jsx":"react-jsxdev","jsxImportSource":"u"},"imports":{"u/jsx-dev-runtime":"./r.ts"}}
== r.ts
export const jsxDEV = (t: unknown, p: unknown, k: unknown, s: boolean) => JSON.stringify([t, p, k, s]); export const Fragment = "F";
== main.tsx
console.log(<a b="1">x</a>);
`,
  },
  {
    name: "JSX with types",
    entry: "main.tsx",
    project: `== types.ts
export interface P { a: number } export const used = 1;
== main.tsx
/** @jsx h */ import { P, used } from "./types.ts"; const h = (...a: any[]) => JSON.stringify(a); const f = <T,>(x: T) => x; const p: P = { a: f(used) }; console.log(<q {...p} />);
`,
  },
  {
    name: "stack traces of what was rewritten",
    project: `== main.ts
import { Foo } from "./t.ts";

enum E { A }
type X = {
  a: 1;
};
function f(x: X & Foo): never { throw new Error("here " + E.A); }
try { f({} as any); } catch (e) { console.log((e as Error).stack!.split("\\n").slice(0, 3).join("|").replace(/file:.*\\//g, "")); }
== t.ts
export type Foo = {};
`,
  },
  {
    name: "stack traces of what had types",
    project: `== main.ts
interface X { a: 1 }
const g = (x: X): void => { if (x) { null!.foo; } };
class A<T> { m(this: A<T>, x?: T): void { g({ a: 1 }); } }
try { new A<string>().m(); } catch (e) { console.log((e as Error).stack!.split("\\n").slice(0, 4).join("|").replace(/file:.*\\//g, "")); }
`,
  },
  {
    name: "a module that imports itself, and a cycle that reads import.meta",
    project: `== a.ts
import * as self from "./a.ts"; import { b } from "./b.ts"; export const a = 1; export const f = () => [self.a, b(), import.meta.url.slice(-5)];
== b.ts
import { a } from "./a.ts"; export const b = () => [a, import.meta.url.slice(-5)];
== main.ts
import { f } from "./a.ts"; console.log(f());
`,
  },
  {
    name: "cycles of equal texts are cycles of their own",
    project: `== p/a.ts
import { b } from "./b.ts"; export const list: number[] = []; export const get = () => b;
== p/b.ts
import { list } from "./a.ts"; export const b = { get list() { return list; } };
== q/a.ts
import { b } from "./b.ts"; export const list: number[] = []; export const get = () => b;
== q/b.ts
import { list } from "./a.ts"; export const b = { get list() { return list; } };
== main.ts
import * as p from "./p/a.ts"; import * as q from "./q/a.ts"; p.list.push(1); console.log(p.get().list, q.get().list, p.get() === q.get());
`,
  },
  {
    name: "using and await at the top level of JavaScript",
    entry: "main.js",
    project: `== main.js
using x = { [Symbol.dispose]() { console.log("d"); } }; await 0; console.log(typeof x);
`,
  },
  {
    name: "a first line for the shell",
    project: `== main.ts
#!/usr/bin/env -S deno run
const x: number = 1; console.log(x);
`,
  },
  {
    name: "sloppy imports of a directory",
    project: `== deno.json
{"unstable":["sloppy-imports"]}
== lib/index.ts
console.log("idx");
== main.ts
import "./lib"; import "./lib/index"; 
`,
  },
  {
    name: "syntax of the last years",
    project: `== main.ts
class A { #x = 1; static { console.log(#x in new A()); } get v() { return this.#x; } } console.log(new A().v, /[\\p{L}--[a-z]]/v.test("A"));
`,
  },
  {
    name: "workers with an import map, late imports, and workers of their own",
    project: `== deno.json
{ "imports": { "lib": "./lib.ts" } }
== lib.ts
export const lib: number = 5; export const where = () => import.meta.url.slice(-7);
== part.ts
export default "part";
== inner.ts
import { lib } from "lib"; postMessage(lib + 1); self.close();
== w.ts
import { lib, where } from "lib"; import data from "./d.json" with { type: "json" };
enum E { A = 1 }
self.onmessage = async ({ data: asked }: MessageEvent) => {
  const inner = new Worker(new URL("./inner.ts", import.meta.url), { type: "module" });
  const answer = await new Promise((done) => inner.onmessage = (event) => done(event.data));
  const late = (await import("./part.ts")).default + (await import(\`./\${asked}.ts\`)).default;
  postMessage([lib, where(), data, E.A, self.name, answer, late, import.meta.url.slice(-5), new Error("x").stack!.match(/w\\.ts:\\d+:\\d+/)![0]]);
  self.close();
};
== d.json
{ "d": 1 }
== n.ts
import { parentPort, workerData } from "node:worker_threads"; import { lib } from "lib"; parentPort!.postMessage(workerData + lib);
== main.ts
import * as threads from "node:worker_threads"; import { Worker as Thread } from "node:worker_threads";
const answer = (w: Worker) => new Promise((done, fail) => { w.onmessage = (event) => done(event.data); w.onerror = (event) => fail(event.message); });
const w = new Worker(import.meta.resolve("./w.ts"), { type: "module", name: "n" }); w.postMessage("part"); console.log(await answer(w));
const text = new Worker("data:text/javascript,postMessage(1);self.close()", { type: "module" }); console.log(await answer(text), typeof Thread, typeof threads);
`,
  },
  {
    name: "threads of Node",
    project: `== deno.json
{ "imports": { "lib": "./lib.ts" } }
== lib.ts
export const lib: number = 5;
== n.ts
import { parentPort, workerData } from "node:worker_threads"; import { lib } from "lib"; parentPort!.postMessage(workerData + lib);
== main.ts
import { Worker } from "node:worker_threads"; const w = new Worker(new URL("./n.ts", import.meta.url), { workerData: 4 });
const got = await new Promise((done) => w.on("message", done)); await w.terminate(); console.log(got);
`,
  },
  {
    name: "WebAssembly that imports a module",
    binary: {
      "imp.wasm": "AGFzbQEAAAABBQFgAAF/Ag4BCC4vZW52LnRzAWYAAAMCAQAHBQEBZwABCgYBBAAQAAs=",
    },
    project: `== env.ts
export const f = (): number => 42;
== main.ts
import { g } from "./imp.wasm"; console.log(g());
`,
  },
  {
    name: "CommonJS that computes what it requires, and requires packages",
    project: `== deno.json
{ "nodeModulesDir": "none" }
== package.json
{ "dependencies": { "acorn": "^8.19.0" } }
== a.cjs
const { parse } = require("acorn"); const path = require("path");
const load = (name) => require("./l/" + name); const loadCjs = (name) => require(\`./l/\${name}.cjs\`);
module.exports = [parse("1", { ecmaVersion: 2022 }).type, typeof path.join, load("b.cjs"), loadCjs("b"), load("d"), load("d.json"), typeof require.cache, require.resolve("./l/b.cjs").slice(-8)];
== l/b.cjs
module.exports = "b";
== l/d.json
{ "d": 1 }
== main.ts
import a from "./a.cjs"; console.log(a);
`,
  },
  {
    name: "a built-in module before an installed package of its name",
    project: `== package.json
{ "dependencies": { "events": "1.0.0" } }
== node_modules/events/package.json
{ "name": "events", "version": "1.0.0", "main": "i.js" }
== node_modules/events/i.js
module.exports = "installed";
== main.ts
import events from "events"; console.log(typeof events);
`,
  },
  {
    name: "a member of the workspace before a built-in module of its name",
    project: `== deno.json
{ "workspace": ["path"] }
== path/deno.json
{ "name": "path", "exports": "./m.ts" }
== path/m.ts
export default "member";
== main.ts
import path from "path"; console.log(path);
`,
  },
  {
    name: "enums, namespaces that merge, and constant enums of another file",
    project: `== a.ts
export enum Color { Red = "r", Green = 1 << 2, Blue } export const enum K { A = 5, B = A * 2 }
export namespace NS { export enum Inner { X = Color.Green } export function f() { return Inner.X; } }
export namespace NS.Deep.Er { export const v = K.B; }
export class C { static s = 1 } export namespace C { export const t = 2; }
export function fn() { return fn.extra; } export namespace fn { export const extra = "e"; }
export enum Color2 { A = Color.Blue, B = \`t\${1}\` as any }
== main.ts
import { Color, K, NS, C, fn, Color2 } from "./a.ts";
console.log(Color, K.A, K.B, NS.f(), NS.Deep.Er.v, C.s, C.t, fn(), Color[4], Color2);
`,
  },
  {
    name: "the names of default exports that have none",
    project: `== a.ts
export default function () {}
== b.ts
export default class { static n = this.name }
== c.ts
export default () => {};
== d.ts
export default (class {});
== e.ts
export default async function* () {}
== main.ts
import a from "./a.ts"; import b from "./b.ts"; import c from "./c.ts"; import d from "./d.ts"; import e from "./e.ts";
console.log(a.name, b.name, b.n, c.name, JSON.stringify(d.name), e.name); console.log(a, b, c);
`,
  },
  {
    name: "export *, its conflicts, and names that are strings",
    project: `== a.ts
export const x = 1, y = 2; export default 3;
== b.ts
export const x = 4, z = 5;
== mid.ts
export * from "./a.ts"; export * from "./b.ts"; export * as ns from "./a.ts"; export { default } from "./a.ts"; export { default as "string name" } from "./a.ts";
== main.ts
import * as m from "./mid.ts"; import { "string name" as s } from "./mid.ts"; console.log(m, s, Object.keys(m), "x" in m);
`,
  },
  {
    name: "classes that extend each other's modules in a circle, entered at either end",
    project: `== base.ts
import { Leaf } from "./leaf.ts"; export class Base { static make() { return new Leaf(); } kind = "base"; }
== leaf.ts
import { Base } from "./base.ts"; export class Leaf extends Base { override kind = "leaf"; }
== main.ts
try { const { Leaf } = await import("./leaf.ts"); console.log(Leaf.name, Leaf.make()); } catch (e) { console.log((e as Error).name, (e as Error).message); }
try { const { Leaf } = await import("./base.ts") as any; console.log(Leaf); } catch (e) { console.log((e as Error).name, (e as Error).message); }
`,
  },
  {
    name: "an import() whose options are a constant",
    project: `== d.json
{"a":1}
== t.txt
hello
== main.ts
const o = { with: { type: "json" } } as const;
console.log((await import("./d.json", { with: { type: "json" } })).default, (await import("./t.txt", { with: { type: "text" } })).default);
console.log((await import("./d.json", o)).default);
`,
  },
  {
    name: "import.meta in a directory below, and what it resolves by every kind of map",
    project: `== sub/x.ts
export const m = import.meta; export const r = import.meta.resolve("../y.ts"), n = import.meta.resolve("npm:never-loaded@2"), b = import.meta.resolve("bare/x"), f = import.meta.resolve("node:fs"), h = import.meta.resolve("https://x.y/z"), g = import.meta.resolve("#int");
== deno.json
{"imports":{"bare/":"./lib/"}}
== package.json
{"imports":{"#int":"./int.ts"}}
== int.ts
export {};
== main.ts
import * as x from "./sub/x.ts"; console.log(x.m.url, x.m.filename, x.m.dirname, x.r, x.n, x.b, x.f, x.h, x.g, x.m.main);
`,
  },
  {
    name: "import.meta.resolve of what is not there",
    project: `== main.ts
for (const s of ["fs", "fs/promises", "./a", "/a", "nope", "../x y/%20.ts", "file:///z", "data:text/plain,x"]) { try { console.log(import.meta.resolve(s)); } catch (e) { console.log(s, (e as Error).name); } }
`,
  },
  {
    name: "lines for the shell in modules of each kind",
    entry: "main.js",
    project: `== a.mjs
#!/usr/bin/env deno
export const a = 1;
== b.cjs
#!/usr/bin/env node
exports.b = 2;
== main.js
#!/usr/bin/env -S deno run
import { a } from "./a.mjs"; import { b } from "./b.cjs"; console.log(a, b);
`,
  },
  {
    name: "the names of CommonJS that exports what another module does",
    project: `== a.cjs
exports.a1 = 1; Object.defineProperty(exports, "a2", { enumerable: true, get: function () { return 2; } });
== b.cjs
module.exports = require("./a.cjs");
== c.cjs
var __exportStar = function (m, e) { for (var p in m) if (p !== "default") e[p] = m[p]; }; __exportStar(require("./a.cjs"), exports); exports.c = 3;
== d.cjs
module.exports = { ...require("./a.cjs"), d: 4 };
== main.ts
import * as b from "./b.cjs"; import * as c from "./c.cjs"; import * as d from "./d.cjs"; import { a1 } from "./b.cjs"; console.log(b, c, d, a1);
`,
  },
  {
    name: "CommonJS in a circle",
    project: `== a.cjs
exports.early = 1; const b = require("./b.cjs"); exports.late = b.seen; exports.done = true;
== b.cjs
const a = require("./a.cjs"); exports.seen = Object.keys(a).join(); exports.getA = () => a;
== main.ts
import a from "./a.cjs"; import b from "./b.cjs"; console.log(a, b.seen, b.getA() === a);
`,
  },
  {
    name: "deno.jsonc with comments",
    project: `== deno.jsonc
{
  // comment
  "imports": { "x/": "./lib/", "y": "./lib/y.ts", /* c */ },
}
== lib/y.ts
export default "y";
== lib/deep/z.ts
export default "z";
== main.ts
import y from "y"; import z from "x/deep/z.ts"; console.log(y, z);
`,
  },
  {
    name: "an import map with scopes in a directory of its own",
    project: `== deno.json
{"importMap":"./maps/import_map.json"}
== maps/import_map.json
{"imports":{"a":"../a.ts","b/":"../b/"},"scopes":{"../b/":{"a":"../b/own_a.ts"}}}
== a.ts
export default "a";
== b/own_a.ts
export default "own a";
== b/x.ts
import a from "a"; export default a;
== main.ts
import a from "a"; import x from "b/x.ts"; console.log(a, x);
`,
  },
  {
    name: "an import map of paths, URLs and built-in modules",
    project: `== deno.json
{"imports":{"./real.ts":"./fake.ts","https://e.x/m.ts":"./m.ts","/abs/":"./abs/","node:fs":"./fs.ts"}}
== real.ts
export default "real";
== fake.ts
export default "fake";
== m.ts
export default "m";
== fs.ts
export default "my fs";
== abs/q.ts
export default "abs";
== main.ts
import r from "./real.ts"; import m from "https://e.x/m.ts"; import q from "/abs/q.ts"; import fs from "node:fs"; console.log(r, m, q, fs);
`,
  },
  {
    name: "paths with spaces, percent signs, quotes and letters of other scripts",
    entry: "sp ace/ünï/100%/ma in.ts",
    project: `== deno.json
{}
== sp ace/ünï/100%/ma in.ts
import { a } from "./a b.ts"; import { b } from "./%23b.ts"; import { c } from "./c%20d.ts"; import q from "./q'uote.ts"; import e from "./emoji😀.ts"; console.log(a, b, c, q, e, import.meta.url, import.meta.filename);
== sp ace/ünï/100%/a b.ts
export const a = import.meta.filename;
== sp ace/ünï/100%/#b.ts
export const b = import.meta.url;
== sp ace/ünï/100%/c d.ts
export const c = import.meta.url;
== sp ace/ünï/100%/q'uote.ts
export default import.meta.url;
== sp ace/ünï/100%/emoji😀.ts
export default import.meta.url;
`,
  },
  {
    name: "modules of each extension, CommonJS too",
    project: `== a.mts
export const a = 1 as number;
== b.mjs
export const b = 2;
== c.cts
module.exports = { c: 3 as number };
== d.cjs
module.exports.d = 4;
== main.mts
console.log(1);
== main.ts
import { a } from "./a.mts"; import { b } from "./b.mjs"; import { c } from "./c.cts"; import { d } from "./d.cjs"; import "./main.mts"; console.log(a, b, c, d);
`,
  },
  {
    name: "a configuration above the module's directory",
    entry: "pkg/app/main.ts",
    project: `@cwd pkg/app
== deno.json
{"imports":{"up":"./up.ts"}}
== up.ts
export default "up";
== pkg/app/main.ts
import up from "up"; console.log(up);
`,
  },
  {
    name: "the nearest of several configurations",
    entry: "pkg/app/main.ts",
    project: `== deno.json
{"imports":{"up":"./up.ts"}}
== pkg/deno.json
{"imports":{"up":"./other.ts"}}
== up.ts
export default "up";
== pkg/other.ts
export default "other";
== pkg/app/main.ts
import up from "up"; console.log(up);
`,
  },
  {
    name: "package.json: patterns and conditions in exports and imports",
    project: `== package.json
{"name":"self","type":"module","exports":{".":"./main.ts","./features/*":"./src/features/*.ts","./features/private/*":null,"./data.json":"./d.json","./dir/*.js":"./src/dir/*.ts"},"imports":{"#lib/*":{"deno":"./deno/*.ts","default":"./node/*.ts"},"#dep":"ms","#ext/*.js":"./src/dir/*.ts"}}
== src/features/a.ts
export const a = "fa";
== src/dir/b.ts
export const b = "db";
== deno/x.ts
export const x = "deno x";
== node/x.ts
export const x = "node x";
== d.json
{"d":1}
== main.ts
import { a } from "self/features/a"; import { b } from "self/dir/b.js"; import { x } from "#lib/x"; import { b as b2 } from "#ext/b.js"; import d from "self/data.json" with { type: "json" };
console.log(a, b, x, b2, d, await import("self/features/private/x").catch((e) => e.constructor.name));
`,
  },
  {
    name: "a package by hand in node_modules that is CommonJS and not",
    project: `== deno.json
{"nodeModulesDir":"manual"}
== package.json
{"dependencies":{"own":"1.0.0"}}
== node_modules/own/package.json
{"name":"own","version":"1.0.0","exports":{".":{"import":"./i.mjs","require":"./r.cjs"},"./sub":"./sub.js"}}
== node_modules/own/i.mjs
export const how = "import"; export { default as sub } from "own/sub";
== node_modules/own/r.cjs
exports.how = "require";
== node_modules/own/sub.js
module.exports = require("./lib/deep");
== node_modules/own/lib/deep.js
exports.deep = __filename.split("/").pop(); exports.how = require("own").how;
== main.ts
import { how, sub } from "own"; console.log(how, sub);
`,
  },
  {
    name: "live bindings through other modules, and hoisting",
    project: `== a.ts
export let n = 0; export function inc() { n++; } export { n as m };
== b.ts
export { n as reexported, inc } from "./a.ts";
== main.ts
import { reexported, inc } from "./b.ts"; import * as a from "./a.ts"; inc(); inc(); console.log(reexported, a.n, a.m, hoisted()); function hoisted() { return typeof later; } var later = 1;
`,
  },
  {
    name: "the shape of a namespace",
    project: `== a.ts
export default 1; export const b = 2; export const a = 3; export function then() { return 1; }
== main.ts
import * as ns from "./a.ts"; console.log(Object.keys(ns), Object.prototype.toString.call(ns), Object.isFrozen(ns), Object.isSealed(ns), Reflect.ownKeys(ns).length); try { (ns as any).b = 1; } catch (e) { console.log((e as Error).message); }
`,
  },
  {
    name: "a local module that may be missing",
    project: `== main.ts
let m; try { m = await import("./local_config.ts"); } catch { m = { default: "defaults" }; } console.log(m.default);
`,
  },
  {
    name: "CommonJS that imports ECMAScript modules late",
    project: `== c.cjs
module.exports = { load: () => import("./e.mjs"), n: async (x) => (await import(\`./l/\${x}.mjs\`)).default, b: () => import("node:path") };
== e.mjs
export const e = import.meta.filename.split("/").pop();
== l/a.mjs
export default "la";
== main.ts
import c from "./c.cjs"; console.log((await c.load()).e, await c.n("a"), typeof (await c.b()).join);
`,
  },
  {
    name: "the names of CommonJS, however they are exported",
    project: `== a.cjs
module.exports = { a: 1, b: "s", c() {}, get d() { return 1; }, e: [1], ...{ f: 1 }, "g-h": 2, [\`i\`]: 3 };
== b.cjs
exports.x = exports.y = void 0; exports.x = 1; exports["y z"] = 2; module.exports.w = 3; var e = exports; e.viaAlias = 4;
== c.cjs
"use strict"; Object.defineProperty(exports, "__esModule", { value: true }); exports.default = "def"; exports.named = "n";
== d.cjs
module.exports = function f() {}; module.exports.prop = 1; module.exports.default = module.exports;
== e.cjs
(function (root, factory) { if (typeof exports === "object") factory(exports); else factory(root.e = {}); })(this, function (exports) { exports.umd = 1; });
== f.cjs
class K { static s = 1; } module.exports = K;
== g.cjs
Object.assign(exports, { viaAssign: 1 }); exports.direct = 2;
== h.cjs
0 && (module.exports = { es1, es2 }); var es1, es2; module.exports = { get es1() { return 5; }, es2: 6 };
== main.ts
import * as a from "./a.cjs"; import * as b from "./b.cjs"; import * as c from "./c.cjs"; import * as d from "./d.cjs"; import * as e from "./e.cjs"; import * as f from "./f.cjs"; import * as g from "./g.cjs"; import * as h from "./h.cjs";
for (const m of [a, b, c, d, e, f, g, h]) console.log(Object.keys(m).sort().join(), typeof (m as any).default);
import def from "./c.cjs"; console.log(def);
`,
  },
  {
    name: "CommonJS that requires directories and packages",
    project: `== c.cjs
console.log(require("./pk"), require("./pk2").x, require("./pk3/"));
== pk/package.json
{"main":"lib/m"}
== pk/lib/m.js
exports.pk = 1;
== pk/lib/package.json
{"type":"commonjs"}
== pk2/package.json
{"main":"./x.cjs","type":"module"}
== pk2/x.cjs
exports.x = "x";
== pk3/package.json
{}
== pk3/index.js
module.exports = "pk3 index";
== main.ts
import "./c.cjs";
`,
  },
  {
    name: "declarations that leave nothing",
    project: `== t.ts
export type A = 1; export interface B {} export declare const c: number; export declare function d(): void; export abstract class E { abstract x: number; } export type { F } from "./f.ts"; declare global { interface Q {} } declare module "foo" { } export {}; 
== f.ts
console.log("f evaluated"); export type F = 2;
== main.ts
import { A, B, E } from "./t.ts"; import type D from "./none.ts"; import { type F } from "./f.ts"; import * as T from "./t.ts"; type Z = T.A; let a: A | B | D | F | Z; class X extends E { x = 1; } console.log(new X().x, Object.keys(T));
`,
  },
  {
    name: "standard decorators of every member",
    project: `== main.ts
function d(v: any, c: any) { console.log(c.kind, String(c.name)); return v; } @d class A { @d m() {} @d f = 1; @d static s() {} @d get g() { return 1; } @d accessor acc = 1; @d #p() { return 2; } p() { return this.#p(); } } console.log(new A().p());
`,
  },
  {
    name: "imports that stand in strings and comments",
    project: `== main.ts
const s = \`import("./no.ts") \${\`nested \${"import './x'"}\`}\`; // import "./c.ts"
/* import.meta */ const r = /import\\("x"\\)/; console.log(s, r.source, "\\u{1F600}".length, '</script>', \`
multi\`);
`,
  },
  {
    name: "imports in odd layouts",
    project: `== a.ts
export default 1
export const x = 2
== main.ts
import * as
  ns
  from
  './a.ts'
import d, { x as
y, } from "./a.ts"
;import"./a.ts";import{x}from"./a.ts";import q,*as w from"./a.ts"
console.log(ns, d, y, x, q, w.x)
export{x}from"./a.ts";export*from"./a.ts"
`,
  },
  {
    name: "escapes in specifiers and names",
    project: `== a.ts
export const café = 1, \\u0061b = 2;
== main.ts
import { café, ab } from "\\x2e/\\u0061.ts"; console.log(café, ab);
`,
  },
  {
    name: "JSON with odd keys",
    project: `== a.json
{"__proto__":{"x":1},"constructor":2,"a b":3,"default":4,"\\u2028":"\\u2029"}
== main.ts
import j from "./a.json" with { type: "json" }; console.log(j, Object.keys(j)); import * as n from "./a.json" with { type: "json" }; console.log(Object.keys(n));
`,
  },
  {
    name: "one file by several specifiers",
    project: `== sub/a.ts
export const o = {};
== deno.json
{"imports":{"a":"./sub/a.ts","p/":"./sub/"}}
== main.ts
import { o } from "./sub/a.ts"; import { o as b } from "a"; import { o as c } from "p/a.ts"; import { o as d } from "./sub/../sub/./a.ts"; import { o as e } from "./sub/a.ts#h"; const { o: f } = await import("./sub/" + "a.ts"); const g = (await import(import.meta.resolve("a"))).o; const h = (await import(new URL("./sub/a.ts", import.meta.url).href)).o; console.log(o === b, o === c, o === d, o === e, o === f, o === g, o === h);
`,
  },
  {
    name: "imports that lead nowhere fail when they run",
    project: `== main.ts
const late = [
  () => import("optional"), () => import("./missing.ts"), () => import("./bad.json", { with: { type: "json" } }),
  () => import("./bad.ts"), () => import("./below.ts"), () => import("./x.css"), () => import("./throws.ts"),
];
for (const load of late) {
  try { await load(); } catch (error) { const { name, code } = error as Error & { code: string }; console.log(name, code); }
}
== bad.json
{
== bad.ts
export const = 1;
== below.ts
import "./missing.ts";
== x.css
a {}
== throws.ts
throw new RangeError("own");
`,
  },
  {
    name: "require of ECMAScript modules, and the place of a CommonJS module",
    project: `== c.cjs
const e = require("./e.mjs"); const n = require("./n.mjs");
console.log(e.x, e.default, e.__esModule, require("./e.mjs") === e, n.__esModule, require("./d"), require.main === module);
console.log([module.filename, __filename, require.resolve("./d.json")].map((path) => path.split("/").pop()));
== e.mjs
export const x = 1; export default 2;
== n.mjs
export const n = 1;
== d.json
{ "q": 1 }
== main.ts
import "./c.cjs";
`,
  },
  {
    name: "computed imports of names that the import map has",
    project: `== deno.json
{"imports":{"a":"./sub/a.ts","b":"./sub/b.ts"}}
== sub/a.ts
export const a = {};
== sub/b.ts
export const b = {};
== main.ts
import * as a from "a"; import * as b from "b"; const name = "a";
console.log((await import(name)) === a, (await import(import.meta.resolve("b"))).b === b.b);
`,
  },
  {
    name: "import defer, in part of what awaits at its top level",
    project: `== side.ts
console.log("side"); export const s = 1;
== d.ts
import { s } from "./side.ts"; import { shared } from "./shared.ts"; console.log("d"); export const x = s + shared;
== shared.ts
console.log("shared"); export const shared = 10;
== tla.ts
console.log("tla before"); await 0; console.log("tla after"); export const t = 1;
== withtla.ts
import { t } from "./tla.ts"; console.log("withtla"); export const v = t;
== cyc.ts
import defer * as m from "./d.ts"; export const c = () => typeof m;
== lib.ts
import defer * as path from "node:path"; export const j = () => path.join("a", "b");
== main.ts
import { shared } from "./shared.ts"; import defer * as d from "./d.ts"; import defer * as w from "./withtla.ts"; import { c } from "./cyc.ts"; import { j } from "./lib.ts";
console.log("main", shared); console.log(d.x, w.v, d.x, c(), j()); const m = await import("./d.ts"); console.log(m.x);
export {};
`,
  },
  {
    name: "an import defer that fails",
    project: `== d.ts
throw new RangeError("own"); export const x = 1;
== main.ts
import defer * as d from "./d.ts"; console.log("main"); for (let i = 0; i < 2; i++) try { console.log(d.x); } catch (e) { console.log((e as Error).message); }
`,
  },
];
