/**
 * The permissions of Deno that a server itself needs, and the flags that give a process all others but those denied.
 *
 * @module
 */
import { resolve } from "node:path";
import type { ServerId } from "../runtime/actor/server_id.ts";
import { serverDirectory, socketDirectory, socketPath } from "../runtime/ensemble/paths.ts";
import { locateServers } from "../runtime/ensemble/server_locations.ts";
import { EnsembleError } from "../runtime/errors.ts";
import { HANDED_OVER } from "../runtime/handed_over.ts";
import type { Address } from "../runtime/wire/address.ts";
import { type Denial, type PermissionName, PERMISSIONS } from "./denied_permissions.ts";

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
 * registry. Without all of `net` it answers whoever reaches it, and reaches the registry alone.
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
