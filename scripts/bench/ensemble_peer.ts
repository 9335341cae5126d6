/**
 * Both ends of a pair of servers, as the cases use them.
 *
 * @module
 */
import { ActorRef } from "../../runtime/actor/references.ts";
import { isTelemetryOn } from "../../runtime/home/telemetry_variables.ts";
import { ActorServer } from "../../runtime/server/actor_server.ts";
import { type Address, formatAddressUrl, localUnixAddress } from "../../runtime/wire/address.ts";
import type { Transport } from "./case.ts";
import { readCredentials } from "./certificates.ts";

/** The id of the server that is asked. */
export const SERVER = "server1";

/** The id of the first server that asks. */
export const CLIENT = "client1";

/** The service in {@linkcode SERVER} that all cases use. */
export const SERVICE: ActorRef = new ActorRef(SERVER, "bench");

/** Another service there, to which large messages go while {@linkcode SERVICE} answers. */
export const SINK: ActorRef = new ActorRef(SERVER, "sink");

/** Starts the server that is asked. */
export async function startService(transport: Transport, directory: string): Promise<ActorServer> {
  const listen: Address = transport === "unix"
    ? localUnixAddress(`${directory}/${SERVER}`)
    : { kind: transport, host: "127.0.0.1", port: 0 };
  const server = await start(SERVER, { listen: [listen], transport, directory });
  server.serve("sink", counter());
  server.serve("bench", {
    ...counter(),
    increment: ({ n }: { n: number }) => n + 1,
    echo: ({ value }: { value: unknown }) => value,
    memory() {
      collectGarbage();
      return Deno.memoryUsage().rss;
    },
  });
  return server;
}

/** Takes messages, and says how many there were. */
function counter() {
  let arrived = 0;
  return { take: () => void arrived++, arrived: () => arrived };
}

/** The address at which a server listens, as text. */
export function addressOf(server: ActorServer): string {
  return formatAddressUrl(server.entry.addresses[0]!);
}

/** Where the server is that is asked. */
export interface Place {
  /** How it is reached. */
  readonly transport: Transport;
  /** Its address, as text. */
  readonly address: string;
  /** The directory of both servers. */
  readonly directory: string;
  /** The process of that server. */
  readonly pid: number;
}

/** Starts a server that asks. It is connected when this resolves. */
export async function startClient(place: Place, id: string = CLIENT): Promise<ActorServer> {
  const server = await start(id, { listen: [], ...place });
  await server.connect(SERVER, [place.address]);
  return server;
}

/** Starts a server that only actors of its own process use. */
export function startAlone(): Promise<ActorServer> {
  return start(SERVER, { listen: [] });
}

async function start(
  id: string,
  { listen, transport, directory = "" }: {
    listen: Address[];
    transport?: Transport;
    directory?: string;
  },
): Promise<ActorServer> {
  const server = await ActorServer.start({
    id,
    cookies: [new Uint8Array(32)],
    tls: transport === "tls" ? await readCredentials(directory, id) : undefined,
    listen,
    registry: [],
    roles: [],
    register: false,
    // A machine that does other work may answer late.
    askTimeout: 60_000,
  });
  if (isTelemetryOn()) {
    const { Telemetry } = await import("../../runtime/observation/telemetry.ts");
    server.hold(new Telemetry(server));
  }
  return server;
}

/** Collects garbage, so that the memory of the process is that of what is alive. */
export function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

/**
 * Asks for the number behind `n`.
 *
 * @throws {Error} if the answer is wrong.
 */
export async function askNext(server: ActorServer, n: number): Promise<void> {
  const answer = await server.ask(SERVICE, { type: "increment", n });
  if (answer !== n + 1) throw new Error(`asked for the number behind ${n}, and got ${answer}`);
}

/**
 * Asks for a text or bytes to be sent back.
 *
 * @throws {Error} if the answer has another length.
 */
export async function askEcho(server: ActorServer, value: string | Uint8Array): Promise<void> {
  const answer = await server.ask<typeof value>(SERVICE, { type: "echo", value });
  if (answer.length !== value.length) {
    throw new Error(`sent ${value.length} characters or bytes, and got ${answer.length}`);
  }
}
