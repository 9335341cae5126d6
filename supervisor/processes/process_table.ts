/**
 * The processes of this host, as the system shows them.
 *
 * On Linux, that is `/proc`. Elsewhere it is `ps`, which does not show the environment of processes.
 *
 * @module
 */

/** A process that runs. One that has ended and waits for its parent does not count. */
export interface ProcessEntry {
  /** Its process id. */
  readonly pid: number;
  /** Its process group. */
  readonly group: number;
  /** Its session; the group where the system does not show sessions. */
  readonly session: number;
  /**
   * When it started, as the system writes it. Together with the process id and the boot of the
   * system, it identifies a process.
   */
  readonly startTime: string;
  /** The same in ms since 1970. */
  readonly startedAt: number;
  /** Its resident memory, in bytes. */
  readonly rss: number;
}

/** Reads the processes of this host. */
export interface ProcessTable {
  /** The processes with some ids, by id, as far as they run. */
  find(pids: readonly number[]): Promise<ReadonlyMap<number, ProcessEntry>>;
  /** All processes. */
  all(): Promise<readonly ProcessEntry[]>;
  /**
   * The environment variable that a process was started with; undefined if it has none, or that
   * cannot be seen.
   */
  variable(pid: number, name: string): Promise<string | undefined>;
}

/** The table of this system. */
export function processTable(): ProcessTable {
  return Deno.build.os === "linux" ? new ProcTable() : new PsTable();
}

/** The processes that belong to a session or process group. */
export function membersOf(
  leader: number,
  processes: readonly ProcessEntry[],
): readonly ProcessEntry[] {
  return processes.filter(({ group, session }) => group === leader || session === leader);
}

/** How often to look for an environment that is empty. The pauses grow by a millisecond each. */
const ATTEMPTS = 10;

/** Reads `/proc`, which takes about 30 us for each process. */
export class ProcTable implements ProcessTable {
  readonly #pageSize = pageSize();
  readonly #bootTime = bootTime();

  /** @inheritdoc */
  find(pids: readonly number[]): Promise<ReadonlyMap<number, ProcessEntry>> {
    const entries = pids.map((pid) => [pid, this.#read(pid)] as const);
    return Promise.resolve(
      new Map(entries.flatMap(([pid, entry]) => entry ? [[pid, entry] as const] : [])),
    );
  }

  /** @inheritdoc */
  all(): Promise<readonly ProcessEntry[]> {
    const entries: ProcessEntry[] = [];
    for (const { name } of Deno.readDirSync("/proc")) {
      const entry = /^\d+$/.test(name) ? this.#read(Number(name)) : undefined;
      if (entry) entries.push(entry);
    }
    return Promise.resolve(entries);
  }

  /** @inheritdoc */
  async variable(pid: number, name: string): Promise<string | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      let text: string;
      try {
        text = Deno.readTextFileSync(`/proc/${pid}/environ`);
      } catch {
        return undefined; // It has ended, or belongs to another user.
      }
      if (text !== "") {
        const variable = text.split("\0").find((each) => each.startsWith(`${name}=`));
        return variable?.slice(name.length + 1);
      }
      // It has none for the moment in which it becomes another program.
      await new Promise((resolve) => setTimeout(resolve, attempt));
    }
  }

  /** @see proc_pid_stat(5) */
  #read(pid: number): ProcessEntry | undefined {
    let text: string;
    try {
      text = Deno.readTextFileSync(`/proc/${pid}/stat`);
    } catch {
      return undefined;
    }
    // The name of the process comes before the fields, and may contain any character.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    // The state is field 3. A main thread may have ended before the others.
    const field = (number: number) => fields[number - 3]!;
    const hasEnded = /[ZXx]/.test(field(3)) && Number(field(20)) <= 1;
    if (hasEnded) return undefined;
    return {
      pid,
      group: Number(field(5)),
      session: Number(field(6)),
      startTime: field(22),
      startedAt: this.#bootTime + Number(field(22)) * TICK,
      rss: Number(field(24)) * this.#pageSize,
    };
  }
}

/** The number of an entry of the auxiliary vector: the size of a page (getauxval(3)). */
const AT_PAGESZ = 6n;

function pageSize(): number {
  const values = new BigUint64Array(Deno.readFileSync("/proc/self/auxv").buffer);
  for (let index = 0; index + 1 < values.length; index += 2) {
    if (values[index] === AT_PAGESZ) return Number(values[index + 1]);
  }
  return 4096;
}

/** The unit of times in `/proc`, in ms. It is the same on all architectures. */
const TICK = 10;

/** The time of the boot, in ms since 1970, to the second. */
function bootTime(): number {
  const [, seconds] = /^btime (\d+)$/m.exec(Deno.readTextFileSync("/proc/stat")) ?? [];
  return Number(seconds) * 1000;
}

/** Asks `ps`, which POSIX systems have. */
export class PsTable implements ProcessTable {
  /** @inheritdoc */
  async find(pids: readonly number[]): Promise<ReadonlyMap<number, ProcessEntry>> {
    if (pids.length === 0) return new Map();
    const entries = await this.#ask("-p", pids.join(","));
    return new Map(entries.map((entry) => [entry.pid, entry]));
  }

  /** @inheritdoc */
  async all(): Promise<readonly ProcessEntry[]> {
    return await this.#ask("-A");
  }

  /** @inheritdoc */
  variable(): Promise<string | undefined> {
    return Promise.resolve(undefined);
  }

  async #ask(...which: string[]): Promise<ProcessEntry[]> {
    const { stdout } = await new Deno.Command("ps", {
      args: [...which, "-o", "pid=,pgid=,rss=,stat=,lstart="],
      env: { LC_ALL: "C" },
      stdin: "null",
      stderr: "null",
    }).output();
    return new TextDecoder().decode(stdout).split("\n").flatMap((line) => {
      const found = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+([^Z\s]\S*)\s+(\S.*?)\s*$/.exec(line);
      if (!found) return [];
      const [pid, group, kibibytes] = found.slice(1, 4).map(Number) as [number, number, number];
      const startTime = found[5]!;
      const startedAt = Date.parse(startTime);
      return [{ pid, group, session: group, startTime, startedAt, rss: kibibytes * 1024 }];
    });
  }
}
