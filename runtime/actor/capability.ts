/**
 * Capabilities: the names of what one server may do inside another.
 *
 * @module
 */
import { describeValue } from "../bounded_text.ts";
import { InvalidInputError } from "../errors.ts";

/** How many capabilities can be asked for or conferred at once, and how many a server can have in another. */
export const MAX_CAPABILITIES = 32;

/** A word, or two with a colon between them: `app:billing` is a program's own. */
const CAPABILITY = /^[a-z][a-z0-9-]{0,63}(?::[a-z0-9][a-z0-9-]{0,62})?$/;

/** The longest capability, in characters. */
const MAX_LENGTH = 64;

/**
 * Reads the name of a capability: 1 to 64 small letters, digits and `-`, starting with a letter. Those of a
 * program have a colon between two such words.
 *
 * @throws {InvalidInputError} when the text is no such name.
 */
export function parseCapability(text: unknown): string {
  if (typeof text !== "string" || text.length > MAX_LENGTH || !CAPABILITY.test(text)) {
    throw new InvalidInputError(
      `not a capability: ${
        describeValue(text)
      }: a capability is up to 64 small letters, digits and ` +
        `"-", such as admin, shutdown and loader, and one of your own has a colon: app:billing`,
    );
  }
  return text;
}

/**
 * Reads capabilities; gives them without repetition and sorted, so that both sides of an elevation write them
 * the same.
 *
 * @throws {InvalidInputError} when they are no list of capabilities, or too many.
 */
export function parseCapabilities(capabilities: unknown): string[] {
  if (!Array.isArray(capabilities)) throw new InvalidInputError("no capabilities are given");
  if (capabilities.length > MAX_CAPABILITIES) {
    throw new InvalidInputError(
      `${capabilities.length} capabilities are too many: up to ${MAX_CAPABILITIES} are taken`,
    );
  }
  return [...new Set(Array.from(capabilities, parseCapability))].sort();
}
