/**
 * The permissions of Deno that a server's process is to do without: `--deny`.
 *
 * @see https://docs.deno.com/runtime/fundamentals/security/
 * @module
 */
import { resolve } from "node:path";
import type { ServerId } from "../../runtime/actor/references.ts";
import { locateServers } from "../../runtime/home/known_servers.ts";
import { EnsembleError, InvalidInputError } from "../../runtime/errors.ts";
import { HANDED_OVER } from "../../runtime/handed_over.ts";
import { serverDirectory, socketDirectory, socketPath } from "../../runtime/home/paths.ts";
import type { Address } from "../../runtime/wire/address.ts";

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

/** What of each permission the server itself needs, by the values of Deno's flags. */
export type OwnNeeds = Readonly<Record<PermissionName, readonly string[]>>;

/** Whether this process does without a permission already. */
export function isDropped({ name, value }: Denial): boolean {
  return Deno.permissions.querySync(describe(name, value)).state !== "granted";
}

function describe(name: PermissionName, value: string | undefined): Deno.PermissionDescriptor {
  switch (name) {
    case "read":
    case "write":
    case "ffi":
      return { name, ...value !== undefined && { path: value } };
    case "net":
    case "import":
      return { name, ...value !== undefined && { host: value } };
    case "env":
      return { name, ...value !== undefined && { variable: value } };
    case "run":
      return { name, ...value !== undefined && { command: value } };
    case "sys":
      return { name, ...value !== undefined && { kind: value as "uid" } };
  }
}

/**
 * The flags with which Deno gives a process all but these permissions, and what the server needs of them.
 *
 * @throws {EnsembleError} when a path that the server needs has a comma, which Deno's flags would take for two paths.
 */
export function permissionFlags(denials: readonly Denial[], needs: OwnNeeds): string[] {
  return PERMISSIONS.flatMap((name) => {
    const own = denials.filter((denial) => denial.name === name);
    if (own.length === 0) return [`--allow-${name}`];
    if (own.every(({ value }) => value !== undefined)) {
      return [`--allow-${name}`, `--deny-${name}=${own.map(({ value }) => value).join(",")}`];
    }
    const divided = needs[name].find((value) => value.includes(","));
    if (divided !== undefined) {
      throw new EnsembleError(
        `cannot give up all of ${name}: the server needs ${divided}, and Deno's flags take no path with a comma`,
      );
    }
    // Without either flag Deno imports from some hosts.
    return needs[name].length > 0
      ? [`--allow-${name}=${needs[name].join(",")}`]
      : [`--deny-${name}`];
  });
}

/**
 * What a server needs: its directory, its socket and those of its host, its log, and where it listens and finds the
 * registry. Without all of `net` it answers every server that connects, and connects to the registry alone.
 */
export async function ownNeeds(
  id: ServerId,
  { listen, registry, logFile }: {
    listen: readonly Address[];
    registry: readonly Address[];
    logFile?: string | undefined;
  },
): Promise<OwnNeeds> {
  const reached = [...listen, ...(await locateServers(registry)).registry];
  const sockets = reached.flatMap((address) => address.kind === "unix" ? [address.path] : []);
  const log = logFile === undefined || logFile === "-" ? [] : [resolve(logFile)];
  const { protocol, host } = new URL(import.meta.url);
  return {
    read: [],
    write: [serverDirectory(id), socketDirectory(), ...sockets, ...log],
    net: [`unix:${socketPath(id)}`, ...reached.map(formatForNet)],
    env: [
      ...["GERBIL_PATH", "HOME", "ENSEMBLE_SOCKET_DIR", "ENSEMBLE_REGISTRY", HANDED_OVER],
      ...isPortable() ? HEAD_VARIABLES : [],
    ],
    run: [],
    ffi: [],
    sys: ["hostname", "uid", "userInfo"],
    import: protocol.startsWith("http") ? [host] : [],
  };
}

/** What the head of a portable executable sets for Deno, and the program takes back before anything else. */
const HEAD_VARIABLES = ["GXENSEMBLE_SET", "DENO_DIR", "DENO_NO_UPDATE_CHECK"];

/** Whether this process is a portable executable. */
export function isPortable(): boolean {
  const build = (globalThis as Record<symbol, { form?: string } | undefined>)[
    Symbol.for("gxensemble.build")
  ];
  return build?.form === "portable";
}

function formatForNet(address: Address): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}
