/**
 * Children of this process that another program has started in it: a supervisor that replaces itself
 * by a new one, with execv(3), keeps its children, and Deno does not know them.
 *
 * @module
 */
import { constants } from "node:os";
import type { ProcessEnd } from "./server_report.ts";

/** The children that this program has started, whose ends Deno takes. */
export const REAPED_BY_DENO = new Set<number>();

/** Of waitpid(2): do not wait. */
const WNOHANG = 1;

/**
 * Takes the end of a child that has ended, so that it does not stay a zombie. Returns undefined if
 * it is no child of this process, has not ended, or the C library is not found.
 */
export function reapChild(pid: number): Pick<ProcessEnd, "code" | "signal"> | undefined {
  if (REAPED_BY_DENO.has(pid) || !isOwnZombie(pid)) return undefined;
  try {
    const library = Deno.dlopen("libc.so.6", {
      waitpid: { parameters: ["i32", "buffer", "i32"], result: "i32" },
    });
    try {
      const status = new Int32Array(1);
      if (library.symbols.waitpid(pid, status, WNOHANG) !== pid) return undefined;
      return describeStatus(status[0]!);
    } finally {
      library.close();
    }
  } catch {
    return undefined;
  }
}

/** @see proc_pid_stat(5) */
function isOwnZombie(pid: number): boolean {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
    const [state, parent] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return state === "Z" && Number(parent) === Deno.pid;
  } catch {
    return false;
  }
}

/** The encoding of a status is the same on all architectures of Linux. */
function describeStatus(status: number): Pick<ProcessEnd, "code" | "signal"> {
  const number = status & 0x7f;
  if (number === 0) return { code: (status >> 8) & 0xff };
  const [name] = Object.entries(constants.signals).find(([, each]) => each === number) ?? [];
  return { signal: name ?? `signal ${number}` };
}
