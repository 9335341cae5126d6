/**
 * JSON files: data that programs import, and configuration, which may have comments.
 *
 * @module
 */
import type { ParseError } from "npm:jsonc-parser@^3.3.1";
import { ModuleError } from "../../runtime/code/module_error.ts";
import { lineStarts, positionAt } from "../../runtime/code/text_position.ts";

/** Options of {@linkcode parseJson}. */
export interface ParseJsonOptions {
  /** Whether comments and trailing commas are read over, as in `deno.jsonc`. */
  comments?: boolean;
}

/**
 * Reads the JSON text of the file at `path`.
 *
 * @throws {ModuleError} at the line and column where it is not JSON.
 */
export async function parseJson(
  text: string,
  path: string,
  { comments = false }: ParseJsonOptions = {},
): Promise<unknown> {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Only now: JSON.parse is faster, but does not say where the fault is, and knows no comments.
    const { parse, printParseErrorCode } = await import("npm:jsonc-parser@^3.3.1");
    const faults: ParseError[] = [];
    const value = parse(text, faults, {
      disallowComments: !comments,
      allowTrailingComma: comments,
    });
    const fault = faults[0];
    if (fault) {
      const reason = printParseErrorCode(fault.error).replace(/(?<=[a-z])(?=[A-Z])/g, " ");
      const position = positionAt(lineStarts(text), fault.offset);
      throw new ModuleError(`not JSON: ${reason.toLowerCase()}`, { path, ...position }, {
        cause: error,
      });
    }
    if (!comments) throw new ModuleError((error as Error).message, { path }, { cause: error });
    return value;
  }
}
