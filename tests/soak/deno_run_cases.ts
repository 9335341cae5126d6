/**
 * Projects whose modules do the same under `deno run` and under `load`.
 *
 * @module
 */

/** A project, and what it shows. */
export interface DenoRunCase {
  /** What is the same. */
  name: string;
  /** The files, each behind a line `== its/path`. */
  project: string;
  /** The module to run, when it is not `main.ts`. */
  entry?: string;
  /** Files that are no text, as Base64. */
  binary?: Record<string, string>;
  /** What `load` says of a project that `deno run` runs and that cannot be shipped. */
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
];
