/**
 * The program of the server that is observed: the service of {@linkcode startService}, and an actor
 * beside it that always has something to do, for a trace.
 *
 * @module
 */
import { currentServer } from "@gxensemble/ensemble";

/** The time between the messages to the other actor, in ms. */
const INTERVAL = 10;

/** Serves until the server is stopped. */
export async function main(): Promise<void> {
  const server = currentServer();
  let arrived = 0;
  server.serve("bench", {
    take: () => void arrived++,
    arrived: () => arrived,
    increment: ({ n }: { n: number }) => n + 1,
  });
  server.serve("other", { note: ({ n }: { n: number }) => n });
  let n = 0;
  const timer = setInterval(() => server.tell("other", { type: "note", n: n++ }), INTERVAL);
  console.log("ready .");
  await server.stopped;
  clearInterval(timer);
}
