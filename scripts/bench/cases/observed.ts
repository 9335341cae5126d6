/**
 * Asks and one-way messages while the server is observed: with the observer's page open in a
 * browser, `top` of its actors, its metrics scraped each second, and another actor of it traced.
 *
 * Beside it is the same server that is not observed. The processor time is that of both servers,
 * without the observers' own processes, which take theirs from the same machine.
 *
 * @module
 */
import { startServer } from "../../../mod.ts";
import type { Case, Contestant, Figures } from "../case.ts";
import { CommandLineEnsemble } from "../command_line.ts";
import { CLIENT, SERVER, SERVICE } from "../ensemble_peer.ts";
import { OBSERVERS } from "../observers.ts";
import { measure } from "../pair.ts";
import { lanes, OUTSTANDING, rateOf, rateOneWay, timeEach } from "../timing.ts";

const PROGRAM = new URL("../observed_program.ts", import.meta.url).pathname;

/** A contestant whose server is observed, or not. */
function inEnsemble(isObserved: boolean): Contestant {
  return async ({ duration, directory }) => {
    await using ensemble = await CommandLineEnsemble.start(directory);
    const httpPort = freePort();
    const options = isObserved ? ["--http", `127.0.0.1:${httpPort}`] : [];
    const args = ["run", "--log", "ERROR", ...options, SERVER, PROGRAM];
    await using server = await ensemble.spawn(args, "ready .");
    await using stack = new AsyncDisposableStack();
    for (const observe of isObserved ? OBSERVERS : []) await observe(ensemble, { stack, httpPort });
    const place = JSON.stringify({ pid: server.pid });
    return await measure(import.meta.url, messages.name, [`${duration}`, place], ensemble.env);
  };
}

/** The work. */
export async function messages(
  duration: number,
  { pid }: { readonly pid: number },
): Promise<Figures> {
  const client = await startServer(CLIENT, { log: false });
  const ask = (message: object) => client.ask<number>(SERVICE, message, { timeout: 60_000 });
  let n = 0;
  const next = () => ask({ type: "increment", n: n++ & 1023 });
  const { p50, p99 } = await timeEach(duration, next);
  const outstanding = await rateOf(duration, lanes(OUTSTANDING, next), pid);
  const oneWay = await rateOneWay(duration, {
    send() {
      client.tell(SERVICE, { type: "take", n: n++ & 1023 });
      return client.congested(SERVER) ? client.flushed(SERVER) : undefined;
    },
    arrived: () => ask({ type: "arrived" }),
  }, { pid });
  return {
    "ask p50": p50,
    "ask p99": p99,
    "64 outstanding rate": outstanding.rate,
    "64 outstanding cpu": outstanding.cpu ?? NaN,
    "one way rate": oneWay.rate,
    "one way cpu": oneWay.cpu ?? NaN,
  };
}

/** A port that nothing listens on. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** The case. */
export const OBSERVED: Case[] = [{
  name: "while observed",
  figures: {
    "ask p50": { unit: "us", better: "less" },
    "ask p99": { unit: "us", better: "less" },
    "64 outstanding rate": { unit: "/s", better: "more" },
    "64 outstanding cpu": { unit: "us", better: "less" },
    "one way rate": { unit: "/s", better: "more" },
    "one way cpu": { unit: "us", better: "less" },
  },
  contestants: { project: inEnsemble(true), unobserved: inEnsemble(false) },
}];
