import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type EnsembleServer, loadFile } from "../../mod.ts";
import { type TestEnsemble, withEnsemble } from "../../testing/test_ensemble.ts";
import * as dispatching from "../../examples/jobs/dispatcher.ts";
import type { Dispatcher, Report, Statistics } from "../../examples/jobs/job.ts";
import * as workers from "../../examples/jobs/worker.ts";

const HANDLER = fileURLToPath(new URL("../../examples/jobs/handler.ts", import.meta.url));

/** Longer than any test takes: such a job ends only with its worker. */
const ENDLESS = 1_000_000;

async function startDispatcher(ensemble: TestEnsemble) {
  const server = await ensemble.startServer("dispatcher", { roles: ["dispatcher"] });
  dispatching.start(server);
  const client = await ensemble.startServer();
  return {
    client,
    jobs: client.client<Dispatcher>("dispatcher@dispatcher"),
    report: (): Promise<Report> => client.client<Statistics>("statistics@dispatcher").report(),
  };
}

/** Starts a worker, which shares this process's handler with the others. */
async function startWorker(ensemble: TestEnsemble, id: string): Promise<EnsembleServer> {
  const server = await ensemble.startServer(id, {
    roles: ["worker"],
    library: { "examples/jobs/worker.ts": workers },
  });
  workers.start(server);
  return server;
}

/**
 * Makes all workers use a handler whose jobs end only with their worker. Resolves when one has
 * begun.
 */
function firstJobNeverEnds(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let count = 0;
  workers.setHandler(async ({ text }, signal) => {
    if (count++ === 0) {
      resolve();
      await delay(ENDLESS, undefined, { signal });
    }
    return text.toUpperCase();
  });
  return promise;
}

Deno.test(
  "dispatcher gives jobs to all workers, including those that come later",
  withEnsemble(async (ensemble) => {
    workers.setHandler(({ text }) => text.toUpperCase());
    const { jobs, report } = await startDispatcher(ensemble);
    const early = jobs.add({ text: "before any worker" });
    await startWorker(ensemble, "worker1");
    await startWorker(ensemble, "worker2");
    assert.equal(await early, "BEFORE ANY WORKER");
    const results = await Promise.all(["a", "b", "c", "d"].map((text) => jobs.add({ text })));
    assert.deepEqual(results, ["A", "B", "C", "D"]);
    const { done, lost } = await report();
    assert.deepEqual(Object.values(done).reduce((sum, count) => sum + count), 5);
    assert.equal(lost, 0);
  }),
);

Deno.test(
  "dispatcher gives out the job of a killed worker again",
  withEnsemble(async (ensemble) => {
    const { client, jobs, report } = await startDispatcher(ensemble);
    const started = firstJobNeverEnds();
    await startWorker(ensemble, "worker1");
    const result = jobs.add({ text: "important" });
    await started;
    await startWorker(ensemble, "worker2");
    await client.remote("worker1").killActor("worker");
    assert.equal(await result, "IMPORTANT");
    // The worker is restarted, so it may be the one that gets it.
    const { done, lost } = await report();
    assert.deepEqual([Object.values(done), lost], [[1], 1]);
    const restarted = await client.ask("worker@worker1", { type: "work", job: { text: "more" } });
    assert.deepEqual(restarted, { worker: "worker1", result: "MORE" });
  }),
);

Deno.test(
  "dispatcher gives the job of a stopped server to another",
  withEnsemble(async (ensemble) => {
    const { jobs, report } = await startDispatcher(ensemble);
    const started = firstJobNeverEnds();
    const first = await startWorker(ensemble, "worker1");
    const result = jobs.add({ text: "important" });
    await started;
    await startWorker(ensemble, "worker2");
    await first.stop({ grace: 0 });
    assert.equal(await result, "IMPORTANT");
    assert.deepEqual(await report(), { done: { worker2: 1 }, lost: 1 });
  }),
);

Deno.test(
  "worker does jobs in a new way when a handler is loaded under load",
  withEnsemble(async (ensemble) => {
    workers.setHandler(({ text }) => text.toUpperCase());
    const { client, jobs } = await startDispatcher(ensemble);
    await startWorker(ensemble, "worker1");
    const results: string[] = [];
    const submitted = (async () => {
      while (results.at(-1) !== "2 words") results.push(await jobs.add({ text: "two words" }));
    })();
    await jobs.add({ text: "one" });
    await loadFile(client.remote("worker1"), HANDLER, { force: true });
    await submitted;
    assert.equal(results[0], "TWO WORDS");
    assert.deepEqual([...new Set(results)], ["TWO WORDS", "2 words"]);
  }),
);

Deno.test(
  "dispatcher goes on with its numbers and counts when it is killed",
  withEnsemble(async (ensemble) => {
    workers.setHandler(({ id }) => `${id}`);
    const { client, jobs, report } = await startDispatcher(ensemble);
    await startWorker(ensemble, "worker1");
    assert.equal(await jobs.add({ text: "x" }), "1");
    await client.remote("dispatcher").killActor("dispatcher");
    assert.equal(await jobs.add({ text: "x" }), "2");
    await client.remote("dispatcher").killActor("statistics");
    assert.deepEqual(await report(), { done: { worker1: 2 }, lost: 0 });
  }),
);

Deno.test(
  "dispatcher refuses an invalid job, and reports why a job failed",
  withEnsemble(async (ensemble) => {
    workers.setHandler(() => {
      throw new Error("no such word");
    });
    const { client, jobs } = await startDispatcher(ensemble);
    await startWorker(ensemble, "worker1");
    await assert.rejects(
      client.ask("dispatcher@dispatcher", { type: "add", text: 1 }),
      { code: "INVALID_INPUT" },
    );
    await assert.rejects(jobs.add({ text: "x" }), /job 1 failed: Error: no such word/);
  }),
);
