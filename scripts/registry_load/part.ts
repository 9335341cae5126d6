/**
 * A process of the load test.
 *
 * @module
 */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

/** The unit of the times in `/proc/<pid>/stat`, in ms: see `getconf CLK_TCK`. */
const TICK = 10;

/** What a registry has carried so far. */
export interface Carried {
  /** The servers that are connected. */
  readonly connections: number;
  /** The messages that it has received. */
  readonly received: number;
  /** The messages that it has sent. */
  readonly sent: number;
}

/** What a part reports, as a line of JSON. */
export type Report =
  | { readonly kind: "ready" }
  /** All watchers of the part know the servers that there are. */
  | { readonly kind: "watching" }
  | { readonly kind: "carried"; readonly carried: Carried }
  /** All watchers of the part know of an entry; the time is in ms since 1970. */
  | { readonly kind: "known"; readonly id: string; readonly at: number };

/** Prints a report, for the process that started this one. */
export function report(report: Report): void {
  console.log(JSON.stringify(report));
}

/** The time in ms since 1970, with fractions. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** A process that was started for the load test. */
export class Part {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reports: Report[] = [];
  #news = Promise.withResolvers<void>();
  #hasEnded = false;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#input = process.stdin.getWriter();
    void this.#read();
  }

  /** Starts the load test's program as one of its parts, and waits until that is ready. */
  static async start(part: string, args: readonly string[]): Promise<Part> {
    const program = fileURLToPath(new URL("../registry_load.ts", import.meta.url));
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", program, part, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const started = new Part(process);
    await started.reported("ready");
    return started;
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Waits for the next report of a kind. */
  async reported<Kind extends Report["kind"]>(
    kind: Kind,
    isWanted: (report: Extract<Report, { kind: Kind }>) => boolean = () => true,
  ): Promise<Extract<Report, { kind: Kind }>> {
    while (true) {
      const at = this.#reports.findIndex((report) =>
        report.kind === kind && isWanted(report as Extract<Report, { kind: Kind }>)
      );
      if (at >= 0) return this.#reports.splice(at, 1)[0] as Extract<Report, { kind: Kind }>;
      if (this.#hasEnded) throw new Error(`process ${this.pid} has ended`);
      await this.#news.promise;
    }
  }

  /** What a registry has carried so far. */
  async carried(): Promise<Carried> {
    await this.#ask();
    return (await this.reported("carried")).carried;
  }

  /** Has its watchers begin, and waits until they have. */
  async watch(): Promise<void> {
    await this.#ask();
    await this.reported("watching");
  }

  #ask(): Promise<void> {
    return this.#input.write(new TextEncoder().encode("\n"));
  }

  /** Kills it. */
  async kill(): Promise<void> {
    if (!this.#hasEnded) this.#process.kill("SIGKILL");
    await this.#process.status;
    await this.#input.abort().catch(() => {});
  }

  async #read(): Promise<void> {
    const input = Readable.fromWeb(this.#process.stdout as never);
    for await (const line of createInterface({ input })) {
      // The log of its servers is in the same stream.
      if (line.startsWith("{")) this.#reports.push(JSON.parse(line));
      this.#tell();
    }
    this.#hasEnded = true;
    this.#tell();
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

/** The processor time that a process has taken so far, in ms: its own, and in the kernel. */
export function processorTime(pid: number): [own: number, kernel: number] {
  // proc_pid_stat(5): the fields follow the name, which may contain any character.
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
  return [Number(stat[11]) * TICK, Number(stat[12]) * TICK];
}

/** The memory of a process that is resident, in MB. */
export function memory(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s*(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))!;
  return Number(kilobytes) / 1024;
}
