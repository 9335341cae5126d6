/**
 * The defaults and bounds of what a supervisor does with its processes. Times are in ms, and sizes
 * in bytes.
 *
 * @module
 */
import type {
  HealthConfiguration,
  OutputConfiguration,
  RestartConfiguration,
  StartConfiguration,
  StopSignal,
} from "./configuration.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/** The bounds of most times: a check or a delay of less would only burden the host. */
export const TIMES = { least: 100, most: DAY } as const;

/** The bounds of times that may be none. */
export const TIMES_FROM_ZERO = { least: 0, most: DAY } as const;

/** The bounds of a memory limit. A server itself needs more than 32 MiB. */
export const MEMORY = { least: 32 * 2 ** 20, most: 2 ** 44 } as const;

/** The bounds of the size of an output file. */
export const OUTPUT_SIZES = { least: 4 * 2 ** 10, most: 2 ** 34 } as const;

/** The bounds of the size of all uploads. */
export const UPLOAD_SIZES = { least: 2 ** 20, most: 2 ** 44 } as const;

/** The most workers of one group. */
export const MOST_WORKERS = 1_000;

/** The most servers of a file, with all workers. */
export const MOST_SERVERS = 10_000;

/** How processes are restarted. */
export const RESTART: RestartConfiguration = {
  policy: "permanent",
  backoff: { min: SECOND, max: 30 * SECOND, factor: 2 },
  intensity: { restarts: 5, within: MINUTE },
  resetAfter: MINUTE,
};

/** How processes start. */
export const START: StartConfiguration = { timeout: MINUTE };

/** The signal that asks a process to stop. */
export const STOP_SIGNAL: StopSignal = "SIGTERM";

/** How long after its grace a process is killed. */
export const KILL_AFTER_GRACE = 5 * SECOND;

/** How health is checked. `startAfter` is the interval. */
export const HEALTH: Omit<HealthConfiguration, "expression" | "startAfter"> = {
  interval: 10 * SECOND,
  timeout: 5 * SECOND,
  failures: 3,
};

/** The files of output. */
export const OUTPUT: OutputConfiguration = { size: 10 * 2 ** 20, keep: 5 };

/** The size of all uploads. */
export const UPLOAD_LIMIT = 2 ** 30;
