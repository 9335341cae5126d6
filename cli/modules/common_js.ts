/**
 * CommonJS modules as units. Each becomes two: one that runs the module when it is first required,
 * and one with its exports, which ECMAScript modules import.
 *
 * @see https://github.com/nodejs/cjs-module-lexer
 *
 * @module
 */
import { extname, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type {
  AnyNode,
  CallExpression,
  Node,
  ObjectExpression,
  Program,
  Property,
} from "npm:acorn@^8.19.0";
import { EditedText } from "../../runtime/code/edited_text.ts";
import { findCandidates, findRequires } from "./computed_imports.ts";
import type { JavaScript } from "./javascript.ts";
import { type ImportKind, isFile, mainFile, type Packages } from "./npm_packages.ts";
import type { LibraryTarget, LocalTarget } from "./resolver.ts";
import { isMember, keyOf, nameOf, textOf, walkSyntax } from "./syntax.ts";

/** Resolves a specifier of `require`; undefined if it leads nowhere. */
type ResolveRequire = (specifier: string) => LocalTarget | LibraryTarget | undefined;

/** The scheme of specifiers with which generated modules import CommonJS modules to run. */
export const COMMON_JS = "commonjs:";

/**
 * The extensions and index files that `require` may omit, in the order in which Node tries them.
 */
const EXTENSIONS = ["", ".js", ".json", ".cjs", ".ts"];
const INDEX_FILES = ["/index.js", "/index.json", "/index.cjs"];

/** Whether the JavaScript of the file at `path` is CommonJS, by Deno's rules. */
export async function isCommonJs(
  text: string,
  path: string,
  { packages, kind }: { packages: Packages; kind: ImportKind },
): Promise<boolean> {
  const extension = extname(path);
  if (extension === ".cjs" || extension === ".cts") return true;
  if (extension !== ".js" && extension !== ".ts") return false;
  const isAssumed = isInstalled(path) || kind === "require" && extension === ".js";
  const { type = isAssumed ? "commonjs" : "module" } = packages.around(path) ?? {};
  if (type !== "commonjs") return false;
  const { init, parse } = await import("npm:es-module-lexer@^3.0.5");
  await init;
  try {
    return !parse(text)[3];
  } catch {
    return false;
  }
}

/** Whether a file is part of an installed package, where CommonJS is the default. */
function isInstalled(path: string): boolean {
  return path.includes(`${sep}node_modules${sep}`);
}

/** Resolves a required path to a file, as Node does. */
export function completeRequired(path: string, packages: Packages): string {
  const named = EXTENSIONS.map((extension) => path + extension).find(isFile);
  if (named !== undefined) return named;
  const own = packages.at(path);
  return own && mainFile(own) || INDEX_FILES.map((index) => path + index).find(isFile) || path;
}

/**
 * A module that exports `load`, which runs the CommonJS module at `path` once and returns its
 * exports.
 */
export async function commonJsModule(
  { text, mappings }: JavaScript,
  path: string,
  resolve: ResolveRequire,
): Promise<JavaScript> {
  const program = await parseCommonJs(text);
  const { imports, cases } = requiredModules(findRequired(program, path), resolve);
  const asksMain = asksRequireMain(program);
  const place = /\b__(?:filename|dirname)\b/.test(text)
    ? "import.meta.filename, import.meta.dirname"
    : "undefined, undefined";
  const filename = /\bmodule\s*\.\s*filename\b/.test(text)
    ? "filename: import.meta.filename, "
    : "";
  const tail = [
    "",
    "}",
    ...imports,
    "var module$;",
    "function require$(specifier) {",
    "  switch (specifier) {",
    ...cases.map((each) => `    ${each}`),
    "  }",
    "  const builtin = globalThis.process.getBuiltinModule(specifier);",
    "  if (builtin) return builtin;",
    "  const reason = `cannot find module ${JSON.stringify(specifier)}: " +
    "what is required is shipped, so its specifier is written out, or begins with its directory`;",
    `  throw Object.assign(new Error(reason), { code: "MODULE_NOT_FOUND" });`,
    "}",
    ...text.includes("require.resolve")
      ? [
        "require$.resolve = (...all) => globalThis.process.getBuiltinModule('node:module')" +
        ".createRequire(import.meta.url).resolve(...all);",
      ]
      : [],
    "require$.cache = {};",
    `export function load(${asksMain ? "isMain" : ""}) {`,
    "  if (module$) return module$.exports;",
    `  const own = module$ = { exports: {}, id: ".", ${filename}loaded: false, children: [], paths: [] };`,
    "  own.require = require$;",
    ...asksMain ? ["  if (isMain) require$.main = own;"] : [],
    "  try {",
    `    commonjs$.call(own.exports, own.exports, require$, own, ${place});`,
    "    own.loaded = true;",
    "  } catch (error) {",
    "    module$ = undefined;",
    "    throw error;",
    "  }",
    "  return own.exports;",
    "}",
    "",
  ].join("\n");
  const code = new EditedText(text.replace(/^#!/, "//"));
  code.prepend("function commonjs$(exports, require, module, __filename, __dirname) {");
  code.append(tail);
  return {
    text: code.toString(),
    ...mappings !== undefined && { mappings: code.mappings(mappings) },
  };
}

/**
 * The imports of the modules that a CommonJS module requires, and the cases of the `switch` that
 * finds them.
 */
function requiredModules(
  specifiers: ReadonlySet<string>,
  resolve: ResolveRequire,
): { imports: string[]; cases: string[] } {
  const imports: string[] = [];
  const cases: string[] = [];
  for (const specifier of specifiers) {
    const target = resolve(specifier);
    if (target === undefined) continue;
    const name = `required$${cases.length}`;
    let value: string;
    if (target.kind === "library") {
      const library = JSON.stringify(target.specifier);
      if (target.specifier.startsWith("node:")) {
        value = `globalThis.process.getBuiltinModule(${library})`;
      } else {
        imports.push(`import * as ${name} from ${library};`, `var made$${cases.length};`);
        value = exportsOf(name, `made$${cases.length}`);
      }
    } else if (target.path.endsWith(".json")) {
      const url = JSON.stringify(pathToFileURL(target.path).href);
      imports.push(`import ${name} from ${url} with { type: "json" };`);
      value = name;
    } else {
      imports.push(`import { load as ${name} } from ${JSON.stringify(COMMON_JS + target.path)};`);
      value = `${name}()`;
    }
    cases.push(`case ${JSON.stringify(specifier)}: return ${value};`);
  }
  return { imports, cases };
}

/** A module that exports `load`, which returns what `require` of an ECMAScript module returns. */
export function requiredModule(path: string): string {
  return `import * as own from ${JSON.stringify(pathToFileURL(path).href)};\nvar made;\n` +
    `export function load() { return ${exportsOf("own", "made")}; }\n`;
}

/**
 * The module that ECMAScript modules import in place of the CommonJS module at `path`. It reads
 * `import.meta` only if that module uses `require.main`.
 */
export async function commonJsFacade(
  text: string,
  path: string,
  resolve: (specifier: string, from: string) => LocalTarget | LibraryTarget | undefined,
): Promise<string> {
  const program = await parseCommonJs(text);
  const names = await exportedNames(program, path, resolve);
  names.delete("default");
  const lines = [...names].map((name, index) => {
    const written = JSON.stringify(name);
    return `const export${index} = exported[${written}]; export { export${index} as ${written} };`;
  });
  return [
    `import { load } from ${JSON.stringify(COMMON_JS + path)};`,
    `const exported = load(${asksRequireMain(program) ? "import.meta.main" : ""});`,
    `export { exported as default, exported as "module.exports" };`,
    ...lines,
    "",
  ].join("\n");
}

/**
 * An expression for what `require` returns for a module's namespace, kept in a variable.
 *
 * @see https://nodejs.org/api/modules.html#loading-ecmascript-modules-using-require
 */
function exportsOf(namespace: string, kept: string): string {
  return `${kept} ??= "module.exports" in ${namespace} ? ${namespace}["module.exports"] : ` +
    `"default" in ${namespace} ? { __proto__: null, ...${namespace}, __esModule: true } : ${namespace}`;
}

/** The names that a CommonJS module exports, found in its text as Node does. */
async function exportedNames(
  entry: Program | undefined,
  path: string,
  resolve: (specifier: string, from: string) => LocalTarget | LibraryTarget | undefined,
): Promise<Set<string>> {
  const names = new Set<string>();
  const seen = new Set<string>();
  const pending = [{ program: entry, path }];
  for (let next = pending.pop(); next; next = pending.pop()) {
    if (seen.has(next.path) || next.program === undefined) continue;
    seen.add(next.path);
    const found = findCommonJsExports(next.program);
    for (const name of found.names) names.add(name);
    for (const specifier of found.reexports) {
      const target = resolve(specifier, next.path);
      if (target?.kind !== "local" || !isFile(target.path)) continue;
      const program = await parseCommonJs(await Deno.readTextFile(target.path));
      pending.push({ program, path: target.path });
    }
  }
  return names;
}

/** The specifiers that a text may `require`, without duplicates. */
function findRequired(program: Program | undefined, path: string): Set<string> {
  if (program === undefined) return new Set();
  const { literal, computed } = findRequires(program);
  const required = new Set(literal);
  for (const each of computed) {
    const options = { path, location: { path }, mapped: () => undefined };
    for (const { specifier } of findCandidates(each, options)) {
      if (!/\.(?:[cm]?[jt]s|json)$/.test(specifier)) continue;
      required.add(specifier).add(specifier.replace(/\.\w+$/, ""));
    }
  }
  return required;
}

/**
 * Whether a CommonJS module uses `require.main`, the module that the process was started with. True
 * if unsure.
 */
function asksRequireMain(program: Program | undefined): boolean {
  let asks = program === undefined;
  if (program) {
    walkSyntax(program, (node) => {
      asks ||= isMember(node, "require", "main");
    });
  }
  return asks;
}

/**
 * The syntax tree of a CommonJS module; undefined if it cannot be parsed, which the server then
 * reports.
 */
async function parseCommonJs(text: string): Promise<Program | undefined> {
  const { parse } = await import("npm:acorn@^8.19.0");
  try {
    return parse(text, { ecmaVersion: "latest", sourceType: "commonjs", allowHashBang: true });
  } catch {
    return undefined;
  }
}

/** The exports of a CommonJS module. */
interface CommonJsExports {
  /** The names that it exports itself. */
  names: Set<string>;
  /** The specifiers of the modules that it re-exports. */
  reexports: Set<string>;
}

/** The functions with which compilers re-export everything of another module. */
const EXPORT_ALL = new Set(["__export", "__exportStar"]);

/** Finds the exports of a CommonJS module. */
export function findCommonJsExports(program: Program): CommonJsExports {
  const names = new Set<string>();
  const reexports = new Set<string>();
  /** Names whose getters may do more than return a value. They are left out. */
  const uncertain = new Set<string>();
  const required = new Map<string, string>();

  const addObject = ({ properties }: ObjectExpression): void => {
    for (const property of properties) {
      if (property.type === "SpreadElement") {
        addAll(requiredBy(property.argument));
        continue;
      }
      const name = keyOf(property);
      if (name === undefined) continue;
      const isCertain = property.kind === "init" ||
        property.kind === "get" && isPlainGetter(property.value);
      (isCertain ? names : uncertain).add(name);
    }
  };
  const addAll = (specifier: string | undefined): void => {
    if (specifier !== undefined) reexports.add(specifier);
  };
  /** For `_other[key]`, the module that `_other` is. */
  const copiedFrom = (node: Node | undefined, key: string): string | undefined => {
    const member = node as AnyNode | undefined;
    if (member?.type !== "MemberExpression" || !member.computed) return undefined;
    return nameOf(member.property) === key ? required.get(nameOf(member.object) ?? "") : undefined;
  };
  const define = ([object, key, descriptor]: AnyNode[]): void => {
    if (!isExports(object) || descriptor?.type !== "ObjectExpression") return;
    const getter = descriptor.properties.find((each): each is Property =>
      each.type === "Property" && keyOf(each) === "get"
    );
    const name = textOf(key);
    if (name !== undefined) {
      (!getter || isPlainGetter(getter.value) ? names : uncertain).add(name);
    } else if (getter && key?.type === "Identifier") {
      addAll(copiedFrom(returnedBy(getter.value), key.name));
    }
  };

  walkSyntax(program, (node) => {
    switch (node.type) {
      case "VariableDeclarator": {
        const specifier = requiredBy(node.init ?? undefined);
        const name = nameOf(node.id);
        if (specifier !== undefined && name !== undefined) required.set(name, specifier);
        break;
      }
      case "CallExpression": {
        const args = node.arguments as AnyNode[];
        if (isMember(node.callee, "Object", "defineProperty")) define(args);
        const exportsAll = EXPORT_ALL.has(calledName(node) ?? "") &&
          (args.length === 1 || args.length === 2 && nameOf(args[1]!) === "exports");
        if (exportsAll) addAll(requiredBy(args[0]));
        break;
      }
      case "AssignmentExpression": {
        if (node.operator !== "=") break;
        const left = node.left as AnyNode;
        const right = assigned(node.right);
        if (isExports(left)) {
          if (right.type === "ObjectExpression") addObject(right);
          const specifier = requiredBy(right);
          if (specifier === undefined) break;
          reexports.clear();
          reexports.add(specifier);
        } else if (left.type === "MemberExpression" && isExports(left.object)) {
          const name = keyOf(left);
          if (name !== undefined) names.add(name);
          else addAll(copiedFrom(right, nameOf(left.property) ?? ""));
        }
      }
    }
  });
  for (const name of uncertain) names.delete(name);
  return { names, reexports };
}

/** The value assigned by `a = b = value`. */
function assigned(node: Node): AnyNode {
  const value = node as AnyNode;
  return value.type === "AssignmentExpression" ? assigned(value.right) : value;
}

/** Whether an expression is `exports` or `module.exports`. */
function isExports(node: Node | undefined): boolean {
  if (node === undefined) return false;
  return nameOf(node) === "exports" || isMember(node, "module", "exports");
}

/** The specifier of `require("x")`, including Babel's wrappers around it. */
function requiredBy(node: Node | undefined): string | undefined {
  const call = node as AnyNode | undefined;
  if (call?.type !== "CallExpression") return undefined;
  const [argument] = call.arguments;
  const name = nameOf(call.callee);
  if (name === "require") return textOf(argument);
  return name === "_interopRequireWildcard" ? requiredBy(argument) : undefined;
}

/** The name of the function called by `f()`, `x.f()` or `(0, x.f)()`. */
function calledName({ callee }: CallExpression): string | undefined {
  let called = callee as AnyNode;
  if (called.type === "SequenceExpression") called = called.expressions.at(-1) as AnyNode;
  return called.type === "MemberExpression" && !called.computed
    ? nameOf(called.property)
    : nameOf(called);
}

/** Whether a function only returns an existing value. */
function isPlainGetter(node: Node): boolean {
  const returned = returnedBy(node);
  return returned !== undefined && isPlain(returned);
}

/** The expression that is the whole body of a function. */
function returnedBy(node: Node): Node | undefined {
  const made = node as AnyNode;
  if (made.type !== "FunctionExpression" && made.type !== "ArrowFunctionExpression") {
    return undefined;
  }
  const body = made.body as AnyNode;
  if (body.type !== "BlockStatement") return body;
  const [statement, ...others] = body.body;
  if (statement?.type !== "ReturnStatement" || others.length > 0) return undefined;
  return statement.argument ?? undefined;
}

function isPlain(node: Node): boolean {
  const expression = node as AnyNode;
  switch (expression.type) {
    case "MemberExpression":
      return isPlain(expression.object) && (!expression.computed || isPlain(expression.property));
    case "Identifier":
    case "Literal":
    case "ObjectExpression":
      return true;
    default:
      return false;
  }
}
