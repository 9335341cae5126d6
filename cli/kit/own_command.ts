/**
 * The command with which this program was started, to start it again: in its own place, or as a child.
 *
 * @module
 */
import { dirname } from "node:path";
import { EnsembleError } from "../../runtime/errors.ts";
import { isPortable } from "./build.ts";

/** The C library, for execv(3). */
const C_LIBRARY = Deno.build.os === "darwin" ? "libSystem.B.dylib" : "libc.so.6";

/** The beginning of a command line, to which arguments are added, and the environment that it needs. */
export interface OwnCommand {
  /** The program. */
  readonly program: string;
  /** Its first arguments. */
  readonly args: readonly string[];
  /** The variables that it needs besides those of this process. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Finds the command that runs this program: an executable, or Deno with the main module. It can be
 * run in any directory.
 */
export async function ownCommand(): Promise<OwnCommand> {
  if (Deno.build.standalone) return { program: Deno.execPath(), args: [], env: {} };
  const [, ...line] = await ownCommandLine();
  // The main module comes last, and may have been named relative to this directory.
  const options = line.slice(0, line.length - Deno.args.length - 1);
  // Not by node:url, which takes long to load.
  const { href, protocol, pathname } = new URL(Deno.mainModule);
  const args = [...options, protocol === "file:" ? decodeURIComponent(pathname) : href];
  return { program: Deno.execPath(), args, env: cacheVariables() };
}

/** Returns the arguments that this process was started with, beginning with Deno's name. */
export async function ownCommandLine(): Promise<string[]> {
  if (Deno.build.os === "linux") {
    return (await Deno.readTextFile("/proc/self/cmdline")).split("\0").slice(0, -1);
  }
  // ps prints a single text, of which only the end is known.
  const { stdout } = await new Deno.Command("ps", {
    args: ["-ww", "-o", "args=", "-p", `${Deno.pid}`],
  })
    .output();
  const own = new TextDecoder().decode(stdout).trimEnd();
  const rest = Deno.args.length === 0 ? "" : ` ${Deno.args.join(" ")}`;
  return [...own.slice(0, own.length - rest.length).split(" "), ...Deno.args];
}

/**
 * The cache variables of a portable executable, which it has unset for the processes that it starts.
 * Another one that is this program needs them.
 */
export function cacheVariables(): Record<string, string> {
  if (!isPortable() || Deno.env.get("DENO_DIR")) return {};
  return {
    DENO_DIR: `${dirname(Deno.execPath())}/cache`,
    DENO_NO_UPDATE_CHECK: "1",
    GXENSEMBLE_SET: "GXENSEMBLE_SET DENO_DIR DENO_NO_UPDATE_CHECK",
  };
}

/**
 * Replaces this process by the program that runs it, with execv(3): it keeps its process id. Returns
 * only by throwing. Call it before anything listens to signals, or after that has ended.
 *
 * @param args the command line, which begins with the program's name.
 * @param failure what could not be done, for errors.
 */
export function replaceProcess(args: readonly string[], failure: string): never {
  const library = openLibrary(failure);
  const encoder = new TextEncoder();
  const texts = args.map((arg) => encoder.encode(`${arg}\0`));
  const pointers = new BigUint64Array(texts.length + 1);
  for (const [index, text] of texts.entries()) {
    pointers[index] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(text));
  }
  library.symbols.execv(encoder.encode(`${Deno.execPath()}\0`), pointers);
  library.close();
  throw new EnsembleError(failure);
}

function openLibrary(failure: string) {
  try {
    return Deno.dlopen(C_LIBRARY, {
      execv: { parameters: ["buffer", "buffer"], result: "i32" },
    });
  } catch (error) {
    throw new EnsembleError(`${failure}, which needs ${C_LIBRARY}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
