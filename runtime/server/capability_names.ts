/**
 * The names of capabilities. Separate from their logic, since the command line loads the names at
 * each start.
 *
 * @module
 */
import { InvalidInputError } from "../errors.ts";
import { describeValue } from "../inspection.ts";

/** The maximum number of capabilities in a request, and of a server in another. */
export const MAX_CAPABILITIES = 32;

/** The ensemble's own capabilities. */
export const KNOWN_CAPABILITIES = [
  "admin",
  "shutdown",
  "loader",
  "supervisor",
  "executor",
  "filesystem",
  "observer",
] as const;

/** A program's own capability: two words with a colon between them. */
const OWN_CAPABILITY = /^[a-z][a-z0-9-]{0,63}:[a-z0-9][a-z0-9-]{0,62}$/;

/** The longest capability, in characters. */
const MAX_LENGTH = 64;

/**
 * Parses the name of a capability: one of {@linkcode KNOWN_CAPABILITIES}, or a program's own, such
 * as `jobs:run`: up to 64 lower-case letters, digits and `-`, with a colon between two words.
 *
 * @throws {InvalidInputError} for anything else, such as a misspelled one.
 */
export function parseCapability(text: unknown): string {
  if (typeof text === "string" && isCapability(text)) return text;
  throw new InvalidInputError(
    `not a capability: ${describeValue(text)}; use one of ${KNOWN_CAPABILITIES.join(", ")}, or ` +
      "your own, in lower case with a colon, such as jobs:run",
  );
}

function isCapability(text: string): boolean {
  return (KNOWN_CAPABILITIES as readonly string[]).includes(text) ||
    (text.length <= MAX_LENGTH && OWN_CAPABILITY.test(text));
}

/**
 * Parses capabilities. Returns them sorted and without duplicates, so that both sides of an
 * elevation sign the same text.
 *
 * @throws {InvalidInputError} if they are not a list of capabilities, or too many.
 */
export function parseCapabilities(capabilities: unknown): string[] {
  if (!Array.isArray(capabilities)) throw new InvalidInputError("no capabilities given");
  if (capabilities.length > MAX_CAPABILITIES) {
    throw new InvalidInputError(
      `too many capabilities: ${capabilities.length}; at most ${MAX_CAPABILITIES} are allowed`,
    );
  }
  return [...new Set(Array.from(capabilities, parseCapability))].sort();
}

/**
 * Parses requested or granted capabilities: at least one.
 *
 * @throws {InvalidInputError} if there are none, invalid ones, or too many.
 */
export function checkCapabilities(capabilities: unknown): string[] {
  const parsed = parseCapabilities(capabilities);
  if (parsed.length === 0) throw new InvalidInputError("no capabilities given");
  return parsed;
}
