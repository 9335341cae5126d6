/**
 * Submits jobs, and prints the results and the statistics: `deno run -A examples/jobs/submit.ts
 * <text>...`.
 *
 * @module
 */
import { startServer } from "@gxensemble/ensemble";
import type { Dispatcher, Statistics } from "./job.ts";

await using server = await startServer({ log: { level: "warning" } });
const [found] = await server.lookup({ role: "dispatcher" });
if (!found) throw new Error("no dispatcher runs");
const jobs = server.client<Dispatcher>(`dispatcher@${found.id}`);
const results = await Promise.all(
  Deno.args.map((text) => jobs.add({ text, duration: 100 }, { timeout: 60_000 })),
);
console.log(results.join("\n"));
console.log(await server.client<Statistics>(`statistics@${found.id}`).report());
