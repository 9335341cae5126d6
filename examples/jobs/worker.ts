/**
 * Does jobs: `gxensemble run --roles "(worker)" worker1 examples/jobs/worker.ts`.
 *
 * @module
 */
import { currentServer, type EnsembleServer, type HandlersOf } from "@gxensemble/ensemble";
import type { Job, Outcome, Worker } from "./job.ts";

/** Does a job, and returns its result. */
export type JobHandler = (job: Job, signal: AbortSignal) => string | Promise<string>;

let handle: JobHandler = async ({ text, duration }, signal) => {
  await delay(duration, signal);
  return text.toUpperCase();
};

/**
 * Changes how jobs are done, from the next one on. It is called by code loaded while the worker
 * runs.
 */
export function setHandler(handler: JobHandler): void {
  handle = handler;
}

/** Resolves after `duration` ms. Rejects if the signal is aborted first. */
export function delay(duration: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, duration);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

/** Makes the handlers of the service `worker`. */
export function worker(server: EnsembleServer): HandlersOf<Worker> {
  return {
    async work({ job }, { sender, signal }) {
      const tell = (result: Outcome["result"]) =>
        server.tell(sender, { type: "done", job: job.id, result } satisfies Outcome);
      try {
        tell({ value: await handle(job, signal) });
      } catch (error) {
        // The worker is ending, so the dispatcher gives the job to another.
        if (signal.aborted) return;
        tell({ error: `job ${job.id} failed: ${error}` });
      }
    },
  };
}

/** Runs the worker until the server is shut down. */
export async function main(): Promise<void> {
  const server = currentServer();
  server.serve("worker", worker(server));
  await server.stopped;
}
