/**
 * The expansion of REPL inputs: TypeScript with top-level imports, `await` and declarations becomes
 * an expression that a server can evaluate.
 *
 * The input becomes the body of an async function inside `with (scope)`. So every name that it does
 * not declare itself is looked up in the session and then in the global scope each time it is used,
 * even by functions declared earlier than the name. The expansion rewrites
 *
 * - declarations at the top level, to assignments to names of the session;
 * - calls of a function by its name, `f()` to `(0, f)()`, because `with` would pass the scope as
 *   `this`;
 * - imports, which the server binds, and `import()`;
 * - the expression that the input ends with, to an assignment to the result.
 *
 * @module
 */
import type {
  AnyNode,
  ClassDeclaration,
  FunctionDeclaration,
  ImportDeclaration as ImportNode,
  ImportExpression,
  Literal,
  Node,
  Program,
  Statement,
  VariableDeclaration,
} from "npm:acorn@^8.19.0";
import MagicString from "npm:magic-string@^1.4.5";
import { type Mappings, sourcePosition } from "../../runtime/code/source_map.ts";
import { boundNames, textOf, walkSyntax } from "../modules/syntax.ts";
import type {
  Declaration,
  Expansion,
  ImportBinding,
  ImportDeclaration,
} from "../../runtime/repl/repl_protocol.ts";
import type { ResolveImport } from "./import_resolver.ts";
import { InputError, type LocateInput, type ParsedInput, parseInput } from "./parsed_input.ts";

/** An expansion, and a map of its positions to the input. */
export interface ExpandedSource {
  readonly expansion: Expansion;
  readonly locate: LocateInput;
}

/**
 * Expands an input.
 *
 * @throws {InputError} with the position of the error in the input.
 */
export async function expand(source: string, resolve: ResolveImport): Promise<ExpandedSource> {
  const input = await parseInput(source);
  const code = new MagicString(input.text);
  const importName = freshName("$import", input.text);
  const resultName = freshName("$result", input.text);
  await expandDynamicImports(code, input, { name: importName, resolve });
  const results = lastExpressions(input.program.body);
  expandCalls(code, input, new Set(results));
  for (const statement of results) {
    code.prependRight(statement.start, `${resultName} = (`);
    code.appendLeft(expressionEnd(input.text, statement), ")");
  }
  const imports = await expandImports(code, input, resolve);
  const declarations = expandDeclarations(code, input);
  code.prepend(
    "(function () { with (arguments[0]) return (function () { " +
      `return async (${importName}) => { "use strict"; let ${resultName};\n`,
  );
  code.append(`\nreturn { value: ${resultName} }; }; })(); })`);
  const { mappings } = code.generateDecodedMap({ hires: "boundary" });
  return {
    expansion: { text: code.toString(), declarations, imports },
    locate: (position) =>
      input.locate(sourcePosition(mappings as Mappings, position) ?? { line: 1, column: 1 }),
  };
}

/** A name that does not occur in a text. */
function freshName(name: string, text: string): string {
  return text.includes(name) ? freshName(`${name}_`, text) : name;
}

/** The end of an expression statement, without its semicolon. */
function expressionEnd(text: string, { end }: Node): number {
  return text[end - 1] === ";" ? end - 1 : end;
}

/** Rewrites calls by name. The starts of `results` are rewritten anyway. */
function expandCalls(
  code: MagicString,
  { program }: ParsedInput,
  results: ReadonlySet<Node>,
): void {
  const callees = new Set<number>();
  const statements: Node[] = [];
  walkSyntax(program, (node) => {
    const callee = calledName(node);
    if (callee && !callees.has(callee.start)) {
      callees.add(callee.start);
      code.prependRight(callee.start, "(0, ");
      code.appendLeft(callee.end, ")");
    }
    statements.push(...statementList(node) ?? []);
  });
  for (const statement of statements) {
    // Without a semicolon the parenthesis would continue the line before.
    const continues = statement.type === "ExpressionStatement" && callees.has(statement.start);
    if (continues && !results.has(statement)) code.prependRight(statement.start, ";");
  }
}

/**
 * The callee, if it is a plain name other than `eval`, since only a literal `eval()` is a direct
 * eval.
 */
function calledName(node: AnyNode): Node | undefined {
  const callee = node.type === "CallExpression"
    ? node.callee
    : node.type === "TaggedTemplateExpression"
    ? node.tag
    : undefined;
  return callee?.type === "Identifier" && callee.name !== "eval" ? callee : undefined;
}

async function expandDynamicImports(
  code: MagicString,
  input: ParsedInput,
  { name, resolve }: { name: string; resolve: ResolveImport },
): Promise<void> {
  const found: ImportExpression[] = [];
  walkSyntax(input.program, (node) => {
    if (node.type === "ImportExpression") found.push(node);
    if (node.type === "MetaProperty" && node.meta.name === "import") {
      throw refusal(node, "only modules have import.meta", input);
    }
  });
  for (const { start, source } of found) {
    code.update(start, start + "import".length, name);
    const specifier = textOf(source);
    if (specifier === undefined) continue;
    const target = await resolve(specifier);
    // Import attributes may be computed, so they are left to the server.
    code.update(source.start, source.end, JSON.stringify(target));
  }
}

/**
 * Rewrites the declarations of the top level to assignments to names of the session.
 *
 * @returns the names, each once.
 */
function expandDeclarations(code: MagicString, input: ParsedInput): Declaration[] {
  const { program } = input;
  const declarations = new Map<string, Declaration>();
  const declare = (kind: Declaration["kind"], names: string[]): void => {
    for (const name of names) declarations.set(name, { name, kind });
  };
  for (const { declaration, parent } of hoistedVariables(program)) {
    declare("var", namesOf(declaration));
    expandVariables(code, declaration, parent);
  }
  const functions: FunctionDeclaration[] = [];
  for (const statement of program.body) {
    const declared = declaredBy(code, statement, input);
    if (isFunction(declared)) {
      declare("function", [declared.id.name]);
      expandFunction(code, declared);
      functions.push(declared);
    } else if (isClass(declared)) {
      declare("class", [declared.id.name]);
      expandClass(code, declared);
    } else if (declared.type === "VariableDeclaration" && declared.kind !== "var") {
      declare(lexicalKind(declared, input), namesOf(declared));
      expandVariables(code, declared, program);
    }
  }
  hoistFunctions(code, program, functions);
  return [...declarations.values()];
}

/** The statement itself, or the declaration that it exports; the `export` is removed. */
function declaredBy(
  code: MagicString,
  statement: AnyNode,
  input: ParsedInput,
): AnyNode {
  if (!/^Export/.test(statement.type)) return statement;
  if (statement.type === "ExportNamedDeclaration" && statement.declaration) {
    code.remove(statement.start, statement.declaration.start);
    return statement.declaration;
  }
  throw refusal(statement, "an input cannot export anything but a declaration", input);
}

function isFunction(node: AnyNode): node is FunctionDeclaration {
  return node.type === "FunctionDeclaration";
}

function isClass(node: AnyNode): node is ClassDeclaration {
  return node.type === "ClassDeclaration";
}

function lexicalKind(node: VariableDeclaration, input: ParsedInput): "let" | "const" {
  if (node.kind === "let" || node.kind === "const") return node.kind;
  const message = "using would dispose of the value when the input ends: use it inside a block";
  throw refusal(node, message, input);
}

function refusal(node: Node, message: string, { locate }: ParsedInput): InputError {
  const { line, column } = node.loc!.start;
  return new InputError(message, locate({ line, column: column + 1 }));
}

function namesOf({ declarations }: VariableDeclaration): string[] {
  return declarations.flatMap(({ id }) => boundNames(id));
}

/**
 * `let a, { b } = c;` to `;(a = void 0, { b } = c);`; in the head of a loop to `a = void 0, { b } =
 * c`.
 */
function expandVariables(code: MagicString, node: VariableDeclaration, parent: AnyNode): void {
  const { declarations, kind, start } = node;
  const first = declarations[0]!;
  const isHead = "left" in parent && parent.left === node ||
    "init" in parent && parent.init === node;
  const isLoopTarget = isHead && "left" in parent;
  // Without a semicolon before it the parenthesis would continue the line before.
  const open = statementList(parent) || parent.type === "ExportNamedDeclaration" ? ";(" : "(";
  code.update(start, start + kind.length, isHead ? "" : open);
  for (const { id, init } of declarations) {
    if (init || isLoopTarget) continue;
    // A `var` without an initialiser keeps its value.
    if (kind === "var") code.update(id.start, id.end, "void 0");
    else code.appendLeft(id.end, " = void 0");
  }
  // `for (async of ...)` is a syntax error.
  if (isLoopTarget && first.id.type === "Identifier") {
    code.prependRight(first.id.start, "(");
    code.appendLeft(first.id.end, ")");
  }
  if (!isHead) {
    code.appendLeft(declarations.at(-1)!.end, node.end === declarations.at(-1)!.end ? ");" : ")");
  }
}

/** `class A {}` to `A = class A {};`. */
function expandClass(code: MagicString, { id, start, end }: ClassDeclaration): void {
  code.prependRight(start, `${id.name} = `);
  code.appendLeft(end, ";");
}

/**
 * `function f() {}` to `f = function () {};`, so that `f` inside it is the session's name too. The
 * engine names it `f`.
 */
function expandFunction(code: MagicString, { id, start, end }: FunctionDeclaration): void {
  code.prependRight(start, `${id.name} = `);
  code.remove(id.start, id.end);
  code.appendLeft(end, ";");
}

/** Moves functions to the top, because they can be called before the line that declares them. */
function hoistFunctions(
  code: MagicString,
  program: Program,
  functions: FunctionDeclaration[],
): void {
  const others = program.body.filter(({ start, end }) =>
    !functions.some((declared) => declared.start >= start && declared.end <= end)
  );
  const top = others[0]?.start ?? Infinity;
  for (const { start, end } of functions) if (start > top) code.move(start, end, top);
}

/** Removes the import declarations from the code, and returns them in order. */
async function expandImports(
  code: MagicString,
  { program }: ParsedInput,
  resolve: ResolveImport,
): Promise<ImportDeclaration[]> {
  const declarations: ImportDeclaration[] = [];
  for (const node of program.body) {
    if (node.type !== "ImportDeclaration") continue;
    code.remove(node.start, node.end);
    const target = await resolve(node.source.value as string, attributesOf(node));
    declarations.push({ target, bindings: node.specifiers.map(bindingOf) });
  }
  return declarations;
}

function bindingOf(specifier: ImportNode["specifiers"][number]): ImportBinding {
  const { name } = specifier.local;
  switch (specifier.type) {
    case "ImportDefaultSpecifier":
      return { name, imported: "default" };
    case "ImportNamespaceSpecifier":
      return { name, imported: "*" };
    case "ImportSpecifier":
      return { name, imported: exportName(specifier.imported) };
  }
}

function attributesOf({ attributes }: ImportNode): Record<string, string> | undefined {
  if (attributes.length === 0) return undefined;
  return Object.fromEntries(
    attributes.map(({ key, value }) => [exportName(key), String(value.value)]),
  );
}

/** The text of a name, which may be written as a string. */
function exportName(node: { type: "Identifier"; name: string } | Literal): string {
  return node.type === "Identifier" ? node.name : String(node.value);
}

/** The `var` declarations of the top level, at any depth of blocks, with their parents. */
function hoistedVariables(
  program: Program,
): { declaration: VariableDeclaration; parent: AnyNode }[] {
  const found: { declaration: VariableDeclaration; parent: AnyNode }[] = [];
  walkSyntax(program, (node, parent) => {
    if (/Function/.test(node.type) || node.type === "StaticBlock") return false;
    if (node.type !== "VariableDeclaration" || node.kind !== "var") return;
    found.push({ declaration: node, parent: parent! });
  });
  return found;
}

/** The statements of a block, or of another node that is a list of statements. */
function statementList(node: AnyNode): readonly Node[] | undefined {
  switch (node.type) {
    case "Program":
    case "BlockStatement":
    case "StaticBlock":
      return node.body;
    case "SwitchCase":
      return node.consequent;
  }
}

/**
 * The expression statements that can give a list of statements its value (ECMA-262: its completion
 * value).
 */
function lastExpressions(statements: readonly Node[]): Node[] {
  const last = statements.findLast(({ type }) => !/Declaration$|^EmptyStatement$/.test(type));
  return last ? expressionsOf(last as Statement) : [];
}

function expressionsOf(statement: Statement): Node[] {
  switch (statement.type) {
    case "ExpressionStatement":
      return [statement];
    case "BlockStatement":
      return lastExpressions(statement.body);
    case "IfStatement":
      return [statement.consequent, statement.alternate].flatMap((branch) =>
        branch ? expressionsOf(branch) : []
      );
    case "TryStatement":
      return [statement.block, statement.handler?.body].flatMap((block) =>
        block ? expressionsOf(block) : []
      );
    case "SwitchStatement":
      return statement.cases.flatMap(({ consequent }) =>
        lastExpressions(consequent.filter(({ type }) => type !== "BreakStatement"))
      );
    case "LabeledStatement":
    case "ForStatement":
    case "ForInStatement":
    case "ForOfStatement":
    case "WhileStatement":
    case "DoWhileStatement":
      return expressionsOf(statement.body);
    default:
      return [];
  }
}
