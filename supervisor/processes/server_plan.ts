/**
 * What a supervisor runs for a server, and how it keeps it running.
 *
 * @module
 */
import type { ProcessConfiguration } from "../configuration/configuration.ts";

/** The parts of a configuration that say how a process is kept running. */
type Keeping = Pick<
  ProcessConfiguration,
  | "id"
  | "enabled"
  | "restart"
  | "start"
  | "stop"
  | "memoryLimit"
  | "workingDirectory"
  | "user"
  | "after"
  | "output"
>;

/** How to run the process of a server. */
export interface Launch {
  /** The program and its arguments. A program without a slash is searched in `PATH`. */
  readonly command: readonly string[];
  /** Its environment variables, in addition to those of the supervisor. */
  readonly environment: Readonly<Record<string, string>>;
}

/** How often the health of a server is checked. */
export type HealthSchedule = Pick<
  NonNullable<ProcessConfiguration["health"]>,
  "interval" | "timeout" | "failures" | "startAfter"
>;

/** A server that an operator added: it is not in the configuration. */
export interface Addition {
  /** The role that it runs. */
  readonly role: string;
  /** The arguments in place of those of the role. */
  readonly args?: readonly string[] | undefined;
}

/** What a supervisor runs for a server, and how it keeps it running. */
export interface ServerPlan extends Keeping {
  /**
   * Finds out how to run it, just before each start, so that files with secrets are read then. If
   * this throws, the start has failed, with the error's message as the reason.
   */
  readonly launch: () => Launch | Promise<Launch>;
  /**
   * Whether it is up only when `SupervisedProcesses.becameUp` says so, within
   * `start.timeout`. Otherwise it is up while it runs.
   */
  readonly announcesUp: boolean;
  /** How often its health is checked while it is up; undefined for never. */
  readonly health: HealthSchedule | undefined;
  /** Identifies what its process depends on. A process started with another hash is outdated. */
  readonly hash: string;
  /** Exit codes after which no restart can help, such as 2 for a wrong command line. */
  readonly finalCodes: readonly number[];
  /** Set for a server that an operator added. It is kept for `SupervisedProcesses`. */
  readonly addition?: Addition | undefined;
}
