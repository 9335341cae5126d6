/**
 * Starting this very process anew, with fewer permissions.
 *
 * Permissions that a process was started with can be given up while it runs, but not in part: without `write` a server
 * could neither reach others at their sockets nor keep the code that it is given. So Deno starts again, in the same
 * process, with flags that leave the server what it needs.
 *
 * @module
 */
import { dirname } from "node:path";
import type { ServerId } from "../../runtime/actor/references.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { handedOver, handOver } from "../../runtime/handed_over.ts";
import { ignoredSignals } from "../../runtime/home/hangup.ts";
import { ownKernel } from "../../runtime/server/kernel.ts";
import {
  type Denial,
  formatDenial,
  isDropped,
  isPortable,
  ownNeeds,
  permissionFlags,
  type PermissionName,
  PERMISSIONS,
} from "./permissions.ts";
import type { RunOptions } from "./run_options.ts";

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
export async function dropPermissions(id: ServerId, options: RunOptions): Promise<void> {
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
