/**
 * An ask that carries a number, one at a time.
 *
 * The floor is 64 bytes there and back on a bare socket of the same kind.
 *
 * @module
 */
import { type Case, type Figures, TRANSPORTS } from "../case.ts";
import { askNext, type Place, startClient } from "../ensemble_peer.ts";
import { erlang, genServer } from "../erlang.ts";
import { servers, sockets } from "../pair.ts";
import { openRaw, RawMode, roundTrip } from "../raw_stream.ts";
import { timeEach } from "../timing.ts";

const SIZE = 64;

/** The project's work. */
export async function asks(duration: number, place: Place): Promise<Figures> {
  const server = await startClient(place);
  let n = 0;
  return await timeEach(duration, () => askNext(server, n++ & 1023));
}

/** The floor's work. */
export async function roundTrips(duration: number, place: Place): Promise<Figures> {
  const stream = await openRaw(place, RawMode.Bytes);
  const bytes = new Uint8Array(SIZE).fill(7);
  return await timeEach(duration, async () => {
    await roundTrip(stream, bytes);
  });
}

const target = { of: "floor", bound: 1.3 };

/** The cases. */
export const ASKS: Case[] = TRANSPORTS.map((transport): Case => ({
  name: "ask",
  transport,
  figures: {
    p50: { unit: "us", better: "less", target },
    p99: { unit: "us", better: "less", ...transport === "unix" && { target } },
  },
  contestants: {
    project: servers(import.meta.url, asks, transport),
    floor: sockets(import.meta.url, roundTrips, transport),
    ...transport === "unix" && { erlang: erlang("asks"), gen_server: genServer("asks") },
  },
}));
