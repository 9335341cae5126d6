/**
 * Capabilities: the names of what one server may do inside another.
 *
 * @module
 */
import { describeValue } from "../bounded_text.ts";
import { InvalidInputError } from "../errors.ts";

/**
 * Reads the name of a capability: 1 to 64 small letters, digits and `-`, starting with a letter.
 *
 * @throws {InvalidInputError} when the text is no such name.
 */
export function parseCapability(text: unknown): string {
  if (typeof text !== "string" || !/^[a-z][a-z0-9-]{0,63}$/.test(text)) {
    throw new InvalidInputError(
      `not a capability: ${describeValue(text)}: ` +
        `a capability is up to 64 small letters, digits and "-", such as admin, shutdown and loader`,
    );
  }
  return text;
}
