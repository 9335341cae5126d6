/**
 * The syntax tree of a module, and what it says of how a server can take the module.
 *
 * @module
 */
import type { AnyNode, Node, Program } from "npm:acorn@^8.19.0";
import { ModuleError } from "../../runtime/code/module_error.ts";

/** Why a text is refused that a parser has no stack for; Deno's own would end the server. */
export const TOO_DEEP = "expressions or blocks are nested too deep in each other to be parsed";

/** What parsing a text gives. */
export interface Syntax {
  /** Its tree, of a module. */
  program?: Program;
  /** Where it is no JavaScript. */
  fault?: number;
  /** What is wrong there. */
  reason?: string;
}

/**
 * Parses the JavaScript of a module.
 *
 * @throws {ModuleError} when it is nested so deep that the parsers of Deno, which do not check that, would
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

/** A text without what this parser does not know yet: `import defer`, and the like. All else keeps its place. */
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

/** Calls `visit` with a node and all below it, unless that returns false: then not with those below. */
export function walkSyntax(root: Node, visit: (node: AnyNode) => boolean | void): void {
  // The tree of a long chain of operators is deeper than the stack.
  const pending: Node[] = [root];
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (visit(node as AnyNode) === false) continue;
    const children = childNodes(node);
    for (let index = children.length; index-- > 0;) pending.push(children[index]!);
  }
}

/** Whether a module may pause while it is evaluated, at a top-level `await`; when in doubt, it may. */
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
 * How much stack, in bytes, may be used to read what is nested in each other: the threads of Deno 2.9.6 have
 * 2 MiB, some of which is in use already.
 */
const DENO_STACK = 1.8 * 1024 * 1024;

/**
 * How much stack Deno 2.9.6 takes for one node inside another, in bytes, as measured: 2 MiB by the number
 * of them that ended it. All others take no more than {@linkcode OTHER_DEMAND}.
 */
const DEMANDS: Partial<Record<AnyNode["type"], number>> = {
  ArrayExpression: 1870,
  // Of parameters and assignments it is read as an array first.
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

/** What nodes take for the one below that a chain goes on in: `f()()` is less than `f(f())`. */
function demandFor(node: AnyNode, child: Node): number {
  if (node.type === "CallExpression" && child === node.callee) return 500;
  if (node.type === "MemberExpression" && node.computed && child === node.property) return 1954;
  return DEMANDS[node.type] ?? OTHER_DEMAND;
}

/** How much stack the deepest part of a tree demands, in bytes. */
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
