/**
 * TypeScript to JavaScript: the types taken off.
 *
 * @module
 */
import { extname } from "node:path";
import { ModuleError } from "../../runtime/code/module_error.ts";
import { sourceLines } from "./source_lines.ts";

/** A module's text as a server can run it. */
export interface JavaScript {
  text: string;
  /** The author's line of each line, from 1, where lines moved. */
  lines?: number[];
}

/** What swc throws: a plain object, not an error. Lines count from 1, columns from 0. */
interface Diagnostic {
  code: string;
  message: string;
  startLine?: number;
  startColumn?: number;
}

/**
 * The JavaScript of a module's `source`. Types become white space, so lines and columns stay; only
 * syntax that is more than types, such as an enum, is rewritten, and then lines may move.
 *
 * @throws {ModuleError} when the source does not parse, or `path` is of a kind that is not supported.
 */
export async function toJavaScript(source: string, path: string): Promise<JavaScript> {
  const text = source.replace(/^\uFEFF/, "");
  switch (extname(path)) {
    case ".js":
    case ".mjs":
      return { text };
    case ".ts":
    case ".mts":
      return await withoutTypes(text, path);
    case ".tsx":
    case ".jsx":
      throw new ModuleError("JSX is not supported in shipped code", { path });
    default:
      throw new ModuleError(
        "is not a module that can be shipped: its name must end in .ts, .mts, .js or .mjs",
        { path },
      );
  }
}

async function withoutTypes(source: string, path: string): Promise<JavaScript> {
  const { transform } = await import("@swc/wasm-typescript");
  try {
    return { text: (await transform(source, { mode: "strip-only" })).code };
  } catch (diagnostic) {
    if ((diagnostic as Diagnostic).code !== "UnsupportedSyntax") fail(diagnostic, path);
  }
  try {
    const { code, map } = await transform(source, { mode: "transform", sourceMap: true });
    return { text: code, lines: sourceLines(JSON.parse(map ?? "{}").mappings ?? "") };
  } catch (diagnostic) {
    fail(diagnostic, path);
  }
}

function fail(diagnostic: unknown, path: string): never {
  const { message, startLine, startColumn } = diagnostic as Diagnostic;
  if (startLine === undefined) throw new ModuleError(message, { path });
  throw new ModuleError(message, { path, line: startLine, column: (startColumn ?? 0) + 1 });
}
