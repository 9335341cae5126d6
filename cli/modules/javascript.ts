/**
 * TypeScript to JavaScript: the types taken off.
 *
 * @module
 */
import { extname } from "node:path";
import { ModuleError } from "../../runtime/code/module_error.ts";
import {
  decodeMappings,
  identityMappings,
  type Mappings,
  sourcePosition,
} from "../../runtime/code/source_map.ts";
import { lineStarts, positionAt } from "../../runtime/code/text_position.ts";

/** A module's text as a server can run it. */
export interface JavaScript {
  text: string;
  /** Where its author wrote what is in it; absent for data. */
  mappings?: Mappings;
}

/** What swc throws: a plain object, not an error. Lines count from 1, columns from 0. */
export interface Diagnostic {
  code: string;
  message: string;
  startLine?: number;
  startColumn?: number;
  endLine?: number;
  endColumn?: number;
}

/**
 * The JavaScript of a module's `source`. Types become white space, so lines and columns stay; only
 * syntax that is more than types, such as an enum, is rewritten, and then they may move.
 *
 * @throws {ModuleError} when the source does not parse: then its cause is a {@linkcode Diagnostic}; or
 * when `path` is of a kind that is not supported.
 */
export async function toJavaScript(source: string, path: string): Promise<JavaScript> {
  const javascript = await read(source, path);
  await refuseDecorators(javascript, path);
  return javascript;
}

async function read(source: string, path: string): Promise<JavaScript> {
  switch (extname(path)) {
    case ".js":
    case ".mjs":
      return { text: source, mappings: identityMappings(source) };
    case ".ts":
    case ".mts":
      return await withoutTypes(source, path);
    case ".tsx":
    case ".jsx":
      throw new ModuleError("JSX is not supported in shipped code", { path });
    default:
      throw new ModuleError(
        "is not a module that can be shipped: its name must end in .ts, .mts, .js or .mjs, or it " +
          'must be imported as data: with { type: "json" }, "text" or "bytes"',
        { path },
      );
  }
}

async function withoutTypes(source: string, path: string): Promise<JavaScript> {
  // It is CommonJS, of which a bundle has only the default.
  const { default: { transform } } = await import("npm:@swc/wasm-typescript@^1.16.2");
  try {
    const { code } = await transform(source, { mode: "strip-only" });
    return { text: code, mappings: identityMappings(code) };
  } catch (diagnostic) {
    if ((diagnostic as Diagnostic).code !== "UnsupportedSyntax") fail(diagnostic, path);
  }
  try {
    const { code, map } = await transform(source, { mode: "transform", sourceMap: true });
    const mappings = decodeMappings(JSON.parse(map!).mappings);
    return { text: code, mappings: mappings.map((line) => line.map(withoutName)) };
  } catch (diagnostic) {
    fail(diagnostic, path);
  }
}

/** What may be a decorator. It is found quickly also among the many blank lines that types leave. */
const DECORATOR = /(?:^|[{};]|\bexport|\bdefault)[ \t]*@[\w$([]/m;

/** V8 has no decorators, and its words for that do not say so. */
async function refuseDecorators({ text, mappings = [] }: JavaScript, path: string): Promise<void> {
  if (!DECORATOR.test(text)) return;
  const { parse } = await import("npm:acorn@^8.19.0");
  try {
    parse(text, { ecmaVersion: "latest", sourceType: "module" });
  } catch (error) {
    const { pos } = error as { pos: number };
    if (text[pos] !== "@") return;
    const place = sourcePosition(mappings, positionAt(lineStarts(text), pos));
    const message = "decorators are not supported in shipped code";
    const { line, column = 1 } = place ?? {};
    fail({ code: "UnsupportedSyntax", message, startLine: line, startColumn: column - 1 }, path);
  }
}

/** The table of names that a segment may point into stays behind. */
function withoutName(segment: Mappings[0][0]): Mappings[0][0] {
  return segment.length === 5 ? [segment[0], segment[1], segment[2], segment[3]] : segment;
}

function fail(diagnostic: unknown, path: string): never {
  const { message, startLine: line, startColumn } = diagnostic as Diagnostic;
  const location = line === undefined ? { path } : { path, line, column: (startColumn ?? 0) + 1 };
  throw new ModuleError(message, location, { cause: diagnostic });
}
