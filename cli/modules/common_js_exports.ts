/**
 * The names that CommonJS modules export, as far as their texts say. What Deno finds is found here too, for
 * `import { name }` of such a module to mean the same.
 *
 * @see https://github.com/nodejs/cjs-module-lexer
 * @module
 */
import type {
  AnyNode,
  CallExpression,
  Node,
  ObjectExpression,
  Program,
  Property,
} from "npm:acorn@^8.19.0";
import { walkSyntax } from "./syntax.ts";

/** What a CommonJS module exports. */
export interface CommonJsExports {
  /** The names that it exports by itself. */
  names: Set<string>;
  /** The specifiers of the modules whose names it exports too. */
  reexports: Set<string>;
}

/** The functions by which compilers export all that another module does. */
const EXPORT_ALL = new Set(["__export", "__exportStar"]);

/** Finds what a CommonJS module exports. */
export function findCommonJsExports(program: Program): CommonJsExports {
  const names = new Set<string>();
  const reexports = new Set<string>();
  /** Names whose getters may do more than return a value: they are left out. */
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
  /** Of `_other[key]`, the module that `_other` is. */
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
    const name = stringOf(key);
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
          const name = left.computed ? stringOf(left.property) : nameOf(left.property);
          if (name !== undefined) names.add(name);
          else addAll(copiedFrom(right, nameOf(left.property) ?? ""));
        }
      }
    }
  });
  for (const name of uncertain) names.delete(name);
  return { names, reexports };
}

/** What is assigned by `a = b = value`. */
function assigned(node: Node): AnyNode {
  const value = node as AnyNode;
  return value.type === "AssignmentExpression" ? assigned(value.right) : value;
}

/** Whether an expression is `exports` or `module.exports`. */
function isExports(node: Node | undefined): boolean {
  if (node === undefined) return false;
  return nameOf(node) === "exports" || isMember(node, "module", "exports");
}

function isMember(node: Node, object: string, property: string): boolean {
  const member = node as AnyNode;
  if (member.type !== "MemberExpression" || nameOf(member.object) !== object) return false;
  return (member.computed ? stringOf(member.property) : nameOf(member.property)) === property;
}

/** The specifier of `require("x")`, also inside what Babel puts around it. */
function requiredBy(node: Node | undefined): string | undefined {
  const call = node as AnyNode | undefined;
  if (call?.type !== "CallExpression") return undefined;
  const [argument] = call.arguments;
  const name = nameOf(call.callee);
  if (name === "require") return stringOf(argument);
  return name === "_interopRequireWildcard" ? requiredBy(argument) : undefined;
}

/** The name of what is called by `f()`, `x.f()` or `(0, x.f)()`. */
function calledName({ callee }: CallExpression): string | undefined {
  let called = callee as AnyNode;
  if (called.type === "SequenceExpression") called = called.expressions.at(-1) as AnyNode;
  return called.type === "MemberExpression" && !called.computed
    ? nameOf(called.property)
    : nameOf(called);
}

/** The name of a property, unless it is computed or a number. */
function keyOf({ computed, key }: Property): string | undefined {
  if (computed) return undefined;
  return nameOf(key) ?? stringOf(key);
}

/** Whether a function does nothing but to return what is there. */
function isPlainGetter(node: Node): boolean {
  const returned = returnedBy(node);
  return returned !== undefined && isPlain(returned);
}

/** The expression that is all of a function. */
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

function nameOf(node: Node): string | undefined {
  const identifier = node as AnyNode;
  return identifier.type === "Identifier" ? identifier.name : undefined;
}

function stringOf(node: Node | undefined): string | undefined {
  const literal = node as AnyNode | undefined;
  return literal?.type === "Literal" && typeof literal.value === "string"
    ? literal.value
    : undefined;
}
