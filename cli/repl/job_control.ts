/**
 * Stopping this process as a shell's job.
 *
 * @module
 */

/** What Linux tells of a process. */
interface ProcessStat {
  readonly parent: number;
  /** Its process group: the shell's job. */
  readonly group: number;
  readonly session: number;
}

/**
 * Stops the process until the shell goes on with it. Where no shell could do so, as when the process is the
 * first one on its terminal, nothing happens, as with Ctrl-Z in other programs.
 *
 * @returns whether it was stopped.
 */
export function stopForShell(): boolean {
  if (!hasShell()) return false;
  // Not SIGTSTP: once a listener was added, Deno handles it itself, and the process stops later.
  Deno.kill(Deno.pid, "SIGSTOP");
  return true;
}

/** Whether what started the job is there to go on with it; so it is said where nothing tells. */
function hasShell(): boolean {
  try {
    const own = processStat(Deno.pid);
    let { parent } = own;
    for (;;) {
      const stat = processStat(parent);
      if (stat.group !== own.group) return stat.session === own.session;
      parent = stat.parent;
    }
  } catch {
    return Deno.build.os !== "linux";
  }
}

/** @see proc_pid_stat(5) */
function processStat(pid: number): ProcessStat {
  const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name before it may hold anything.
  const [, parent, group, session] = text.slice(text.lastIndexOf(")") + 2).split(" ").map(Number);
  return { parent: parent!, group: group!, session: session! };
}
