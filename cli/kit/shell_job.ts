/**
 * Ctrl-Z in a program that reads keys itself: it stops the process, as the terminal would.
 *
 * @module
 */

/** Part of `/proc/<pid>/stat`. */
interface ProcessStat {
  readonly parent: number;
  /** Its process group, which is a job of the shell. */
  readonly group: number;
  readonly session: number;
}

/**
 * Stops the process until the shell continues it. Without a shell, as in the first process of a
 * terminal, it does nothing, like Ctrl-Z in other programs.
 *
 * @returns whether it was stopped.
 */
export function stopForShell(): boolean {
  if (!hasShell()) return false;
  // Not SIGTSTP: after it had a listener, Deno handles it, and the process stops later.
  Deno.kill(Deno.pid, "SIGSTOP");
  return true;
}

/** Whether the process that started this job still exists to continue it. True if unknown. */
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
  // The name of the process comes before it, and may contain any character.
  const [, parent, group, session] = text.slice(text.lastIndexOf(")") + 2).split(" ").map(Number);
  return { parent: parent!, group: group!, session: session! };
}
