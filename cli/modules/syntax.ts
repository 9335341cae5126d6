/**
 * The syntax of a module: its imports, its syntax tree, and the stack that parsing it needs.
 *
 * @module
 */
import type {
  AnyNode,
  AssignmentProperty,
  MemberExpression,
  Node,
  Pattern,
  Program,
  Property,
} from "npm:acorn@^8.19.0";
import type { DynamicImport, StaticImport } from "npm:es-module-lexer@^3.0.5";
import { lineStarts, ModuleError, positionAt } from "../../runtime/code/source_map.ts";

/** An import or re-export with a literal specifier. */
export interface Import {
  /** The specifier, unescaped. */
  specifier: string;
  /** The start of its literal, at the quote, in UTF-16 code units. */
  start: number;
  /** The end of its literal, after the quote. */
  end: number;
  /** The start of the keyword of an `import()` expression. */
  keyword?: number;
  /** The import attributes, if any. */
  attributes?: Record<string, string>;
  /** The end of the attributes clause of a statement, which starts after the specifier. */
  clauseEnd?: number;
  /** Whether it is an `import defer`, whose module runs when it is first used. */
  deferred?: boolean;
  /** The reason why this import can only lead to a library module, if so. */
  libraryOnly?: string;
}

/** The imports of a module, and its uses of `import.meta`. */
export interface ModuleImports {
  /** The imports, in the order of the text. */
  imports: Import[];
  /** The start and end of each `import.meta`, in the order of the text. */
  metaProperties: [start: number, end: number][];
}

/** Literal options of an `import()`: `{ with: { type: "json" } }`. */
const LITERAL_OPTIONS =
  /^\{\s*(?:with|(["'])with\1)\s*:\s*\{\s*(?:type|(["'])type\2)\s*:\s*(["'])(\w+)\3\s*,?\s*\}\s*,?\s*\}\s*,?\s*\)$/;

/**
 * Finds the imports of a JavaScript module.
 *
 * @throws {ModuleError} at the position in `path` of a syntax error.
 */
export async function findImports(text: string, path: string): Promise<ModuleImports> {
  const { init, parse } = await import("npm:es-module-lexer@^3.0.5");
  await init;
  let found;
  try {
    [found] = parse(text);
  } catch (error) {
    const position = (error as { idx?: number }).idx ?? 0;
    throw new ModuleError("syntax error", { path, ...positionAt(lineStarts(text), position) });
  }
  const imports: Import[] = [];
  const metaProperties: [number, number][] = [];
  for (const one of found) {
    if (one.type === "import-meta") metaProperties.push([one.start, one.end]);
    else if (one.type !== "dynamic") imports.push(staticImport(one));
    // An argument that is not a literal, such as a template, is resolved when it runs.
    else if (one.specifier !== undefined && !one.glob) {
      const written = dynamicImport(one, text);
      if (written) imports.push(written);
    }
  }
  return { imports, metaProperties };
}

function staticImport(found: StaticImport): Import {
  const { specifier, start, end, importEnd, attributes, phase } = found;
  return {
    specifier,
    start: start - 1,
    end: end + 1,
    ...attributes && { attributes: Object.fromEntries(attributes), clauseEnd: importEnd },
    ...phase === "defer" && { deferred: true },
    ...phase === "source" && { libraryOnly: "import source of a local module cannot be shipped" },
  };
}

/** The import of an `import()` expression, unless its options are computed. */
function dynamicImport(found: DynamicImport, text: string): Import | undefined {
  const { specifier, start, end, importStart, importEnd, attributesStart, phase } = found;
  const place = { specifier: specifier!, start, end, keyword: importStart };
  if (phase) {
    return { ...place, libraryOnly: `import.${phase}() of a local module cannot be shipped` };
  }
  if (attributesStart < 0) return place;
  const type = LITERAL_OPTIONS.exec(text.slice(attributesStart, importEnd))?.[4];
  return type === undefined ? undefined : { ...place, attributes: { type } };
}

/**
 * The error for code nested too deeply to parse: Deno's parser would overflow its stack and end the
 * server.
 */
export const TOO_DEEP = "expressions or blocks are nested too deep to be parsed";

/** The result of parsing a text. */
export interface Syntax {
  /** Its tree, as a module. */
  program?: Program;
  /** The position of the syntax error, if any. */
  fault?: number;
  /** The message of the syntax error. */
  reason?: string;
}

/**
 * Parses the JavaScript of a module.
 *
 * @throws {ModuleError} if it is nested so deep that Deno's parsers, which do not check this, would
 * end the server.
 */
export async function parseModule(text: string, path: string): Promise<Syntax> {
  let syntax = await parseText(text, path);
  if (syntax.fault !== undefined) {
    const plain = await withoutPhases(text);
    if (plain !== text) syntax = await parseText(plain, path);
  }
  const { program } = syntax;
  if (program && stackDemand(program) > DENO_STACK) throw new ModuleError(TOO_DEEP, { path });
  return syntax;
}

async function parseText(text: string, path: string): Promise<Syntax> {
  const { parse } = await import("npm:acorn@^8.19.0");
  try {
    return {
      program: parse(text, { ecmaVersion: "latest", sourceType: "module", preserveParens: true }),
    };
  } catch (error) {
    const { message, pos: fault } = error as SyntaxError & { pos: number };
    if (error instanceof RangeError || /stack space/.test(message)) {
      throw new ModuleError(TOO_DEEP, { path }, { cause: error });
    }
    return { fault, reason: message.replace(/ \(\d+:\d+\)$/, "") };
  }
}

/**
 * Blanks out syntax that this parser does not know yet, such as `import defer`. Positions stay the
 * same.
 */
async function withoutPhases(text: string): Promise<string> {
  const { init, parse } = await import("npm:es-module-lexer@^3.0.5");
  await init;
  let imports;
  try {
    [imports] = parse(text);
  } catch {
    return text;
  }
  let plain = text;
  for (const one of imports) {
    if (one.type === "import-meta" || !one.phase) continue;
    const [written] = /^import\s*\.?\s*(?:defer|source)\b/.exec(text.slice(one.importStart)) ?? [];
    if (written === undefined) continue;
    const blanked = "import" + written.slice("import".length).replace(/\S/g, " ");
    plain = plain.slice(0, one.importStart) + blanked +
      plain.slice(one.importStart + written.length);
  }
  return plain;
}

/** The nodes directly below a node. */
function childNodes(node: Node): AnyNode[] {
  const children: AnyNode[] = [];
  for (const key in node) {
    const value = (node as unknown as Record<string, unknown>)[key];
    if (typeof value !== "object" || value === null) continue;
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child?.type === "string") children.push(child);
    }
  }
  return children;
}

/**
 * Calls `visit` with a node and all below it, and with their parents. If it returns false, the
 * nodes below are skipped.
 *
 * It is not recursive, unlike acorn-walk, which runs out of stack in a chain of 1,500 members or
 * 3,000 operators. Deno's limits are 8,100 and 4,800.
 */
export function walkSyntax(
  root: Node,
  visit: (node: AnyNode, parent: AnyNode | undefined) => boolean | void,
): void {
  const pending: { node: AnyNode; parent?: AnyNode }[] = [{ node: root as AnyNode }];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { node, parent } = next;
    if (visit(node, parent) === false) continue;
    for (const child of childNodes(node).reverse()) pending.push({ node: child, parent: node });
  }
}

/** The name of an identifier; undefined for any other node. */
export function nameOf(node: Node | null | undefined): string | undefined {
  const identifier = node as AnyNode | null | undefined;
  return identifier?.type === "Identifier" ? identifier.name : undefined;
}

/** The value of a string literal; undefined for any other node. */
export function textOf(node: Node | null | undefined): string | undefined {
  const literal = node as AnyNode | null | undefined;
  return literal?.type === "Literal" && typeof literal.value === "string"
    ? literal.value
    : undefined;
}

/** The property name of `object.name`, `object["name"]` or `{ name: value }`, if it is literal. */
export function keyOf(node: MemberExpression | Property | AssignmentProperty): string | undefined {
  const key = node.type === "Property" ? node.key : node.property;
  return (node.computed ? undefined : nameOf(key)) ?? textOf(key);
}

/** Whether a node is `object.name`, of an identifier `object`. */
export function isMember(node: Node | null | undefined, object: string, name: string): boolean {
  const member = node as AnyNode | null | undefined;
  return member?.type === "MemberExpression" && nameOf(member.object) === object &&
    keyOf(member) === name;
}

/** The names that a pattern binds, in the order of the text. */
export function boundNames(pattern: Pattern): string[] {
  switch (pattern.type) {
    case "Identifier":
      return [pattern.name];
    case "ObjectPattern":
      return pattern.properties.flatMap((each) =>
        boundNames(each.type === "Property" ? each.value : each)
      );
    case "ArrayPattern":
      return pattern.elements.flatMap((each) => each ? boundNames(each) : []);
    case "AssignmentPattern":
      return boundNames(pattern.left);
    case "RestElement":
      return boundNames(pattern.argument);
    case "MemberExpression":
      return [];
  }
}

/**
 * Whether a module uses each name that it imports, so that a compiler would keep all its imports.
 * False if unsure, such as where a local variable may have the name.
 */
export function usesImports(program: Program, text: string): boolean {
  const imported: string[] = [];
  for (const each of program.body) {
    if (each.type !== "ImportDeclaration") continue;
    imported.push(...each.specifiers.map(({ local }) => local.name));
    // All its names were types, unless it has no braces.
    const isEmpty = each.specifiers.length === 0;
    if (isEmpty && text.slice(each.start, each.source.start).includes("{")) return false;
  }
  if (imported.length === 0) return true;
  const used = new Set<string>();
  const bound = new Set<string>();
  walkSyntax(program, (node, parent) => {
    switch (node.type) {
      case "ImportDeclaration":
        return false;
      case "ObjectPattern":
      case "ArrayPattern":
        for (const name of boundNames(node)) bound.add(name);
        return false;
      case "Identifier":
        if (isBinding(node, parent)) bound.add(node.name);
        else if (!isKey(node, parent)) used.add(node.name);
    }
  });
  return imported.every((name) => used.has(name) && !bound.has(name));
}

/** Whether an identifier outside of the patterns of objects and arrays declares a name. */
function isBinding(node: Node, parent: AnyNode | undefined): boolean {
  switch (parent?.type) {
    case "VariableDeclarator":
    case "ClassDeclaration":
    case "ClassExpression":
      return parent.id === node;
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression":
      return parent.body !== node;
    case "AssignmentPattern":
      return parent.left === node;
    case "RestElement":
    case "CatchClause":
      return true;
  }
  return false;
}

/** Whether an identifier is a name of something else than a variable. */
function isKey(node: Node, parent: AnyNode | undefined): boolean {
  switch (parent?.type) {
    case "MemberExpression":
      return parent.property === node && !parent.computed;
    case "Property":
    case "MethodDefinition":
    case "PropertyDefinition":
      return parent.key === node && parent.value !== node && !parent.computed;
    case "ExportSpecifier":
      return parent.local !== node;
    case "LabeledStatement":
    case "BreakStatement":
    case "ContinueStatement":
    case "MetaProperty":
      return true;
  }
  return false;
}

/** Whether the evaluation of a module may pause at a top-level `await`. True if unsure. */
export function mayPause(text: string, { program }: Syntax): boolean {
  if (!text.includes("await")) return false;
  if (program === undefined) return true;
  let pauses = false;
  walkSyntax(program, (node) => {
    switch (node.type) {
      case "AwaitExpression":
        pauses = true;
        break;
      case "ForOfStatement":
        pauses ||= node.await;
        break;
      case "VariableDeclaration":
        pauses ||= node.kind === "await using";
        break;
      case "FunctionDeclaration":
      case "FunctionExpression":
      case "ArrowFunctionExpression":
        return false;
    }
  });
  return pauses;
}

/**
 * The stack that nested syntax may use, in bytes: the threads of Deno 2.9.6 have 2 MiB, part of
 * which is already in use.
 */
const DENO_STACK = 1.8 * 1024 * 1024;

/**
 * The stack that Deno 2.9.6 uses for one nested node, in bytes, as measured: 2 MiB divided by the
 * number of them that ended it. All others use at most {@linkcode OTHER_DEMAND}.
 */
const DEMANDS: Partial<Record<AnyNode["type"], number>> = {
  ArrayExpression: 1870,
  // Parameters and assignment targets are first parsed as an array.
  ArrayPattern: 1870,
  ArrowFunctionExpression: 2602,
  BinaryExpression: 391,
  BlockStatement: 1301,
  CallExpression: 1330,
  ChainExpression: 108,
  ClassDeclaration: 3840,
  ClassExpression: 3840,
  ConditionalExpression: 393,
  DoWhileStatement: 888,
  ForInStatement: 888,
  ForOfStatement: 888,
  ForStatement: 888,
  FunctionDeclaration: 1200,
  FunctionExpression: 2750,
  IfStatement: 230,
  ImportExpression: 1264,
  LabeledStatement: 1208,
  LogicalExpression: 391,
  MemberExpression: 232,
  NewExpression: 1822,
  ObjectExpression: 1900,
  ParenthesizedExpression: 2770,
  Property: 60,
  SwitchStatement: 1208,
  TemplateLiteral: 1867,
  UnaryExpression: 312,
  WhileStatement: 888,
};

const OTHER_DEMAND = 550;

/** The stack for a node in a chain: `f()()` needs less than `f(f())`. */
function demandFor(node: AnyNode, child: Node): number {
  if (node.type === "CallExpression" && child === node.callee) return 500;
  if (node.type === "MemberExpression" && node.computed && child === node.property) return 1954;
  return DEMANDS[node.type] ?? OTHER_DEMAND;
}

/** The stack that the deepest part of a tree needs, in bytes. */
function stackDemand(program: Program): number {
  let most = 0;
  const pending: { node: Node; above: number }[] = [{ node: program, above: 0 }];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { node, above } = next;
    most = Math.max(most, above);
    for (const child of childNodes(node)) {
      pending.push({ node: child, above: above + demandFor(node as AnyNode, child) });
    }
  }
  return most;
}
