/**
 * Ways through the syntax trees of acorn.
 *
 * @module
 */
import type { AnyNode, Node, Pattern, Statement, VariableDeclaration } from "npm:acorn@^8.19.0";

/** Calls `visit` for each node below and including `node`: children first, with the parent. */
export function walk(
  node: Node,
  visit: (node: AnyNode, parent: AnyNode | undefined) => void,
  parent?: Node,
): void {
  for (const child of children(node)) walk(child, visit, node);
  visit(node as AnyNode, parent as AnyNode | undefined);
}

/** The names that a pattern binds, in the order of the text. */
export function boundNames(pattern: Pattern): string[] {
  switch (pattern.type) {
    case "Identifier":
      return [pattern.name];
    case "ObjectPattern":
      return pattern.properties.flatMap((property) =>
        boundNames(property.type === "Property" ? property.value : property)
      );
    case "ArrayPattern":
      return pattern.elements.flatMap((element) => element ? boundNames(element) : []);
    case "AssignmentPattern":
      return boundNames(pattern.left);
    case "RestElement":
      return boundNames(pattern.argument);
    case "MemberExpression":
      return [];
  }
}

/** The `var` declarations that belong to the top level, however deep in blocks, with their parents. */
export function hoistedVariables(
  node: Node,
): { declaration: VariableDeclaration; parent: AnyNode }[] {
  return [...children(node)].flatMap((child) => {
    if (isVariableScope(child)) return [];
    const below = hoistedVariables(child);
    if (child.type !== "VariableDeclaration") return below;
    const declaration = child as VariableDeclaration;
    if (declaration.kind !== "var") return below;
    return [{ declaration, parent: node as AnyNode }, ...below];
  });
}

/** The statements of a node that is a list of them, such as a block. */
export function statementList(node: AnyNode): readonly Node[] | undefined {
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
 * The expression statements that could be the last to run in a list of statements: what they evaluate
 * to is what the list does, in the terms of ECMAScript its completion value.
 */
export function lastExpressions(statements: readonly Node[]): Node[] {
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

function isVariableScope({ type }: Node): boolean {
  return /Function/.test(type) || type === "StaticBlock" || type === "PropertyDefinition";
}

function* children(node: Node): Generator<Node> {
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child?.type === "string") yield child;
    }
  }
}
