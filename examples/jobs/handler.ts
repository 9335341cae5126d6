/**
 * A new way to do jobs, loaded into running workers: `gxensemble load -f worker1
 * examples/jobs/handler.ts`.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Job } from "./job.ts";
import { setHandler } from "./worker.ts";

/** Counts the words of the text. */
export async function countWords({ text, duration }: Job, signal: AbortSignal): Promise<string> {
  await delay(duration, undefined, { signal });
  return `${text.split(/\s+/).filter(Boolean).length} words`;
}

/** Installs it as the worker's handler. `load` also calls it when it goes back to this version. */
export function install(): void {
  setHandler(countWords);
}

install();
