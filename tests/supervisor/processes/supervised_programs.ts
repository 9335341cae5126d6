/**
 * Supervised programs for tests: small shell scripts in a temporary directory.
 *
 * @module
 */
import { SUPERVISED } from "../../../runtime/home/supervised_process.ts";
import type { ServerPlan } from "../../../supervisor/processes/server_plan.ts";
import type { ServerReport } from "../../../supervisor/processes/server_report.ts";
import {
  SupervisedProcesses,
  type SupervisedProcessesOptions,
} from "../../../supervisor/processes/supervised_processes.ts";
import { ProcTable } from "../../../supervisor/processes/process_table.ts";
import { parseMarker } from "../../../supervisor/processes/spawning.ts";

/** A program that runs until it is asked to stop. */
export const RUNS = "trap 'exit 0' TERM; echo runs; while :; do sleep 0.05; done";

/** The plan of a shell script that counts as up while it runs. */
export function planOf(id: string, script: string, rest: Partial<ServerPlan> = {}): ServerPlan {
  return {
    id,
    enabled: true,
    launch: () => ({ command: ["sh", "-c", script], environment: {} }),
    announcesUp: false,
    health: undefined,
    hash: "first",
    finalCodes: [2],
    restart: {
      policy: "permanent",
      backoff: { min: 10, max: 50, factor: 2 },
      intensity: { restarts: 5, within: 60_000 },
      resetAfter: 60_000,
    },
    start: { timeout: 60_000 },
    stop: { signal: "SIGTERM", killAfter: 20_000 },
    memoryLimit: undefined,
    workingDirectory: "/",
    user: undefined,
    after: [],
    output: { size: 1 << 20, keep: 2 },
    ...rest,
  };
}

/** A supervisor of a test, in its own directory. All its processes are killed at the end. */
export class TestSupervisor implements AsyncDisposable {
  /** Its directory. */
  readonly directory = Deno.makeTempDirSync({ prefix: "gx" });
  /** The directory of its state. */
  readonly state = `${this.directory}/supervisor-test`;
  /** All reports, in their order. */
  readonly reports: ServerReport[] = [];
  /** The processes of the current run. */
  declare processes: SupervisedProcesses;
  #isOpen = false;
  #waiting: (() => void)[] = [];

  /** Starts a run of the supervisor. */
  async open(options: Partial<SupervisedProcessesOptions> = {}): Promise<SupervisedProcesses> {
    this.processes = await SupervisedProcesses.open({
      id: "supervisor-test",
      directory: this.state,
      outputDirectory: (id) => `${this.directory}/${id}`,
      onChange: (report) => {
        this.reports.push(report);
        for (const wake of this.#waiting.splice(0)) wake();
      },
      ...options,
    });
    this.#isOpen = true;
    return this.processes;
  }

  /** Ends the run, and leaves its processes to the next one. */
  async leave(): Promise<void> {
    this.#isOpen = false;
    await this.processes.leave();
  }

  /** Stops all servers, and ends the run. */
  async stopAll(): Promise<void> {
    this.#isOpen = false;
    await this.processes.stopAll();
  }

  /** Waits until the report of a server meets a condition. */
  async until(id: string, isMet: (report: ServerReport) => boolean): Promise<ServerReport> {
    while (true) {
      const report = this.processes.report(id);
      if (isMet(report)) return report;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        setTimeout(resolve, 20);
      });
    }
  }

  /** The first processes of all runs of a server that exist now. */
  async processesOf(id: string): Promise<number[]> {
    const table = new ProcTable();
    const pids: number[] = [];
    for (const { pid, session } of await table.all()) {
      const run = parseMarker(await table.variable(pid, SUPERVISED) ?? "");
      if (pid === session && run?.directory === this.state && run.server === id) pids.push(pid);
    }
    return pids;
  }

  /** What a server has written. */
  async output(id: string): Promise<string> {
    const { bytes } = await this.processes.readOutput(id, { lines: 1_000 });
    return new TextDecoder().decode(bytes);
  }

  /** Ends all processes. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOpen) await this.processes.stopAll({ signal: AbortSignal.abort() });
    const table = new ProcTable();
    for (const { pid } of await table.all()) {
      const run = parseMarker(await table.variable(pid, SUPERVISED) ?? "");
      if (run?.directory === this.state) Deno.kill(pid, "SIGKILL");
    }
    await Deno.remove(this.directory, { recursive: true });
  }
}
