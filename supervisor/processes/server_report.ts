/**
 * What a supervisor knows about a server.
 *
 * @module
 */

/** The states of a server under a supervisor. */
export const SERVER_STATES = [
  /** The servers that it starts after are not all up. */
  "waiting",
  /** Its process runs, and is not up yet. */
  "starting",
  /** It is up. */
  "up",
  /** It is up, and its last health check failed. */
  "unhealthy",
  /** Its process has been asked to stop. */
  "stopping",
  /** An operator stopped it, it is not enabled, or it ended well and is not restarted. */
  "stopped",
  /** It ended, and is started again after a delay. */
  "backing-off",
  /** It ended, and is not started again until an operator does. */
  "failed",
] as const;

/** One of {@linkcode SERVER_STATES}. */
export type ServerState = typeof SERVER_STATES[number];

/**
 * How a process ended. Without a code and a signal, that is unknown: it was no child of this
 * supervisor.
 */
export interface ProcessEnd {
  /** When, in ms since 1970; for an unknown end, when it was noticed. */
  readonly at: number;
  /** Its exit code, if it exited. */
  readonly code?: number | undefined;
  /** The signal that ended it. */
  readonly signal?: string | undefined;
  /** Why the supervisor ended it: `3 health checks failed: no answer`. */
  readonly reason?: string | undefined;
}

/** What a supervisor knows about a server. */
export interface ServerReport {
  /** Its id. */
  readonly id: string;
  /** Its state. */
  readonly state: ServerState;
  /** Why it is in that state: `crash loop: 6 ends within 60 s`, `stopped by me@host1`. */
  readonly reason?: string | undefined;
  /** Whether an earlier run of the supervisor started its process. */
  readonly adopted: boolean;
  /** Whether an operator added it. */
  readonly added: boolean;
  /** Whether its configuration has changed since its process started. */
  readonly outdated: boolean;
  /** Its process id, while it has a process. */
  readonly pid?: number | undefined;
  /** When its process started, in ms since 1970. */
  readonly startedAt?: number | undefined;
  /** Since when it has been up, in ms since 1970. */
  readonly upSince?: number | undefined;
  /** The resident memory of its processes, in bytes, when it was last read. */
  readonly rss?: number | undefined;
  /** How often the supervisor has restarted it by itself. */
  readonly restarts: number;
  /** When it is started again, in ms since 1970, in the state `backing-off`. */
  readonly startsAt?: number | undefined;
  /** How its last process ended. */
  readonly lastExit?: ProcessEnd | undefined;
}

/** Says how a process ended: `exit code 1`, `killed by SIGKILL`. */
export function formatEnd({ code, signal, reason }: ProcessEnd): string {
  if (reason !== undefined) return reason;
  if (signal !== undefined) return `killed by ${signal}`;
  return code === undefined ? "ended, exit code unknown" : `exit code ${code}`;
}
