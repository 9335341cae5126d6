/**
 * The imports that stand in a module's text.
 *
 * @module
 */
import { ModuleError } from "../../runtime/code/module_error.ts";

/** One import or re-export of a module by a literal specifier. */
export interface Import {
  /** The specifier, with its escapes read. */
  specifier: string;
  /** Where its literal starts in the text, at the quote, in UTF-16 code units. */
  start: number;
  /** Where its literal ends, after the quote. */
  end: number;
  /** Whether it is an `import()` expression. */
  dynamic: boolean;
  /** The import attributes of a static import, when there are any. */
  attributes?: Record<string, string>;
}

/**
 * Finds the imports of a JavaScript module, in the order of the text.
 *
 * @throws {ModuleError} at a place in `path` where the text is not JavaScript.
 */
export async function findImports(text: string, path: string): Promise<Import[]> {
  const { init, parse } = await import("es-module-lexer");
  await init;
  let imports;
  try {
    [imports] = parse(text);
  } catch (error) {
    const position = (error as { idx?: number }).idx ?? 0;
    throw new ModuleError("syntax error", { path, ...positionAt(text, position) });
  }
  return imports.flatMap((found): Import[] => {
    if (found.type === "import-meta" || found.specifier === undefined) return [];
    const { specifier, start, end } = found;
    if (found.type === "dynamic") {
      // An argument that is more than a literal, such as a template, is resolved when it runs.
      return found.glob ? [] : [{ specifier, start, end, dynamic: true }];
    }
    const attributes = found.attributes && { attributes: Object.fromEntries(found.attributes) };
    return [{ specifier, start: start - 1, end: end + 1, dynamic: false, ...attributes }];
  });
}

/** The line and column of a position in a text, both from 1. */
export function positionAt(text: string, position: number): { line: number; column: number } {
  const before = text.slice(0, position);
  return {
    line: before.split("\n").length,
    column: position - before.lastIndexOf("\n"),
  };
}
