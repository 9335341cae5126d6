/**
 * The names of capabilities. The command line reads them at each start, and does not load what capabilities do.
 *
 * @module
 */
import { InvalidInputError } from "../errors.ts";
import { describeValue } from "../inspection.ts";

/** How many capabilities can be asked for or conferred at once, and how many a server can have in another. */
export const MAX_CAPABILITIES = 32;

/**
 * The ensemble's own capabilities. Nothing requires the last four yet; they are reserved because certificates, which
 * name capabilities, outlive releases.
 */
export const KNOWN_CAPABILITIES = [
  "admin",
  "shutdown",
  "loader",
  "supervisor",
  "executor",
  "filesystem",
  "observer",
] as const;

/** A capability of a program's own: two words with a colon between them. */
const OWN_CAPABILITY = /^[a-z][a-z0-9-]{0,63}:[a-z0-9][a-z0-9-]{0,62}$/;

/** The longest capability, in characters. */
const MAX_LENGTH = 64;

/**
 * Reads the name of a capability: one of {@linkcode KNOWN_CAPABILITIES}, or one of a program's own, such as
 * `jobs:run`: up to 64 small letters, digits and `-`, with a colon between two words.
 *
 * @throws {InvalidInputError} when the text is neither, such as a misspelt one.
 */
export function parseCapability(text: unknown): string {
  if (typeof text === "string" && isCapability(text)) return text;
  throw new InvalidInputError(
    `not a capability: ${describeValue(text)}: there are ${KNOWN_CAPABILITIES.join(", ")}, and a ` +
      'program\'s own have a colon between two words of small letters, digits and "-": jobs:run',
  );
}

function isCapability(text: string): boolean {
  return (KNOWN_CAPABILITIES as readonly string[]).includes(text) ||
    (text.length <= MAX_LENGTH && OWN_CAPABILITY.test(text));
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

/**
 * Reads the capabilities that are asked for or conferred: at least one.
 *
 * @throws {InvalidInputError} when they are none, or no capabilities, or too many.
 */
export function checkCapabilities(capabilities: unknown): string[] {
  const parsed = parseCapabilities(capabilities);
  if (parsed.length === 0) throw new InvalidInputError("no capabilities are given");
  return parsed;
}
