/**
 * What a module's JavaScript says about its imports, before any of them is resolved. It depends on
 * the text alone.
 *
 * @module
 */
import { decode } from "npm:@jridgewell/sourcemap-codec@^1.6.0";
import {
  lineStarts,
  type Mappings,
  ModuleError,
  positionAt,
  type SourceLocation,
  sourcePosition,
} from "../../runtime/code/source_map.ts";
import { type ComputedImports, findComputedImports } from "./computed_imports.ts";
import type { CompiledModule, JavaScript } from "./javascript.ts";
import { findImports, mayPause, type ModuleImports, parseModule } from "./syntax.ts";

/** A module as JavaScript, and its imports. A plain value. */
export interface Analysis extends JavaScript, ModuleImports {
  /** Its references to others that are not literal imports. */
  computed: ComputedImports;
  /** Whether it has a top-level await. */
  pauses: boolean;
}

/**
 * Finds the imports of a module. A text without mappings is generated, not the author's.
 *
 * @throws {ModuleError} at the position in `path` of a syntax error.
 */
export async function analyze(
  { syntax: known, ...javascript }: CompiledModule,
  path: string,
): Promise<Analysis> {
  const { text } = javascript;
  const syntax = known ?? await parseModule(text, path);
  // Deno's parsers would accept it, but the part behind it has not been checked here.
  if (syntax.fault !== undefined) {
    throw new ModuleError(`SyntaxError: ${syntax.reason}`, locator(javascript, path)(syntax.fault));
  }
  const { imports, metaProperties } = await findImports(text, path);
  const own = javascript.mappings === undefined ? undefined : syntax.program;
  const literal = new Set(imports.flatMap(({ keyword }) => keyword ?? []));
  const computed = own && /\bimport\s*\(|\bWorker\b|\bimport\s*\.\s*meta\b/.test(text)
    ? findComputedImports(own, literal)
    : { imports: [], workers: [], resolved: [] };
  return { ...javascript, imports, metaProperties, computed, pauses: mayPause(text, syntax) };
}

/**
 * Returns a function that maps positions in a module's text to the author's file. The map is
 * decoded when it is first called, which is seldom: for messages.
 */
export function locator(
  { text, mappings }: JavaScript,
  path: string,
): (position: number) => SourceLocation {
  let known: { starts: number[]; map: Mappings } | undefined;
  return (position) => {
    known ??= { starts: lineStarts(text), map: decode(mappings ?? "") };
    return { path, ...sourcePosition(known.map, positionAt(known.starts, position)) };
  };
}
