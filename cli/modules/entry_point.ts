/**
 * How a module is started: by its `main`, or by its top level.
 *
 * @module
 */
import type { AnyNode, Node, Program } from "npm:acorn@^8.19.0";
import { RUNTIME_MODULE } from "../../runtime/code/library_table.ts";
import type { ModuleReader, SourceModule } from "./module_reader.ts";
import { boundNames, keyOf, nameOf, parseModule, textOf, walkSyntax } from "./syntax.ts";

/** How a module can be run. */
export interface EntryPoint {
  /** Whether it exports `main`, directly or from another module. */
  readonly exportsMain: boolean;
  /**
   * Whether it is a program by itself, as for `deno run`: it uses `import.meta.main`, or it exports
   * no `main` and its top level does something.
   */
  readonly startsItself: boolean;
  /** Whether it uses `runProgram`, which says what its server has besides `main`. */
  readonly usesRunProgram: boolean;
  /** Whether it is CommonJS and checks `require.main`. */
  readonly asksRequire: boolean;
}

/**
 * Finds how the entry module of a reader can be run, from its syntax rather than from words in its
 * text.
 *
 * @throws {ModuleError} if it, or a module that it depends on, cannot be read.
 */
export async function findEntryPoint(reader: ModuleReader): Promise<EntryPoint> {
  const entry = await reader.readEntry();
  const exportsMain = await exports("main", entry, reader);
  const asksRequire = isCommonJs(entry) && entry.metaProperties.length > 0;
  const startsItself = await asksWhetherMain(entry) ||
    !exportsMain && await doesSomething(entry, reader);
  const usesRunProgram = await uses("runProgram", entry);
  return { exportsMain, startsItself, usesRunProgram, asksRequire };
}

/** The functions of the runtime that start a server whose id is their first argument. */
const STARTING = ["runServer", "startServer"];

/**
 * The id of the server that the entry module of a reader starts by itself, if it is written there.
 *
 * @throws {ModuleError} if the module cannot be read.
 */
export async function ownServerId(reader: ModuleReader): Promise<string | undefined> {
  const { text, path } = await reader.readEntry();
  const { program } = await parseModule(text, path);
  let id: string | undefined;
  if (program) {
    walkSyntax(program, (node) => {
      if (node.type !== "CallExpression" || !STARTING.includes(nameOf(node.callee) ?? "")) return;
      id ??= textOf(node.arguments[0]);
    });
  }
  return id;
}

/** Whether a module uses an export of the runtime. */
async function uses(name: string, { imports, text, path }: SourceModule): Promise<boolean> {
  const isRuntime = ({ target }: SourceModule["imports"][number]) =>
    target.kind === "library" && target.specifier === RUNTIME_MODULE;
  if (!imports.some(isRuntime)) return false;
  const { program } = await parseModule(text, path);
  let found = false;
  if (program) {
    walkSyntax(program, (node) => {
      if (node.type === "ImportSpecifier") found ||= written(node.imported) === name;
      else if (node.type === "MemberExpression") found ||= keyOf(node) === name;
    });
  }
  return found;
}

async function exports(name: string, entry: SourceModule, reader: ModuleReader): Promise<boolean> {
  const pending = [entry];
  const seen = new Set<string>();
  for (let source = pending.pop(); source; source = pending.pop()) {
    if (seen.has(source.module)) continue;
    seen.add(source.module);
    const { program } = await parseModule(source.text, source.path);
    for (const node of program?.body ?? []) {
      if (node.type === "ExportAllDeclaration" && !node.exported) {
        const imported = source.imports.find(({ start }) => start === node.source.start);
        if (imported?.target.kind === "local") {
          pending.push(await reader.read(imported.target, imported.locate));
        }
      } else if (exportedNames(node).includes(name)) return true;
    }
  }
  return false;
}

function exportedNames(node: AnyNode): string[] {
  if (node.type === "ExportAllDeclaration") return [written(node.exported!)];
  if (node.type !== "ExportNamedDeclaration") return [];
  const { declaration } = node;
  if (declaration?.type === "VariableDeclaration") {
    return declaration.declarations.flatMap(({ id }) => boundNames(id));
  }
  if (declaration) return [declaration.id.name];
  return node.specifiers.map(({ exported }) => written(exported));
}

/** The name in an export, which may be a string. */
function written(node: Node): string {
  return nameOf(node) ?? textOf(node) ?? "";
}

/** Whether a module reads `import.meta.main`, or passes `import.meta` to code that may. */
async function asksWhetherMain(source: SourceModule): Promise<boolean> {
  if (isCommonJs(source)) return false;
  if (source.metaProperties.length === 0) return false;
  const { program } = await parseModule(source.text, source.path);
  if (program === undefined) return true;
  // Named properties of import.meta other than "main".
  let others = 0;
  walkSyntax(program, (node) => {
    if (node.type === "MemberExpression" && node.object.type === "MetaProperty") {
      const name = keyOf(node);
      if (name !== undefined && isOfImport(node.object) && name !== "main") others++;
    }
    const [pattern, value] = node.type === "VariableDeclarator"
      ? [node.id, node.init]
      : node.type === "AssignmentExpression"
      ? [node.left, node.right]
      : [];
    if (value?.type === "MetaProperty" && pattern?.type === "ObjectPattern") {
      const isHarmless = pattern.properties.every((each) =>
        each.type === "Property" && !each.computed && keyOf(each) !== "main"
      );
      if (isOfImport(value) && isHarmless) others++;
    }
  });
  return others < source.metaProperties.length;
}

function isOfImport(node: AnyNode): boolean {
  return node.type === "MetaProperty" && node.meta.name === "import";
}

/** Whether a module is the ECMAScript side of a CommonJS module: it imports itself as CommonJS. */
function isCommonJs({ imports, path }: SourceModule): boolean {
  return imports.some(({ target }) =>
    target.kind === "local" && target.path === path && target.type === "commonjs"
  );
}

/** Whether the top level of a module, or of one that it imports, does more than declare names. */
async function doesSomething(entry: SourceModule, reader: ModuleReader): Promise<boolean> {
  const pending = [entry];
  const seen = new Set<string>();
  for (let source = pending.pop(); source; source = pending.pop()) {
    if (seen.has(source.module)) continue;
    seen.add(source.module);
    if (isCommonJs(source)) return true;
    const { program } = await parseModule(source.text, source.path);
    if (program === undefined || program.body.some(mayDoSomething)) return true;
    for (const { target, keyword, locate } of source.imports) {
      if (keyword !== undefined || target.kind !== "local") continue;
      pending.push(await reader.read(target, locate));
    }
  }
  return false;
}

/** Constructors without side effects. */
const PLAIN_CLASSES = new Set(
  ("AbortController Array ArrayBuffer Date Error Headers Map Object RegExp Set TextDecoder TextEncoder URL " +
    "URLPattern Uint8Array WeakMap WeakSet").split(" "),
);

/** Functions, and objects of functions, without side effects. */
const PLAIN_FUNCTIONS = new Set(
  "Array BigInt Boolean JSON Math Number Object RegExp String Symbol require".split(" "),
);

/** Whether a statement or declaration at the top level may do more than name values. */
export function mayDoSomething(statement: Program["body"][number]): boolean {
  // An import for side effects of a module that is not among the files.
  if (statement.type === "ImportDeclaration") {
    return statement.specifiers.length === 0 && /^(?:npm|jsr|https?):/.test(
      String(statement.source.value),
    );
  }
  let does = false;
  walkSyntax(statement, (node) => {
    switch (node.type) {
      case "FunctionDeclaration":
      case "FunctionExpression":
      case "ArrowFunctionExpression":
        return false;
      case "PropertyDefinition":
        // A field is evaluated for each instance, not at the top level.
        return node.static;
      case "CallExpression":
        if (isOfEnum(node.callee, node.arguments)) return false;
        does ||= !isPlain(node.callee, PLAIN_FUNCTIONS);
        break;
      case "NewExpression":
        does ||= !isPlain(node.callee, PLAIN_CLASSES);
        break;
      case "AssignmentExpression":
      case "UpdateExpression":
      case "AwaitExpression":
      case "ImportExpression":
      case "TaggedTemplateExpression":
      case "ThrowStatement":
        does = true;
    }
  });
  return does;
}

function isPlain(callee: Node, names: ReadonlySet<string>): boolean {
  const node = callee as AnyNode;
  if (node.type === "MemberExpression") return isPlain(node.object, names);
  return node.type === "Identifier" && names.has(node.name);
}

/**
 * Whether a call is a compiled enum or namespace of TypeScript: `(function (E) { E.A = 1; })(E ||
 * (E = {}))`.
 */
function isOfEnum(callee: Node, values: Node[]): boolean {
  const target = callee as AnyNode;
  const called = target.type === "ParenthesizedExpression" ? target.expression : target;
  const [only, ...others] = values as AnyNode[];
  return called.type === "FunctionExpression" && others.length === 0 &&
    (only?.type === "LogicalExpression" || only?.type === "ObjectExpression") &&
    called.body.body.every((statement) =>
      statement.type === "ReturnStatement" ||
      statement.type === "ExpressionStatement" &&
        statement.expression.type === "AssignmentExpression" &&
        !mayDoSomething({ ...statement, expression: statement.expression.right })
    );
}
