/**
 * The permissions of Deno that a server's process is to do without: `--deny`.
 *
 * Permissions that a process was started with can be given up while it runs, but not in part: without `write` a server
 * could neither reach others at their sockets nor keep the code that it is given. So Deno starts again, in the same
 * process, with flags that leave the server what it needs.
 *
 * @see https://docs.deno.com/runtime/fundamentals/security/
 * @module
 */
import { dirname, resolve } from "node:path";
import { EnsembleError, InvalidInputError } from "../../runtime/errors.ts";
import { HANDED_OVER, handedOver, handOver, ownKernel } from "../../runtime/own_process.ts";
import { findPlaces } from "../../runtime/home/paths.ts";
import { ignoredSignals } from "../../runtime/home/signals.ts";
import { type Address, formatEndpoint } from "../../runtime/wire/address.ts";
import { isPortable } from "./build.ts";
import type { RunOptions } from "./options.ts";

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
async function ownNeeds(
  id: string,
  { listen, registry, logFile }: {
    listen: readonly Address[];
    registry: readonly Address[];
    logFile?: string | undefined;
  },
): Promise<OwnNeeds> {
  const { locateServers } = await import("../../runtime/home/known_servers.ts");
  const places = findPlaces();
  const reached = [...listen, ...(await locateServers(places, { registry })).registry];
  const sockets = reached.flatMap((address) => address.kind === "unix" ? [address.path] : []);
  const log = logFile === undefined || logFile === "-" ? [] : [resolve(logFile)];
  const { protocol, host } = new URL(import.meta.url);
  return {
    read: [],
    write: [places.server(id), places.socketDirectory, ...sockets, ...log],
    net: [`unix:${places.socket(id)}`, ...reached.map(formatForNet)],
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

function formatForNet(address: Address): string {
  return address.kind === "unix" ? `unix:${address.path}` : formatEndpoint(address);
}

/** Permissions that a running process gives up without losing anything of its own. */
const DISPENSABLE: readonly string[] = ["run", "ffi", "import"];

/** Where the C library is, in which execv(3) is. */
const C_LIBRARY = Deno.build.os === "darwin" ? "libSystem.B.dylib" : "libc.so.6";

/** Flags that say what a process may do; `-A` may stand among others, as in `-Aq`. */
const PERMISSION_FLAG =
  /^(?:--(?:allow|deny|ignore)-.*|-[ARWNESI](?:=.*)?|--no-prompt|-P.*|--permission-set.*)$/;

/**
 * Sees to it that this process does without the permissions that a server is not to have: returns when it does, or never,
 * as the process then starts anew with the same arguments. It has to be called before anything listens to signals.
 *
 * @throws {EnsembleError} when it cannot: the process was not started with all permissions, or is a program of
 * `deno compile`, which keeps the permissions that it has.
 */
export async function dropPermissions(id: string, options: RunOptions): Promise<void> {
  const denials = options.deny;
  const wasNarrowed = handedOver() !== undefined;
  const left = denials.filter((denial) => !isDropped(denial));
  if (left.length === 0) return;
  const names = left.map(formatDenial).join(", ");
  if (wasNarrowed) throw new EnsembleError(`Deno does not give up ${names}`);
  if (Deno.build.standalone) return await revoke(left);
  if (!PERMISSIONS.every(hasAllOf)) {
    throw new EnsembleError(
      `cannot give up ${names}: --deny is for a process that was started with all permissions (-A), and this ` +
        "one was not; use Deno's own flags instead, such as --deny-run",
    );
  }
  const flags = ["--no-prompt", ...permissionFlags(denials, await ownNeeds(id, options))];
  handOver({ ignored: ignoredSignals(), kernel: ownKernel() });
  restoreCache();
  execute(withFlags(await ownCommandLine(), flags));
}

/** Whether no part of a permission is denied, as one is by `-A --deny-env=TOKEN`: a start anew would lose that flag. */
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
      `cannot give up ${
        kept.map(formatDenial).join(", ")
      }: an executable of the compiled form gives up run, ` +
        "ffi and import, each as a whole; the portable form (compile --portable) gives up the others, too",
    );
  }
  for (const { name } of denials) {
    await Deno.permissions.revoke({ name } as Deno.PermissionDescriptor);
  }
}

/** The arguments that this process was started with, the name of Deno first. */
async function ownCommandLine(): Promise<string[]> {
  if (Deno.build.os === "linux") {
    return (await Deno.readTextFile("/proc/self/cmdline")).split("\0").slice(0, -1);
  }
  // It gives one text, in which only the end is known.
  const { stdout } = await new Deno.Command("ps", {
    args: ["-ww", "-o", "args=", "-p", `${Deno.pid}`],
  })
    .output();
  const own = new TextDecoder().decode(stdout).trimEnd();
  const rest = Deno.args.length === 0 ? "" : ` ${Deno.args.join(" ")}`;
  return [...own.slice(0, own.length - rest.length).split(" "), ...Deno.args];
}

/**
 * A command line of Deno with these permissions in place of its own.
 *
 * @throws {EnsembleError} when the program comes from standard input, which has been read.
 */
export function withFlags(
  [deno, ...rest]: readonly string[],
  flags: readonly string[],
  count: number = Deno.args.length,
): string[] {
  const end = rest.length - count;
  if (rest[end - 1] === "-") {
    throw new EnsembleError(
      "--deny starts the program anew, and one from standard input cannot be: name its file",
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

/** A portable executable has Deno's cache beside its Deno, and does not leave that to the processes it starts. */
function restoreCache(): void {
  if (!isPortable() || Deno.env.get("DENO_DIR")) return;
  Deno.env.set("DENO_DIR", `${dirname(Deno.execPath())}/cache`);
  Deno.env.set("DENO_NO_UPDATE_CHECK", "1");
  Deno.env.set("GXENSEMBLE_SET", "GXENSEMBLE_SET DENO_DIR DENO_NO_UPDATE_CHECK");
}

/** Runs Deno in place of this program, in the same process: execv(3). Returns only by an error. */
function execute(args: readonly string[]): never {
  const library = openLibrary();
  const encoder = new TextEncoder();
  const texts = args.map((arg) => encoder.encode(`${arg}\0`));
  const pointers = new BigUint64Array(texts.length + 1);
  for (const [index, text] of texts.entries()) {
    pointers[index] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(text));
  }
  library.symbols.execv(encoder.encode(`${Deno.execPath()}\0`), pointers);
  library.close();
  throw new EnsembleError(`cannot start ${Deno.execPath()} again with fewer permissions`);
}

function openLibrary() {
  try {
    return Deno.dlopen(C_LIBRARY, {
      execv: { parameters: ["buffer", "buffer"], result: "i32" },
    });
  } catch (error) {
    throw new EnsembleError(
      `cannot start again with fewer permissions, which takes ${C_LIBRARY}: ${
        (error as Error).message
      }`,
      { cause: error },
    );
  }
}
