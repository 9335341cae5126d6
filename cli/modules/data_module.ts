/**
 * What is imported and is no code, as modules that export it: data by the attribute `type`, JSON, and
 * WebAssembly.
 *
 * @see https://github.com/WebAssembly/esm-integration
 *
 * @module
 */
import type { ParseError } from "npm:jsonc-parser@^3.3.1";
import { ModuleError } from "../../runtime/code/module_error.ts";
import { lineStarts, positionAt } from "../../runtime/code/source_map.ts";

/** What a file of data may be imported as. */
export type DataType = "json" | "text" | "bytes";

const DATA_TYPES: ReadonlySet<string> = new Set<DataType>(["json", "text", "bytes"]);

/** The type of data that import attributes ask for, or undefined when they ask for anything else. */
export function dataType(attributes: Record<string, string>): DataType | undefined {
  const { type, ...others } = attributes;
  if (type === undefined || !DATA_TYPES.has(type) || Object.keys(others).length > 0) {
    return undefined;
  }
  return type as DataType;
}

/**
 * The JavaScript of a module whose default export is what is in the file at `path`.
 *
 * @throws {ModuleError} when it is to be JSON and is not.
 */
export async function dataToJavaScript(
  bytes: Uint8Array,
  type: DataType,
  path: string,
): Promise<string> {
  if (type === "bytes") return `export default Uint8Array.fromBase64("${bytes.toBase64()}");\n`;
  const text = new TextDecoder().decode(bytes);
  if (type === "text") return `export default ${JSON.stringify(text)};\n`;
  await parseJson(text, path);
  // As a string: what a literal means differs, for the key "__proto__".
  return `export default JSON.parse(${JSON.stringify(text)});\n`;
}

/**
 * The JavaScript of the WebAssembly module in the file at `path`.
 *
 * @throws {ModuleError} when it is none.
 */
export function wasmToJavaScript(bytes: Uint8Array<ArrayBuffer>, path: string): string {
  let module;
  try {
    module = new WebAssembly.Module(bytes);
  } catch (error) {
    throw new ModuleError((error as Error).message, { path }, { cause: error });
  }
  const specifiers = new Set(WebAssembly.Module.imports(module).map(({ module }) => module));
  const imports = [...specifiers].map((specifier, index) => ({
    declaration: `import * as import${index} from ${JSON.stringify(specifier)};`,
    property: `${JSON.stringify(specifier)}: import${index}`,
  }));
  const names = WebAssembly.Module.exports(module).map(({ name }) => JSON.stringify(name));
  return [
    ...imports.map(({ declaration }) => declaration),
    `const bytes = Uint8Array.fromBase64("${bytes.toBase64()}");`,
    "const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {",
    ...imports.map(({ property }) => `  ${property},`),
    "});",
    ...names.map((name, index) =>
      `const export${index} = exports[${name}]; export { export${index} as ${name} };`
    ),
    "",
  ].join("\n");
}

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
