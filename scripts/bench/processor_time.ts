/**
 * How much processor time processes take. It says more than a rate while the machine does other
 * work.
 *
 * @module
 */

/**
 * The length of a tick in `/proc`, in us: proc(5), and sysconf(_SC_CLK_TCK) is 100 on all platforms
 * of Deno.
 */
const TICK = 10_000;

/** The processor time of processes, from when it is made. */
export class ProcessorTime {
  readonly #pids: readonly number[];
  readonly #start: number;

  /** Begins to measure. */
  constructor(...pids: number[]) {
    this.#pids = pids;
    this.#start = this.#now();
  }

  /** The time for each of so many messages, in us. Empty if the system has no `/proc`. */
  perMessage(count: number): { cpu?: number } {
    const taken = this.#now() - this.#start;
    return Number.isNaN(taken) ? {} : { cpu: taken / count };
  }

  #now(): number {
    if (Deno.build.os !== "linux") return NaN;
    return this.#pids.reduce((sum, pid) => sum + timeOf(pid), 0);
  }
}

/** The processor time that a process has taken, in user and in kernel mode, in us. */
function timeOf(pid: number): number {
  const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name of the program, in parentheses, may have spaces in it.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}
