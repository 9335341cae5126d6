/**
 * Gives jobs to workers: `gxensemble run --roles "(dispatcher)" dispatcher
 * examples/jobs/dispatcher.ts`.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  currentServer,
  EnsembleError,
  type HandlerContext,
  type HandlersOf,
  InvalidInputError,
  type Supervisor,
} from "@gxensemble/ensemble";
import type { Dispatcher, Done } from "./job.ts";
import { statistics } from "./statistics.ts";

/** How long to wait before a job is tried again, in ms. */
const PAUSE = 250;

/** The codes of failures after which a job is given to another worker: its worker was lost. */
const LOST: readonly string[] = ["ACTOR_ENDED", "DISCONNECTED", "SERVER_STOPPING"];

/** The codes of failures after which a job waits until there is a worker. */
const NO_WORKER: readonly string[] = ["NO_MEMBER", "NO_REGISTRY"];

/**
 * The handlers of the service `dispatcher`. Its requests overlap, since each waits for a worker. Its
 * state is the number of the last job.
 */
export const dispatcher: HandlersOf<Dispatcher> = {
  async add({ text, duration = 0 }, context: HandlerContext<number>) {
    if (typeof text !== "string" || typeof duration !== "number") {
      throw new InvalidInputError("a job has a text and a duration");
    }
    const server = currentServer();
    const request = { type: "work", job: { id: ++context.state, text, duration } };
    const { signal } = context;
    const options = { strategy: "least-pending", timeout: Infinity, signal } as const;
    while (true) {
      try {
        const { worker, result } = await server.askAny<Done>("workers", request, options);
        server.tell("statistics", { type: "done", worker });
        return result;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof EnsembleError)) throw error;
        if (LOST.includes(error.code)) server.tell("statistics", { type: "lost" });
        else if (!NO_WORKER.includes(error.code)) throw new EnsembleError(error.message);
        await delay(PAUSE, undefined, { signal });
      }
    }
  },
};

/** Starts the dispatcher and its statistics, which are restarted if they fail. */
export function start(server = currentServer()): Supervisor {
  return server.supervise("jobs", {
    intensity: { restarts: 5, within: 60_000 },
    children: [
      { name: "statistics", serve: statistics, state: () => ({ done: {}, lost: 0 }) },
      { name: "dispatcher", serve: dispatcher, concurrent: true, state: 0 },
    ],
  });
}

/** Runs the dispatcher until the server is shut down. Fails if its services fail too often. */
export async function main(): Promise<void> {
  const error = await Promise.race([start().ended, currentServer().stopped]);
  if (error) throw error;
}
