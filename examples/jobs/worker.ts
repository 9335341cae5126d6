/**
 * Does jobs: `gxensemble run --roles "(worker)" worker1 examples/jobs/worker.ts`.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  currentServer,
  EnsembleError,
  type HandlersOf,
  type Supervisor,
} from "@gxensemble/ensemble";
import type { Job, Worker } from "./job.ts";

/** Does a job, and returns its result. */
export type JobHandler = (job: Job, signal: AbortSignal) => string | Promise<string>;

let handle: JobHandler = async ({ text, duration }, signal) => {
  await delay(duration, undefined, { signal });
  return text.toUpperCase();
};

/**
 * Changes how jobs are done, from the next one on. It is called by code loaded while the worker
 * runs.
 */
export function setHandler(handler: JobHandler): void {
  handle = handler;
}

/** The handlers of the service `worker`. */
export const worker: HandlersOf<Worker> = {
  async work({ job }, { signal }) {
    try {
      return { worker: currentServer().id, result: await handle(job, signal) };
    } catch (error) {
      // The worker is ending, so the dispatcher gives the job to another.
      signal.throwIfAborted();
      throw new EnsembleError(`job ${job.id} failed: ${error}`);
    }
  },
};

/** Starts a worker, which is restarted if it fails. */
export function start(server = currentServer()): Supervisor {
  const supervisor = server.supervise("jobs", {
    intensity: { restarts: 5, within: 60_000 },
    children: [{ name: "worker", serve: worker }],
  });
  server.join("workers", "worker");
  return supervisor;
}

/** Runs the worker until the server is shut down. Fails if its service fails too often. */
export async function main(): Promise<void> {
  const error = await Promise.race([start().ended, currentServer().stopped]);
  if (error) throw error;
}
