/**
 * The imports that stand in a module's text.
 *
 * @module
 */
import type { DynamicImport, StaticImport } from "npm:es-module-lexer@^3.0.5";
import { ModuleError } from "../../runtime/code/module_error.ts";
import { lineStarts, positionAt } from "../../runtime/code/source_map.ts";

/** One import or re-export of a module by a literal specifier. */
export interface Import {
  /** The specifier, with its escapes read. */
  specifier: string;
  /** Where its literal starts in the text, at the quote, in UTF-16 code units. */
  start: number;
  /** Where its literal ends, after the quote. */
  end: number;
  /** Of an `import()` expression: where its keyword starts. */
  keyword?: number;
  /** The import attributes, when there are any. */
  attributes?: Record<string, string>;
  /** Of a statement with attributes: where their clause ends, which starts behind the specifier. */
  clauseEnd?: number;
  /** Whether it is an `import defer`: what it imports runs when it is first used. */
  deferred?: boolean;
  /** Why this import can only lead to a library, when that is so. */
  libraryOnly?: string;
}

/** What a module's text asks of its surroundings. */
export interface ModuleImports {
  /** The imports, in the order of the text. */
  imports: Import[];
  /** Where `import.meta` stands: start and end of each, in the order of the text. */
  metaProperties: [start: number, end: number][];
}

/** The options of an `import()` that are written out: `{ with: { type: "json" } }`. */
const LITERAL_OPTIONS =
  /^\{\s*(?:with|(["'])with\1)\s*:\s*\{\s*(?:type|(["'])type\2)\s*:\s*(["'])(\w+)\3\s*,?\s*\}\s*,?\s*\}\s*,?\s*\)$/;

/**
 * Finds the imports of a JavaScript module.
 *
 * @throws {ModuleError} at a place in `path` where the text is not JavaScript.
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
    // An argument that is more than a literal, such as a template, is resolved when it runs.
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
