/**
 * Contestants that run in Deno: a pair of processes, or one alone.
 *
 * @module
 */
import type { Contestant, Figures, Transport } from "./case.ts";
import { makeCertificates } from "./certificates.ts";
import { CLIENT, type Place, SERVER } from "./ensemble_peer.ts";
import { outputOf, RunningProgram } from "./running_program.ts";

/** Work of the process that measures, exported by the module of its case. */
type Work = (duration: number, place: Place) => Promise<Figures>;

const DENO = ["run", "-A", "--no-check", "--v8-flags=--expose-gc"];

/**
 * Two servers of an ensemble: `work`, exported by `module`, runs in a process beside that of the
 * server. `env` are environment variables of both.
 */
export function servers(
  module: string,
  work: Work,
  transport: Transport,
  env?: Record<string, string>,
): Contestant {
  return pair({ server: "ensemble_server.ts", module, work, transport, env });
}

/** Two processes with a bare socket. */
export function sockets(
  module: string,
  work: Work,
  transport: Transport,
  readSize?: number,
): Contestant {
  const args = readSize === undefined ? [] : [`${readSize}`];
  return pair({ server: "raw_server.ts", args, module, work, transport });
}

/** One process. */
export function alone(module: string, work: (duration: number) => Promise<Figures>): Contestant {
  return async ({ duration }) => await measure(module, work.name, [`${duration}`, "{}"]);
}

function pair(parts: {
  server: string;
  args?: string[];
  module: string;
  work: Work;
  transport: Transport;
  env?: Record<string, string> | undefined;
}): Contestant {
  const { transport, module, work, args = [], env = {} } = parts;
  return async ({ duration, directory }) => {
    if (transport === "tls") await makeCertificates(directory, [SERVER, CLIENT]);
    const program = new URL(parts.server, import.meta.url).href;
    await using server = await RunningProgram.start(
      Deno.execPath(),
      [...DENO, program, transport, directory, ...args],
      { ready: " .", env },
    );
    const address = server.text.split(" ")[1]!;
    const place: Place = { transport, directory, address, pid: server.pid };
    return await measure(module, work.name, [`${duration}`, JSON.stringify(place)], env);
  };
}

/**
 * Runs the work `name` of a module in the process that measures, `client.ts`, with a duration in ms and a
 * place, as JSON.
 */
export async function measure(
  module: string,
  name: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<Figures> {
  const client = new URL("client.ts", import.meta.url).href;
  const output = await outputOf(Deno.execPath(), [...DENO, client, module, name, ...args], { env });
  return JSON.parse(output);
}
