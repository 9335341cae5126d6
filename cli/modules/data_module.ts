/**
 * Data that is imported by the attribute `type`, as modules that export it.
 *
 * @module
 */
import { parseJson } from "./json.ts";

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
