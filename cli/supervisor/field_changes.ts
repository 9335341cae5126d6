/**
 * Changes of a configuration as the command line has them.
 *
 * @module
 */
import { InvalidInputError } from "../../runtime/errors.ts";
import { quoted } from "../../runtime/safe_text.ts";
import type { FieldChange } from "../../supervisor/configuration/editing.ts";

/**
 * Parses `field=value`. The value is JSON, or else a text; without one, the field is removed. The
 * value of a variable is a text, unless it is an object.
 *
 * @throws {InvalidInputError} if there is no field.
 */
export function parseFieldChange(text: string): FieldChange {
  const [, field, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (field === undefined || value === undefined) {
    throw new InvalidInputError(`not field=value, such as restart=transient: ${quoted(text)}`);
  }
  if (value === "") return { field, value: undefined };
  if (field.startsWith("env.") && !value.startsWith("{")) return { field, value };
  try {
    return { field, value: JSON.parse(value) };
  } catch {
    return { field, value };
  }
}
