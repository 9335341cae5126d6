/**
 * Server ids: the names of the servers of an ensemble.
 *
 * @module
 */
import { describeValue } from "../bounded_text.ts";
import { InvalidInputError } from "../errors.ts";

/**
 * The name of one server, unique in its ensemble. Opaque: make one with {@linkcode parseServerId} and
 * write it with {@linkcode formatServerId}, for its form may grow a domain part.
 */
export type ServerId = string & { readonly __brand: "ServerId" };

const SERVER_ID = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

/**
 * Reads a server id: 1 to 64 letters, digits, `_`, `.` and `-`, not starting with `.` or `-`.
 *
 * @throws {InvalidInputError} when the text is no server id.
 */
export function parseServerId(text: string): ServerId {
  if (!isServerId(text)) {
    throw new InvalidInputError(
      `not a server id: ${describeValue(text)}: a server id is 1 to 64 letters, digits, "_", "." ` +
        `and "-", and starts with a letter, a digit or "_"`,
    );
  }
  return text;
}

/** Whether a value is a server id. */
export function isServerId(value: unknown): value is ServerId {
  return typeof value === "string" && SERVER_ID.test(value);
}

/** Writes a server id as people and files see it. */
export function formatServerId(id: ServerId): string {
  return id;
}

/** The server that every ensemble finds its servers through. */
export const REGISTRY_ID: ServerId = parseServerId("registry");
