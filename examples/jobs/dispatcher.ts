/**
 * Gives jobs to workers: `gxensemble run --roles "(dispatcher)" dispatcher
 * examples/jobs/dispatcher.ts`.
 *
 * @module
 */
import {
  type Actor,
  ActorRef,
  currentServer,
  EnsembleError,
  type Envelope,
  InvalidInputError,
  on,
  onDown,
  onPing,
  onShutdown,
  onUnexpected,
} from "@gxensemble/ensemble";
import type { Job, Outcome, Statistics } from "./job.ts";
import { statistics } from "./statistics.ts";

/** How often to look for workers while jobs wait, in ms. */
const INTERVAL = 250;

/** A job, and the sender that waits for its result. */
interface Task {
  readonly job: Job;
  readonly envelope: Envelope;
}

/** The body of the actor `dispatcher`. */
export async function dispatcher(self: Actor): Promise<void> {
  const server = currentServer();
  const counts = server.client<Statistics>("statistics");
  const waiting: Task[] = [];
  /** The jobs of busy workers, by the number of the monitor that watches the worker. */
  const running = new Map<number, { readonly task: Task; readonly worker: string }>();
  /** Workers that were lost a moment ago. The registry may not have noticed yet. */
  const lost = new Set<string>();
  let lastId = 0;

  /** Gives each free worker a job. */
  async function assign(): Promise<void> {
    if (waiting.length === 0) return;
    const busy = new Set(Array.from(running.values(), ({ worker }) => worker));
    for (const { id } of await findWorkers()) {
      if (busy.has(id) || lost.has(id)) continue;
      const task = waiting.shift();
      if (!task) return;
      const worker = new ActorRef(id, "worker");
      running.set(self.monitor(worker), { task, worker: id });
      self.tell(worker, { type: "work", job: task.job });
    }
  }

  async function findWorkers() {
    try {
      return await server.lookup({ role: "worker" });
    } catch (error) {
      // Without the registry, which was not asked yet, jobs wait until it is back.
      if (error instanceof EnsembleError) return [];
      throw error;
    }
  }

  self.ticker(INTERVAL);
  await self.loop([
    on("add", async ({ text, duration = 0 }: { text: string; duration?: number }, envelope) => {
      if (typeof text !== "string" || typeof duration !== "number") {
        return envelope.fail(new InvalidInputError("a job has a text and a duration"));
      }
      waiting.push({ job: { id: ++lastId, text, duration }, envelope });
      await assign();
    }),
    on("done", async ({ job, result }: Outcome, { source }) => {
      const found = Array.from(running).find(([, { task, worker }]) =>
        task.job.id === job && worker === source.server
      );
      // A worker that was considered lost may still answer.
      if (!found) return;
      const [monitor, { task, worker }] = found;
      self.demonitor(monitor);
      running.delete(monitor);
      if ("value" in result) task.envelope.reply(result.value);
      else task.envelope.fail(new EnsembleError(result.error));
      await counts.done({ worker });
      await assign();
    }),
    onDown(async ({ monitor }) => {
      const { task, worker } = running.get(monitor) ?? {};
      if (!task || !worker) return;
      running.delete(monitor);
      lost.add(worker);
      waiting.unshift(task);
      await counts.lost({ worker });
      await assign();
    }),
    on("tick", async () => {
      lost.clear();
      await assign();
    }),
    onPing,
    onShutdown(),
    onUnexpected,
  ]);
}

/** Runs the dispatcher and its statistics until the server is shut down. */
export async function main(): Promise<void> {
  const server = currentServer();
  server.serve("statistics", statistics());
  server.spawn("dispatcher", dispatcher);
  await server.stopped;
}
