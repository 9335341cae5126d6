/**
 * The expansion of declarations: what the top level declares becomes a name of the session, and the
 * declaration an assignment to it. A function that is assigned to a name is called by it, so names stay.
 *
 * @module
 */
import type {
  AnyNode,
  ClassDeclaration,
  FunctionDeclaration,
  ImportDeclaration as ImportNode,
  Literal,
  Node,
  Program,
  VariableDeclaration,
} from "npm:acorn@^8.19.0";
import type MagicString from "npm:magic-string@^1.4.5";
import type {
  Declaration,
  ImportBinding,
  ImportDeclaration,
} from "../../runtime/repl/repl_scope.ts";
import type { ResolveImport } from "./import_resolver.ts";
import { InputError, type ParsedInput } from "./parsed_input.ts";
import { boundNames, hoistedVariables, statementList } from "./syntax_tree.ts";

/** Rewrites the declarations, and gives the names, each once. */
export function expandDeclarations(code: MagicString, input: ParsedInput): Declaration[] {
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

/** The declaration that a statement is, after its `export` when it has one. */
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
  throw refusal(statement, "an input exports nothing: only a declaration may follow export", input);
}

function isFunction(node: AnyNode): node is FunctionDeclaration {
  return node.type === "FunctionDeclaration";
}

function isClass(node: AnyNode): node is ClassDeclaration {
  return node.type === "ClassDeclaration";
}

function lexicalKind(node: VariableDeclaration, input: ParsedInput): "let" | "const" {
  if (node.kind === "let" || node.kind === "const") return node.kind;
  const reason = "using would dispose of the value when the input ends: use it inside a block";
  throw refusal(node, reason, input);
}

function refusal(node: Node, reason: string, { locate }: ParsedInput): InputError {
  const { line, column } = node.loc!.start;
  return new InputError(reason, locate({ line, column: column + 1 }));
}

function namesOf({ declarations }: VariableDeclaration): string[] {
  return declarations.flatMap(({ id }) => boundNames(id));
}

/** `let a, { b } = c;` to `;(a = void 0, { b } = c);`, and in the head of a loop without the rest. */
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
    // A `var` keeps the value it has.
    if (kind === "var") code.update(id.start, id.end, "void 0");
    else code.appendLeft(id.end, " = void 0");
  }
  // `for (async of ...)` would be something else.
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

/** `function f() {}` to `f = function () {};`: inside, `f` is the session's name too. */
function expandFunction(code: MagicString, { id, start, end }: FunctionDeclaration): void {
  code.prependRight(start, `${id.name} = `);
  code.remove(id.start, id.end);
  code.appendLeft(end, ";");
}

/** Moves functions before everything else: they can be called before the line that declares them. */
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

/** Takes the import declarations out of the code, and gives them in order. */
export async function expandImports(
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
      return { name, imported: nameOf(specifier.imported) };
  }
}

function attributesOf({ attributes }: ImportNode): Record<string, string> | undefined {
  if (attributes.length === 0) return undefined;
  return Object.fromEntries(attributes.map(({ key, value }) => [nameOf(key), String(value.value)]));
}

/** A name that may be written as a string. */
function nameOf(node: { type: "Identifier"; name: string } | Literal): string {
  return node.type === "Identifier" ? node.name : String(node.value);
}
