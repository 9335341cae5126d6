/**
 * Computed `import()`: finds the modules that one may lead to. Like `deno compile`, it includes all
 * files whose names match the literal parts of the specifier.
 *
 * @module
 */
import type { AnyNode, ImportExpression, Node, Program } from "npm:acorn@^8.19.0";
import { dirname, extname, join, relative, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { ModuleError, type SourceLocation } from "../../runtime/code/source_map.ts";
import { isFile } from "./npm_packages.ts";
import { keyOf, nameOf, textOf, walkSyntax } from "./syntax.ts";

/** An `import()` whose specifier is not a literal, or the start of a worker. */
export interface ComputedImport {
  /** The position of its keyword, or of the class `Worker`. */
  keyword: number;
  /** The possible specifiers, each as its literal parts, with any text between them. */
  patterns: string[][];
  /** The type of the import attributes if it is a literal; `worker` for a worker. */
  type?: string;
}

/**
 * The maximum number of files for one computed import. More is a mistake, such as the whole disk.
 */
const MAX_CANDIDATES = 1_000;

/** The extensions of modules. Other files are candidates only for imports with attributes. */
const MODULE_EXTENSIONS = new Set([
  ".ts",
  ".mts",
  ".cts",
  ".tsx",
  ".js",
  ".mjs",
  ".cjs",
  ".jsx",
  ".wasm",
]);

/** The references of a module to others that are not literal imports. */
export interface ComputedImports {
  /** Its computed `import()`s. */
  imports: ComputedImport[];
  /**
   * The starts of workers with local modules: `new Worker(new URL("./worker.ts",
   * import.meta.url))`.
   */
  workers: ComputedImport[];
  /** The calls of `import.meta.resolve` with a literal: position and specifier. */
  resolved: { start: number; end: number; specifier: string }[];
}

/**
 * Finds a module's references to others, in the order of the text, without the `import()`s at the
 * positions in `literal`.
 */
export function findComputedImports(
  program: Program,
  literal: ReadonlySet<number>,
): ComputedImports {
  const imports: ComputedImport[] = [];
  const workers: ComputedImport[] = [];
  const resolved: ComputedImports["resolved"] = [];
  const paths: string[][] = [];
  const constants = constantsOf(program);
  walkSyntax(program, (node) => {
    switch (node.type) {
      case "Literal":
        if (/^\.{1,2}\/./.test(textOf(node) ?? "")) paths.push([textOf(node)!]);
        break;
      case "ImportExpression": {
        if (literal.has(node.start)) break;
        const type = attributeType(node, constants);
        const pattern = patternOf(node.source, constants);
        // If nothing is known about it, it may be any of the paths in the text, as in a table.
        const patterns = pattern[0] === "" ? paths : [pattern];
        imports.push({ keyword: node.start, patterns, ...type !== undefined && { type } });
        break;
      }
      case "NewExpression": {
        const [url] = node.arguments;
        if (nameOf(node.callee) !== "Worker" || url === undefined) break;
        const pattern = patternOf(url, constants);
        if (!/^\.{1,2}\//.test(pattern[0]!)) break;
        workers.push({ keyword: node.callee.start, patterns: [pattern], type: "worker" });
        break;
      }
      case "CallExpression": {
        const [specifier, ...others] = node.arguments;
        const text = textOf(specifier);
        if (!isMetaResolve(node.callee as AnyNode) || others.length > 0) break;
        if (text === undefined) break;
        resolved.push({ start: specifier!.start, end: specifier!.end, specifier: text });
      }
    }
  });
  for (const found of [imports, workers]) found.sort((a, b) => a.keyword - b.keyword);
  resolved.sort((a, b) => a.start - b.start);
  return { imports, workers, resolved };
}

/** The specifiers of `require` in a CommonJS module: the literal ones, and the others. */
export function findRequires(program: Program): { literal: string[]; computed: ComputedImport[] } {
  const literal: string[] = [];
  const computed: ComputedImport[] = [];
  const constants = constantsOf(program);
  walkSyntax(program, (node) => {
    if (node.type !== "CallExpression" || nameOf(node.callee) !== "require") return;
    const [specifier] = node.arguments;
    if (specifier === undefined) return;
    const text = textOf(specifier);
    if (text !== undefined) {
      literal.push(text);
    } else {
      // `require` loads data without attributes.
      const patterns = [patternOf(specifier, constants)];
      computed.push({ keyword: node.start, patterns, type: "json" });
    }
  });
  return { literal, computed };
}

/** A file that a computed import may lead to. */
interface FoundFile {
  /** Its absolute path. */
  path: string;
  /** The specifier that resolves to it. */
  specifier: string;
}

/** Options of {@linkcode findCandidates}. */
interface CandidateOptions {
  /** The absolute path of the importer's file. */
  path: string;
  /** The position of the import. */
  location: SourceLocation;
  /** Resolves a bare specifier to a file, or to a directory if it ends in a slash. */
  mapped: (specifier: string) => string | undefined;
}

/**
 * Finds the files that a computed import may lead to.
 *
 * @throws {ModuleError} at the import, if there are too many.
 */
export function findCandidates(
  { patterns, type }: ComputedImport,
  options: CandidateOptions,
): FoundFile[] {
  const found = new Map<string, FoundFile>();
  for (const pattern of patterns) {
    for (const file of matchingFiles(pattern, type, options)) found.set(file.specifier, file);
  }
  return [...found.values()].sort((a, b) => a.specifier < b.specifier ? -1 : 1);
}

function matchingFiles(
  [first = "", ...others]: string[],
  type: string | undefined,
  { path, location, mapped }: CandidateOptions,
): FoundFile[] {
  const start = first.slice(0, first.lastIndexOf("/") + 1);
  const isRelative = /^\.{1,2}\//.test(start);
  // An absolute path refers to the server's host.
  const isBare = first !== "" && !isRelative && !/^(?:\/|[a-z]+:)/.test(first);
  if (isBare && others.length === 0) {
    const file = mapped(first);
    if (file === undefined || !isFile(file)) return [];
    // By itself, or as import.meta.resolve returns it.
    return [first, relativeUrl(file, path)].map((specifier) => ({ path: file, specifier }));
  }
  const directory = isRelative
    ? resolve(dirname(path), start)
    : isBare && start !== ""
    ? mapped(start)
    : undefined;
  if (directory === undefined) return [];
  const names = [first.slice(start.length), ...others].map((text) => RegExp.escape(text));
  const matching = new RegExp(`^${names.join(".*")}$`, "s");
  const found: FoundFile[] = [];
  for (const file of filesBelow(directory, names.length === 1)) {
    const name = relative(directory, file).split(sep).join("/");
    const isCode = type === undefined || type === "worker";
    if (!matching.test(name) || isCode && !isModule(file)) continue;
    const specifier = isRelative ? relativeUrl(file, path) : start + name;
    if (found.push({ path: file, specifier }) > MAX_CANDIDATES) {
      throw new ModuleError(
        `import() of more than ${MAX_CANDIDATES} files below ${directory}: write out more of the ` +
          "specifier, such as a directory or the end of the name",
        location,
      );
    }
  }
  return found;
}

function isModule(path: string): boolean {
  return MODULE_EXTENSIONS.has(extname(path)) && !/\.d\.[mc]?ts$/.test(path);
}

/** The URL of a file relative to that of another. */
function relativeUrl(path: string, from: string): string {
  const name = relative(dirname(from), path).split(sep).join("/");
  const [, escaped] = pathToFileURL(join("/", name)).href.split("file:///");
  // A path that leads upwards would be resolved against the root.
  return name.startsWith("../") ? encodeURI(name) : `./${escaped}`;
}

function* filesBelow(directory: string, isSingle: boolean): Generator<string> {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(directory)];
  } catch {
    return; // It does not exist or cannot be read: the import fails when it runs.
  }
  for (const { name, isDirectory, isFile: isPlain, isSymlink } of entries) {
    const path = join(directory, name);
    if (isPlain || isSymlink) yield path;
    else if (isDirectory && !isSingle && name !== "node_modules" && !name.startsWith(".")) {
      yield* filesBelow(path, false);
    }
  }
}

/** The initializers of constants at the top level. */
function constantsOf(program: Program): Map<string, Node> {
  const constants = new Map<string, Node>();
  for (const statement of program.body) {
    if (statement.type !== "VariableDeclaration" || statement.kind !== "const") continue;
    for (const { id, init } of statement.declarations) {
      if (id.type === "Identifier" && init) constants.set(id.name, init);
    }
  }
  return constants;
}

/** The type requested by `{ with: { type: "json" } }`. */
function attributeType(
  { options }: ImportExpression,
  constants: ReadonlyMap<string, Node>,
): string | undefined {
  const known = options?.type === "Identifier" ? constants.get(options.name) : options;
  const attributes = property(known, "with");
  const type = property(attributes, "type");
  return type?.type === "Literal" ? String(type.value) : undefined;
}

function isMetaResolve(callee: AnyNode): boolean {
  return callee.type === "MemberExpression" && callee.object.type === "MetaProperty" &&
    nameOf(callee.property) === "resolve";
}

function property(node: Node | null | undefined, name: string): AnyNode | undefined {
  const object = node as AnyNode | null | undefined;
  if (object?.type !== "ObjectExpression") return undefined;
  for (const each of object.properties) {
    if (each.type === "Property" && keyOf(each) === name) return each.value as AnyNode;
  }
}

/** The literal parts of an expression, with any text between them: `a${x}b` is `["a", "b"]`. */
function patternOf(node: Node, constants: ReadonlyMap<string, Node>): string[] {
  const pattern = [""];
  for (const part of partsOf(node as AnyNode, constants, 0)) {
    if (part === undefined) pattern.push("");
    else pattern[pattern.length - 1] += part;
  }
  return pattern;
}

/** An expression as its literal parts, with undefined for each unknown part. */
function partsOf(
  node: AnyNode,
  constants: ReadonlyMap<string, Node>,
  depth: number,
): (string | undefined)[] {
  const below = (each: Node) => partsOf(each as AnyNode, constants, depth + 1);
  if (depth > 100) return [undefined];
  switch (node.type) {
    case "Literal":
      return typeof node.value === "string" ? [node.value] : [undefined];
    case "TemplateLiteral":
      return node.quasis.flatMap(({ value }, index) => {
        const expression = node.expressions[index];
        return [value.cooked ?? undefined, ...expression ? below(expression) : []];
      });
    case "BinaryExpression":
      return node.operator === "+" ? [...below(node.left), ...below(node.right)] : [undefined];
    case "ParenthesizedExpression":
      return below(node.expression);
    case "Identifier": {
      const value = constants.get(node.name);
      return value === undefined ? [undefined] : below(value);
    }
    case "MemberExpression":
      return isUrl(node.object as AnyNode) && nameOf(node.property) === "href"
        ? below(node.object)
        : [undefined];
    case "NewExpression":
      return isUrl(node) ? below(node.arguments[0]!) : [undefined];
    case "CallExpression": {
      const callee = node.callee as AnyNode;
      if (callee.type !== "MemberExpression") return [undefined];
      if (isMetaResolve(callee) && node.arguments.length === 1) return below(node.arguments[0]!);
      const isText = nameOf(callee.property) === "toString" && isUrl(callee.object as AnyNode);
      return isText ? below(callee.object) : [undefined];
    }
    default:
      return [undefined];
  }
}

/** Whether an expression is `new URL(x, import.meta.url)`. */
function isUrl(node: AnyNode): boolean {
  if (node.type !== "NewExpression" || nameOf(node.callee) !== "URL") return false;
  const base = node.arguments[1] as AnyNode | undefined;
  return base?.type === "MemberExpression" && base.object.type === "MetaProperty" &&
    nameOf(base.property) === "url";
}
