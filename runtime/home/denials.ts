/**
 * The Deno permissions that a server's process does not get: `--deny`, and `deny` in the
 * configuration.
 *
 * @module
 */
import { InvalidInputError } from "../errors.ts";

/** The names of the permissions, as Deno's flags have them. */
export const PERMISSIONS = ["read", "write", "net", "env", "run", "ffi", "sys", "import"] as const;

/** One of {@linkcode PERMISSIONS}. */
export type PermissionName = typeof PERMISSIONS[number];

/** A permission, or a part of one, to deny. */
export interface Denial {
  /** Its name. */
  readonly name: PermissionName;
  /** The path, host, variable, program or kind to deny. Default: all. */
  readonly value?: string;
}

/**
 * Reads a list of permissions: `run,ffi,write=/etc`, or `(run ffi)`.
 *
 * @throws {InvalidInputError} for anything else, and for all of `read`, without which a server
 * cannot import loaded code.
 */
export function parseDenials(text: string): Denial[] {
  const words = text.replace(/^\((.*)\)$/s, "$1").split(/[\s,]+/).filter(Boolean);
  if (words.length === 0) throw notPermission(text);
  return words.map((word) => {
    const [, typed, value] = /^(\w+)(?:=(.+))?$/s.exec(word) ?? [];
    const name = PERMISSIONS.find((each) => each === typed);
    if (name === undefined) throw notPermission(word);
    if (value !== undefined) return { name, value };
    if (name !== "read") return { name };
    throw new InvalidInputError(
      "cannot deny all of read: a server imports loaded code from files; deny a part " +
        "of it, as with read=/home",
    );
  });
}

function notPermission(text: string): InvalidInputError {
  return new InvalidInputError(
    `not a permission: ${JSON.stringify(text)}; use ${PERMISSIONS.slice(0, -1).join(", ")} or ` +
      `${PERMISSIONS.at(-1)}, or a part of one, like write=/etc`,
  );
}

/** Writes a permission as `--deny` takes it. */
export function formatDenial({ name, value }: Denial): string {
  return value === undefined ? name : `${name}=${value}`;
}
