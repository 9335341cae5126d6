/**
 * The permissions of Deno that a server's process is to do without: `--deny`.
 *
 * @see https://docs.deno.com/runtime/fundamentals/security/
 * @module
 */
import { Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { collecting } from "../registry/options.ts";
import { InvalidInputError } from "../runtime/errors.ts";

/** The names of the permissions, as Deno's flags have them. */
export const PERMISSIONS = ["read", "write", "net", "env", "run", "ffi", "sys", "import"] as const;

/** One of {@linkcode PERMISSIONS}. */
export type PermissionName = typeof PERMISSIONS[number];

/** A permission, or a part of it, that a process does without. */
export interface Denial {
  /** Its name. */
  readonly name: PermissionName;
  /** The path, host, variable, program or kind that is denied; all of them when absent. */
  readonly value?: string;
}

/**
 * Reads a list of permissions: `run,ffi,write=/etc`, or `(run ffi)`.
 *
 * @throws {InvalidInputError} for anything else, and for all of `read`, without which a server cannot import the code that
 * it is given.
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
      "a server cannot do without read, since it imports the code that it is given from files; deny a part " +
        "of it, as with read=/home",
    );
  });
}

function notPermission(text: string): InvalidInputError {
  return new InvalidInputError(
    `not a permission: ${JSON.stringify(text)}: there are ${
      PERMISSIONS.slice(0, -1).join(", ")
    } and ` +
      `${PERMISSIONS.at(-1)}, and parts of them, like write=/etc`,
  );
}

/** Writes a permission as `--deny` takes it. */
export function formatDenial({ name, value }: Denial): string {
  return value === undefined ? name : `${name}=${value}`;
}

/** `--deny`. */
export const denyOption = () =>
  new Option(
    "--deny <permissions>",
    "permissions of Deno that main, and code that is loaded later, do without: read, write, net, env, run, " +
      "ffi, sys, import, or a part like write=/etc; what the server itself needs it keeps",
  ).default<Denial[]>([], "none").argParser<Denial[]>(collecting(parseDenials));
