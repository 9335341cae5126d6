/**
 * A server with 1,000 peers: connecting them, their memory, and all asking at once.
 *
 * The peers are servers in one process, each with its own connection. The floor is as many bare
 * sockets, each read into a buffer of 4 KiB. One peer with 64 outstanding is measured beside it.
 *
 * @module
 */
import type { Case, Figures } from "../case.ts";
import { askNext, CLIENT, type Place, SERVICE, startClient } from "../ensemble_peer.ts";
import { servers, sockets } from "../pair.ts";
import { openRaw, RawMode, roundTrip } from "../raw_stream.ts";
import { median } from "../statistics.ts";
import { ProcessorTime } from "../processor_time.ts";
import { lanes, OUTSTANDING, rateOf, rateWhile, runLanes } from "../timing.ts";

const PEERS = 1_000;

/** The size of a bare socket's buffer, in bytes. */
const READ_SIZE = 4 * 1024;

/** How many peers connect before times and memory are taken. */
const WARM_UP = 100;

/** The figures of both rates. */
const ONE_EACH = "rate, one outstanding each";
const MANY_EACH = "rate, 64 outstanding each";

/** The processor time that the server takes for an ask of {@linkcode MANY_EACH}. */
const SERVER_CPU = "server cpu, 64 outstanding each";

/** The project's work. */
export async function peers(duration: number, place: Place): Promise<Figures> {
  const first = await startClient(place);
  let next = 0;
  const { clients, ...figures } = await connectAll({
    connect: () => startClient(place, `${CLIENT}-${next++}`),
    memory: () => first.ask(SERVICE, { type: "memory" }),
  });
  const asks = clients.map((client) => () => askNext(client, 7));
  return {
    ...await askMany(duration, place, asks.flatMap((ask) => lanes(OUTSTANDING, ask))),
    [ONE_EACH]: (await rateOf(duration, asks)).rate,
    ...figures,
  };
}

/** The floor's work. */
export async function rawPeers(duration: number, place: Place): Promise<Figures> {
  const meter = await openRaw(place, RawMode.Memory, READ_SIZE);
  const bytes = new Uint8Array(64).fill(7);
  const { clients, ...figures } = await connectAll({
    connect: () => openRaw(place, RawMode.Bytes, READ_SIZE),
    async memory() {
      await meter.write(bytes.subarray(0, 1));
      return new Float64Array((await meter.read())!.slice().buffer)[0]!;
    },
  });
  const asks = clients.map((stream) => () => roundTrip(stream, bytes));
  const { rate } = await rateOf(duration, asks);
  return { [ONE_EACH]: rate, ...figures };
}

/** The work of one peer. */
export async function onePeer(duration: number, place: Place): Promise<Figures> {
  const server = await startClient(place);
  return await askMany(duration, place, lanes(OUTSTANDING, () => askNext(server, 7)));
}

/** The rate of many asks at once, and the processor time of the server for each, in us. */
async function askMany(
  duration: number,
  { pid }: Place,
  asks: readonly (() => Promise<unknown>)[],
): Promise<Figures> {
  await runLanes(duration / 2, asks);
  const server = new ProcessorTime(pid);
  let done = 0;
  const { rate } = await rateWhile(undefined, async () => done = await runLanes(duration, asks));
  const { cpu } = server.perMessage(done);
  return { [MANY_EACH]: rate, ...cpu !== undefined && { [SERVER_CPU]: cpu } };
}

/**
 * Connects all clients. The memory is that of the server for each, in KiB; the time to connect is
 * in ms.
 */
async function connectAll<Client>(work: {
  connect: () => Promise<Client>;
  memory: () => Promise<number>;
}): Promise<{ clients: Client[]; memory: number; connect: number }> {
  const clients: Client[] = [];
  while (clients.length < WARM_UP) clients.push(await work.connect());
  const before = await work.memory();
  const times: number[] = [];
  while (clients.length < PEERS) {
    const start = performance.now();
    clients.push(await work.connect());
    times.push(performance.now() - start);
  }
  const memory = (await work.memory() - before) / times.length / 1024;
  return { clients, memory, connect: median(times) };
}

/** The case. */
export const MANY_PEERS: Case[] = [{
  name: "1,000 peers",
  transport: "unix",
  figures: {
    [MANY_EACH]: { unit: "/s", better: "more", target: { of: "one peer", bound: 0.7 } },
    [SERVER_CPU]: { unit: "us", better: "less" },
    [ONE_EACH]: { unit: "/s", better: "more" },
    memory: { unit: "KiB", better: "less", target: { bound: 40 } },
    connect: { unit: "ms", better: "less", target: { bound: 1.5 } },
  },
  contestants: {
    project: servers(import.meta.url, peers, "unix"),
    floor: sockets(import.meta.url, rawPeers, "unix", READ_SIZE),
    "one peer": servers(import.meta.url, onePeer, "unix"),
  },
}];
