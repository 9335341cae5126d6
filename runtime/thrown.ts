/**
 * What code of others throws: anything at all.
 *
 * @module
 */
import { inspectBounded, shorten } from "./bounded_text.ts";
import {
  ActorError,
  DisconnectedError,
  EnsembleError,
  ProtocolError,
  TimeoutError,
} from "./errors.ts";

/** Errors that report a failure elsewhere to the code that they reach. */
const FAILURES = [ActorError, TimeoutError, DisconnectedError, ProtocolError];

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

/** A thrown value if it is an error. A value that throws when it is looked at counts as none. */
export function asError(thrown: unknown): Error | undefined {
  try {
    return thrown instanceof Error ? thrown : undefined;
  } catch {
    return undefined; // A proxy whose trap throws.
  }
}

/**
 * Whether an error was thrown on purpose, to refuse a request or to say why it cannot be done. Its message says
 * everything: its stack would show the code that checks, and not code that failed.
 */
export function isRefusal(error: unknown): error is EnsembleError {
  return error instanceof EnsembleError && !FAILURES.some((kind) => error instanceof kind);
}
