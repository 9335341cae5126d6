/**
 * CommonJS modules as units. Each becomes two: one that runs the module when it is first required, and
 * one with its exports, which ECMAScript modules import.
 *
 * @module
 */
import { extname, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { applyEdits, editMappings, type TextEdit } from "../../runtime/code/source_map.ts";
import { findCommonJsExports } from "./common_js_exports.ts";
import { findCandidates, findRequires } from "./computed_imports.ts";
import type { JavaScript } from "./javascript.ts";
import { type ImportKind, isFile, mainFile, type Packages } from "./npm_packages.ts";
import type { LibraryTarget, LocalTarget } from "./resolver.ts";
import type { Program } from "npm:acorn@^8.19.0";

/** What a `require` of a specifier leads to, or undefined. */
export type ResolveRequire = (specifier: string) => LocalTarget | LibraryTarget | undefined;

/** The scheme of the specifiers by which generated modules import what runs a CommonJS module. */
export const COMMON_JS = "commonjs:";

/** What `require` may leave out, in the order in which Node tries it: of a file, and of a directory. */
const EXTENSIONS = ["", ".js", ".json", ".cjs", ".ts"];
const INDEX_FILES = ["/index.js", "/index.json", "/index.cjs"];

/** Whether the JavaScript of the file at `path` is CommonJS, as Deno tells it when it is asked for. */
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

/** Whether a file is part of an installed package, which is CommonJS where it does not say. */
function isInstalled(path: string): boolean {
  return path.includes(`${sep}node_modules${sep}`);
}

/** The file that a required path means, as Node completes it. */
export function completeRequired(path: string, packages: Packages): string {
  const named = EXTENSIONS.map((extension) => path + extension).find(isFile);
  if (named !== undefined) return named;
  const own = packages.at(path);
  return own && mainFile(own) || INDEX_FILES.map((index) => path + index).find(isFile) || path;
}

/** A module that exports `load`, which runs the CommonJS module at `path`, once, and gives its exports. */
export async function commonJsModule(
  { text, mappings }: JavaScript,
  path: string,
  resolve: ResolveRequire,
): Promise<JavaScript> {
  const { imports, cases } = requiredModules(await findRequired(text, path), resolve);
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
    `export function load(${asksWhetherMain(text) ? "isMain" : ""}) {`,
    "  if (module$) return module$.exports;",
    `  const own = module$ = { exports: {}, id: ".", ${filename}loaded: false, children: [], paths: [] };`,
    "  own.require = require$;",
    ...asksWhetherMain(text) ? ["  if (isMain) require$.main = own;"] : [],
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
  const plain = text.replace(/^#!/, "//");
  const head = "function commonjs$(exports, require, module, __filename, __dirname) {";
  const edits: TextEdit[] = [{ start: 0, end: 0, replacement: head }];
  return {
    text: applyEdits(plain, edits) + tail,
    ...mappings && { mappings: editMappings(mappings, plain, edits) },
  };
}

/** Whether a text may have `require.main`, which stands for the module that the process was started for. */
function asksWhetherMain(text: string): boolean {
  return /\brequire\s*\.\s*main\b/.test(text);
}

/** What stands for the modules that a CommonJS module requires: their imports, and the cases of a `switch`. */
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

/** A module that exports `load`, which gives what `require` of an ECMAScript module gives. */
export function requiredModule(path: string): string {
  return `import * as own from ${JSON.stringify(pathToFileURL(path).href)};\nvar made;\n` +
    `export function load() { return ${exportsOf("own", "made")}; }\n`;
}

/** The module that ECMAScript modules import as the CommonJS module at `path`. */
export async function commonJsFacade(
  text: string,
  path: string,
  resolve: (specifier: string, from: string) => LocalTarget | LibraryTarget | undefined,
): Promise<string> {
  const names = await exportedNames(text, path, resolve);
  names.delete("default");
  const lines = [...names].map((name, index) => {
    const written = JSON.stringify(name);
    return `const export${index} = exported[${written}]; export { export${index} as ${written} };`;
  });
  return [
    `import { load } from ${JSON.stringify(COMMON_JS + path)};`,
    `const exported = load(${asksWhetherMain(text) ? "import.meta.main" : ""});`,
    `export { exported as default, exported as "module.exports" };`,
    ...lines,
    "",
  ].join("\n");
}

/**
 * What `require` gives of a module's namespace, and keeps in a variable.
 *
 * @see https://nodejs.org/api/modules.html#loading-ecmascript-modules-using-require
 */
function exportsOf(namespace: string, kept: string): string {
  return `${kept} ??= "module.exports" in ${namespace} ? ${namespace}["module.exports"] : ` +
    `"default" in ${namespace} ? { __proto__: null, ...${namespace}, __esModule: true } : ${namespace}`;
}

/** The names that a CommonJS module exports, as far as its text says: as Node finds them. */
async function exportedNames(
  text: string,
  path: string,
  resolve: (specifier: string, from: string) => LocalTarget | LibraryTarget | undefined,
): Promise<Set<string>> {
  const names = new Set<string>();
  const seen = new Set<string>();
  const pending = [{ text, path }];
  for (let next = pending.pop(); next; next = pending.pop()) {
    if (seen.has(next.path)) continue;
    seen.add(next.path);
    const program = await parseCommonJs(next.text);
    if (program === undefined) continue;
    const found = findCommonJsExports(program);
    for (const name of found.names) names.add(name);
    for (const specifier of found.reexports) {
      const target = resolve(specifier, next.path);
      if (target?.kind !== "local" || !isFile(target.path)) continue;
      pending.push({ text: await Deno.readTextFile(target.path), path: target.path });
    }
  }
  return names;
}

/** The specifiers by which a text may `require` something, each once. */
async function findRequired(text: string, path: string): Promise<Set<string>> {
  const program = await parseCommonJs(text);
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

/** The syntax tree of a CommonJS module; undefined where the server is to say what is wrong with it. */
async function parseCommonJs(text: string): Promise<Program | undefined> {
  const { parse } = await import("npm:acorn@^8.19.0");
  try {
    return parse(text, { ecmaVersion: "latest", sourceType: "commonjs", allowHashBang: true });
  } catch {
    return undefined;
  }
}
