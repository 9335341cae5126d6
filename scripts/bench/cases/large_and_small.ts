/**
 * Small asks one at a time while messages of 60 MiB flow to the same server. They go to another actor,
 * since messages between the same two stay in order.
 *
 * The floor is 64 bytes there and back on one bare socket while frames of 60 MiB flow on another
 * between the same processes: where the large ones only take processor time.
 *
 * @module
 */
import type { Case, Figures } from "../case.ts";
import { askNext, type Place, SINK, startClient } from "../ensemble_peer.ts";
import { servers, sockets } from "../pair.ts";
import { frameOf } from "../raw_frames.ts";
import { openRaw, RawMode, roundTrip } from "../raw_stream.ts";
import { timeEach } from "../timing.ts";

const LARGE = 60 * 1024 * 1024;

/**
 * How long it takes at least, in ms: a large message takes some hundred, and each begins when the
 * one before has arrived.
 */
const MIN_DURATION = 2_000;

/** The project's work. */
export async function asks(duration: number, place: Place): Promise<Figures> {
  const server = await startClient(place);
  const value = new Uint8Array(LARGE).fill(7);
  return await whileFlowing(duration, {
    async large() {
      server.tell(SINK, { type: "take", value });
      await server.ask(SINK, { type: "arrived" }, { timeout: 60_000 });
    },
    small: () => askNext(server, 7),
  });
}

/** The floor's work. */
export async function roundTrips(duration: number, place: Place): Promise<Figures> {
  const flow = await openRaw(place, RawMode.Take);
  const stream = await openRaw(place, RawMode.Bytes);
  const bytes = new Uint8Array(64).fill(7);
  const large = frameOf(new Uint8Array(LARGE).fill(7));
  const question = frameOf(new Uint8Array());
  return await whileFlowing(duration, {
    async large() {
      await flow.write(large);
      await flow.write(question);
      await flow.read();
    },
    async small() {
      await roundTrip(stream, bytes);
    },
  });
}

async function whileFlowing(
  duration: number,
  { large, small }: { large: () => Promise<unknown>; small: () => Promise<unknown> },
): Promise<Figures> {
  let over = false;
  const flowing = (async () => {
    while (!over) await large();
  })();
  const { p50, p99 } = await timeEach(Math.max(MIN_DURATION, duration), small);
  over = true;
  await flowing;
  return { p50: p50 / 1000, p99: p99 / 1000 };
}

/** The case. */
export const LARGE_AND_SMALL: Case[] = [{
  name: "ask beside 60 MiB messages",
  transport: "unix",
  figures: {
    p99: { unit: "ms", better: "less", target: { bound: 10 } },
    p50: { unit: "ms", better: "less" },
  },
  contestants: {
    project: servers(import.meta.url, asks, "unix"),
    floor: sockets(import.meta.url, roundTrips, "unix"),
  },
}];
