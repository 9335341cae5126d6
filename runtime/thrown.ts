/**
 * What code of others throws: anything at all.
 *
 * @module
 */
import { inspectBounded, shorten } from "./bounded_text.ts";

/** The longest text of something thrown, in UTF-16 code units: errors of compilers are long. */
export const MAX_THROWN_LENGTH = 100_000;

/**
 * What was thrown, for people: the message of an error, the rest as inspection shows it. Never throws,
 * though a proxy or a getter may when it is looked at.
 */
export function describeThrown(thrown: unknown): string {
  try {
    if (thrown instanceof Error && typeof thrown.message === "string") {
      return shorten(
        thrown.message === "" ? String(thrown.name) : thrown.message,
        MAX_THROWN_LENGTH,
      );
    }
    return inspectBounded(thrown, { limit: MAX_THROWN_LENGTH });
  } catch {
    return "something that cannot be shown";
  }
}

/** A thrown value where it is an error: also one that does not let itself be looked at is none. */
export function asError(thrown: unknown): Error | undefined {
  try {
    return thrown instanceof Error ? thrown : undefined;
  } catch {
    return undefined; // A proxy whose trap throws.
  }
}
