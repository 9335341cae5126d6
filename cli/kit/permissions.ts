/**
 * Denying Deno permissions to a server's process: `--deny`.
 *
 * A running process can drop a permission only as a whole. Without `write`, a server could neither
 * connect to sockets nor store loaded code. So Deno restarts, in the same process, with flags that
 * keep what the server needs.
 *
 * @see https://docs.deno.com/runtime/fundamentals/security/
 * @module
 */
import { resolve } from "node:path";
import { EnsembleError } from "../../runtime/errors.ts";
import {
  type Denial,
  formatDenial,
  type PermissionName,
  PERMISSIONS,
} from "../../runtime/home/denials.ts";
import { HANDED_OVER, handedOver, handOver, ownKernel } from "../../runtime/own_process.ts";
import { findPlaces } from "../../runtime/home/paths.ts";
import { ignoredSignals } from "../../runtime/home/signals.ts";
import { SUPERVISED } from "../../runtime/home/supervised_process.ts";
import { type Address, formatEndpoint } from "../../runtime/wire/address.ts";
import { isPortable } from "./build.ts";
import type { RunOptions } from "./options.ts";
import { cacheVariables, ownCommandLine, replaceProcess } from "./own_command.ts";

/** The part of each permission that the server itself needs, as values of Deno's flags. */
export type OwnNeeds = Readonly<Record<PermissionName, readonly string[]>>;

/** Whether this process lacks a permission already. */
function isDropped({ name, value }: Denial): boolean {
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
 * Returns the Deno flags that deny these permissions, except for what the server needs.
 *
 * @throws {EnsembleError} if a path that the server needs contains a comma, which Deno's flags
 * would split.
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
        `cannot deny all of ${name}: the server needs ${divided}, and Deno's flags do not accept a path with a comma`,
      );
    }
    // Without either flag, Deno allows imports from some hosts.
    return needs[name].length > 0
      ? [`--allow-${name}=${needs[name].join(",")}`]
      : [`--deny-${name}`];
  });
}

/**
 * Returns what a server needs: its directory, its socket and those of its host, its log, its listen
 * addresses and the registry's. With `net` denied, it answers every server that connects, but
 * connects only to the registry.
 */
async function ownNeeds(
  id: string,
  { listen, http, registry, logFile }: {
    listen: readonly Address[];
    http?: Address | undefined;
    registry: readonly Address[];
    logFile?: string | undefined;
  },
): Promise<OwnNeeds> {
  const { locateServers } = await import("../../runtime/home/server_locations.ts");
  const places = findPlaces();
  const reached = [
    ...listen,
    ...http ? [http] : [],
    ...(await locateServers(places, { registry })).registry,
  ];
  const sockets = reached.flatMap((address) => address.kind === "unix" ? [address.path] : []);
  const log = logFile === undefined || logFile === "-" ? [] : [resolve(logFile)];
  const { protocol, host } = new URL(import.meta.url);
  return {
    read: [],
    write: [places.server(id), places.socketDirectory, ...sockets, ...log],
    net: [`unix:${places.socket(id)}`, ...reached.map(formatForNet)],
    env: [
      ...[
        "GERBIL_PATH",
        "HOME",
        "ENSEMBLE_SOCKET_DIR",
        "ENSEMBLE_REGISTRY",
        HANDED_OVER,
        SUPERVISED,
      ],
      ...isPortable() ? HEAD_VARIABLES : [],
    ],
    run: [],
    ffi: [],
    sys: ["hostname", "uid", "userInfo"],
    import: protocol.startsWith("http") ? [host] : [],
  };
}

/**
 * The variables that the header of a portable executable sets for Deno. The program unsets them
 * first of all.
 */
const HEAD_VARIABLES = ["GXENSEMBLE_SET", "DENO_DIR", "DENO_NO_UPDATE_CHECK"];

function formatForNet(address: Address): string {
  return address.kind === "unix" ? `unix:${address.path}` : formatEndpoint(address);
}

/** Permissions that the server itself never needs. */
const DISPENSABLE: readonly string[] = ["run", "ffi", "import"];

/** Deno's permission flags; `-A` may be combined with others, as in `-Aq`. */
const PERMISSION_FLAG =
  /^(?:--(?:allow|deny|ignore)-.*|-[ARWNESI](?:=.*)?|--no-prompt|-P.*|--permission-set.*)$/;

/**
 * Drops the permissions that a server must not have. If that needs a restart, it never returns: the
 * process restarts with the same arguments. Call it before anything listens to signals.
 *
 * @throws {EnsembleError} if it cannot: the process was not started with all permissions, or is a
 * program of `deno compile`, which cannot be restarted with fewer.
 */
export async function dropPermissions(id: string, options: RunOptions): Promise<void> {
  const denials = options.deny;
  const wasNarrowed = handedOver() !== undefined;
  const left = denials.filter((denial) => !isDropped(denial));
  if (left.length === 0) return;
  const names = left.map(formatDenial).join(", ");
  if (wasNarrowed) throw new EnsembleError(`Deno did not drop the permissions ${names}`);
  if (Deno.build.standalone) return await revoke(left);
  if (!PERMISSIONS.every(hasAllOf)) {
    throw new EnsembleError(
      `cannot deny ${names}: --deny needs a process that was started with all permissions (-A); ` +
        "use Deno's own flags instead, such as --deny-run",
    );
  }
  const flags = ["--no-prompt", ...permissionFlags(denials, await ownNeeds(id, options))];
  handOver({ ignored: ignoredSignals(), kernel: ownKernel() });
  for (const [name, value] of Object.entries(cacheVariables())) Deno.env.set(name, value);
  replaceProcess(
    withFlags(await ownCommandLine(), flags),
    `cannot restart ${Deno.execPath()} with fewer permissions`,
  );
}

/**
 * Whether a permission is granted as a whole. With `-A --deny-env=TOKEN` it is not, and a restart
 * would lose that flag.
 */
function hasAllOf(name: PermissionName): boolean {
  const { state, partial } = Deno.permissions.querySync({ name } as Deno.PermissionDescriptor);
  return state === "granted" && !partial;
}

async function revoke(denials: readonly Denial[]): Promise<void> {
  const kept = denials.filter(({ name, value }) =>
    value !== undefined || !DISPENSABLE.includes(name)
  );
  if (kept.length > 0) {
    throw new EnsembleError(
      `cannot deny ${
        kept.map(formatDenial).join(", ")
      }: a compiled executable can deny only run, ` +
        "ffi and import, each as a whole; a portable one (compile --portable) can deny the others, too",
    );
  }
  for (const { name } of denials) {
    await Deno.permissions.revoke({ name } as Deno.PermissionDescriptor);
  }
}

/**
 * Replaces the permission flags in a Deno command line.
 *
 * @throws {EnsembleError} if the program came from standard input, which has been consumed.
 */
export function withFlags(
  [deno, ...rest]: readonly string[],
  flags: readonly string[],
  count: number = Deno.args.length,
): string[] {
  const end = rest.length - count;
  if (rest[end - 1] === "-") {
    throw new EnsembleError(
      "--deny cannot run a program from standard input, since it restarts the process: pass a file",
    );
  }
  const [command, ...others] = rest.slice(0, end - 1);
  const hasCommand = command !== undefined && !command.startsWith("-");
  const own = hasCommand ? others : rest.slice(0, end - 1);
  return [
    deno!,
    hasCommand ? command : "run",
    ...flags,
    ...own.map((flag) => /^-[a-z]*A[a-z]*$/.test(flag) ? flag.replace("A", "") : flag)
      .filter((flag) => flag !== "-" && !PERMISSION_FLAG.test(flag)),
    ...rest.slice(end - 1),
  ];
}
