/**
 * Starts the process of a server, so that it outlives its supervisor and is found again.
 *
 * The process leads a session of its own, so a signal from the supervisor's terminal does not reach
 * it. It appends its output to a file, since a pipe would end with the supervisor. A variable in
 * its environment, the marker, says which run of which server it is.
 *
 * A supervisor can be killed between the start of a process and the note of its id. So the process
 * first creates a file, its claim, before it runs the program. A supervisor that comes back creates
 * the same file. If it succeeds, the process has not run its program, and never will. Otherwise the
 * process can be found by its marker: by then it is in its environment.
 *
 * @module
 */
import { isAbsolute, join } from "node:path";
import { SUPERVISED } from "../../runtime/home/supervised_process.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { accountVariables, becoming, findAccount } from "../configuration/account.ts";
import { StartedChild } from "./child.ts";
import type { ProcessTable } from "./process_table.ts";
import type { Launch } from "./server_plan.ts";

/** What the name of a claim begins with, before the marker. */
export const CLAIM = "start-";

/** The exit code of a process whose run was claimed by a later run of the supervisor. */
const CLAIMED = 111;

/**
 * Claims the run in `$1`, appends output to `$2`, and becomes the program. If the claim cannot be
 * written, for example because the disk is full, it goes on: then it can be found by its marker
 * only. `true` and not `:`, and `command exec`, because a failed redirection of a special built-in
 * would end the shell.
 */
const SCRIPT = `set -C
if { true >"$1"; } 2>/dev/null || [ ! -e "$1" ]; then set +C; else exit ${CLAIMED}; fi
{ echo $$ >"$1"; } 2>/dev/null
command exec >>"$2" 2>&1 || command exec >/dev/null 2>&1
shift 2
exec "$@"`;

/**
 * Variables that are about the supervisor's own process: a child that has them would report to
 * systemd in its place, or believe that its output is the journal.
 */
const OWN_VARIABLES = new Set([
  ...["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID"],
  ...["LISTEN_FDNAMES", "INVOCATION_ID", "JOURNAL_STREAM", "MAINPID", "SYSTEMD_EXEC_PID"],
  ...["MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE"],
]);

/** Which run of which server of which supervisor a process is. */
export interface RunIdentity {
  /** The supervisor's id. */
  readonly supervisor: string;
  /** The directory of its state, since supervisors of several ensembles may have the same id. */
  readonly directory: string;
  /** The server's id. */
  readonly server: string;
  /** The random id of this run. */
  readonly marker: string;
}

/** The value of {@linkcode SUPERVISED}. Ids contain no spaces. */
function formatMarker({ supervisor, server, marker, directory }: RunIdentity): string {
  return [supervisor, server, marker, directory].join(" ");
}

/** Reads the value of {@linkcode SUPERVISED}; undefined if it has another form. */
export function parseMarker(text: string): RunIdentity | undefined {
  const [, supervisor, server, marker, directory] = /^(\S+) (\S+) (\S+) (.+)$/s.exec(text) ?? [];
  return directory === undefined
    ? undefined
    : { supervisor: supervisor!, server: server!, marker: marker!, directory };
}

/** The file with which a process claims its run. */
export function claimPath(
  { directory, marker }: Pick<RunIdentity, "directory" | "marker">,
): string {
  return join(directory, `${CLAIM}${marker}`);
}

/** What to start. */
export interface SpawnOptions {
  /** Which run it is. */
  readonly identity: RunIdentity;
  /** The file that its output is appended to. */
  readonly output: string;
  /** The directory in which it runs. */
  readonly workingDirectory: string;
  /** The user that it runs as; undefined for the supervisor's. */
  readonly user: string | undefined;
  /** The hash of its configuration. */
  readonly hash: string;
  /** Finds out when it started. */
  readonly table: ProcessTable;
}

/**
 * Starts a process.
 *
 * @throws {EnsembleError} if it cannot be started, with the reason.
 */
export async function spawnChild(
  { command, environment }: Launch,
  { identity, output, workingDirectory, user, hash, table }: SpawnOptions,
): Promise<StartedChild> {
  const account = user === undefined ? undefined : await findAccount(user);
  const variables: Record<string, string> = {
    ...inheritedVariables(),
    ...account && accountVariables(account),
    ...environment,
    [SUPERVISED]: formatMarker(identity),
  };
  requireDirectory(workingDirectory);
  const [program, ...args] = command;
  const path = findProgram(program ?? "", { workingDirectory, path: variables.PATH });
  const words = [path, ...args];
  if (account) words.unshift(...becoming(account));
  const startedAt = Date.now();
  let process: Deno.ChildProcess;
  try {
    process = new Deno.Command("/bin/sh", {
      args: ["-c", SCRIPT, "sh", claimPath(identity), output, ...words],
      cwd: workingDirectory,
      env: variables,
      clearEnv: true,
      detached: true,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  } catch (error) {
    throw new EnsembleError(`it cannot be started: ${(error as Error).message}`, { cause: error });
  }
  const { pid } = process;
  // Without it, it is found by its marker only.
  const startTime = await table.find([pid]).then(
    (found) => found.get(pid)?.startTime,
    () => undefined,
  );
  return new StartedChild(process, { startTime, marker: identity.marker, startedAt, hash });
}

function inheritedVariables(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(Deno.env.toObject()).filter(([name]) => !OWN_VARIABLES.has(name)),
  );
}

function requireDirectory(path: string): void {
  try {
    if (Deno.statSync(path).isDirectory) return;
  } catch (error) {
    throw new EnsembleError(
      error instanceof Deno.errors.NotFound
        ? `its working directory does not exist: ${path}`
        : `its working directory cannot be entered: ${path}: ${(error as Error).message}`,
      { cause: error },
    );
  }
  throw new EnsembleError(`its working directory is no directory: ${path}`);
}

/**
 * Finds a program, since the shell would only say so in the output that it does not exist.
 *
 * @throws {EnsembleError} if there is none, or it is not executable.
 */
function findProgram(
  program: string,
  { workingDirectory, path = "/usr/local/bin:/usr/bin:/bin" }: {
    readonly workingDirectory: string;
    readonly path: string | undefined;
  },
): string {
  if (program === "") throw new EnsembleError("it has no program to run");
  if (program.includes("/")) {
    const file = isAbsolute(program) ? program : join(workingDirectory, program);
    requireExecutable(file);
    return file;
  }
  for (const directory of path.split(":").filter(Boolean)) {
    const file = join(directory, program);
    try {
      requireExecutable(file);
      return file;
    } catch {
      // Another directory may have it.
    }
  }
  throw new EnsembleError(`its program is not in PATH: ${program}`);
}

function requireExecutable(file: string): void {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(file);
  } catch (error) {
    throw new EnsembleError(
      error instanceof Deno.errors.NotFound
        ? `its program does not exist: ${file}`
        : `its program cannot be read: ${file}: ${(error as Error).message}`,
      { cause: error },
    );
  }
  if (!info.isFile) throw new EnsembleError(`its program is no file: ${file}`);
  if (info.mode !== null && (info.mode & 0o111) === 0) {
    throw new EnsembleError(`its program is not executable: run "chmod +x ${file}"`);
  }
}
