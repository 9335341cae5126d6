/**
 * The expansion of what is typed into the REPL: TypeScript with imports, `await` and declarations at its
 * top level becomes an expression that a server can evaluate.
 *
 * The input becomes the body of an asynchronous function inside `with (scope)`, so that every name that
 * it does not declare itself is looked up in the session first and in the global scope then, each time
 * it is used: also by functions that were declared before the name was. What is rewritten is:
 *
 * - declarations at the top level, which become assignments to the session's names;
 * - calls of a function by its name, `f()` to `(0, f)()`: `with` would pass the scope as `this`;
 * - imports, which the server binds, and `import()`;
 * - the expression that the input ends with, whose value is the result.
 *
 * @module
 */
import type { AnyNode, Expression, ImportExpression, Node } from "npm:acorn@^8.19.0";
import MagicString from "npm:magic-string@^1.4.5";
import type { Expansion } from "../../runtime/repl/repl_scope.ts";
import { type Mappings, sourcePosition } from "../../runtime/code/source_map.ts";
import { expandDeclarations, expandImports } from "./expand_declarations.ts";
import type { ResolveImport } from "./import_resolver.ts";
import { InputError, type LocateInput, type ParsedInput, parseInput } from "./parsed_input.ts";
import { lastExpressions, statementList, walk } from "./syntax_tree.ts";

/** An expansion, and the way back from it. */
export interface ExpandedSource {
  readonly expansion: Expansion;
  readonly locate: LocateInput;
}

/**
 * Expands an input.
 *
 * @throws {InputError} at the place in the input that is wrong.
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

/** Where an expression statement ends without its semicolon. */
function expressionEnd(text: string, { end }: Node): number {
  return text[end - 1] === ";" ? end - 1 : end;
}

/** `results` are the statements whose beginning is rewritten anyway. */
function expandCalls(
  code: MagicString,
  { program }: ParsedInput,
  results: ReadonlySet<Node>,
): void {
  const callees = new Set<number>();
  walk(program, (node) => {
    const callee = calledName(node);
    if (callee && !callees.has(callee.start)) {
      callees.add(callee.start);
      code.prependRight(callee.start, "(0, ");
      code.appendLeft(callee.end, ")");
    }
    for (const statement of statementList(node) ?? []) {
      // Without a semicolon the parenthesis would continue the line before.
      const continues = statement.type === "ExpressionStatement" && callees.has(statement.start);
      if (continues && !results.has(statement)) code.prependRight(statement.start, ";");
    }
  });
}

/** What is called by a plain name. `eval` is called as it stands, as only that is a direct `eval`. */
function calledName(node: AnyNode): Expression | undefined {
  const callee = node.type === "CallExpression"
    ? node.callee
    : node.type === "TaggedTemplateExpression"
    ? node.tag
    : undefined;
  if (callee?.type === "Identifier" && callee.name !== "eval") return callee;
}

async function expandDynamicImports(
  code: MagicString,
  { program, locate }: ParsedInput,
  { name, resolve }: { name: string; resolve: ResolveImport },
): Promise<void> {
  const found: ImportExpression[] = [];
  walk(program, (node) => {
    if (node.type === "ImportExpression") found.push(node);
    if (node.type === "MetaProperty" && node.meta.name === "import") {
      const { line, column } = node.loc!.start;
      throw new InputError("import.meta is of modules only", locate({ line, column: column + 1 }));
    }
  });
  for (const { start, source } of found) {
    code.update(start, start + "import".length, name);
    if (source.type !== "Literal" || typeof source.value !== "string") continue;
    const target = await resolve(source.value);
    // Attributes stay behind it, for the server: they may be computed.
    code.update(source.start, source.end, JSON.stringify(target));
  }
}
