/**
 * Asks with 64 outstanding: of a number, and of a text of 1 KiB that is sent back.
 *
 * The floor is frames of 64 bytes, or of 1 KiB, with 64 outstanding on a bare socket. Both ends cut
 * what they read into frames, and answer all frames of a read in one write. Nothing is encoded or
 * decoded.
 *
 * @module
 */
import { type Case, type Figures, TRANSPORTS } from "../case.ts";
import { askEcho, askNext, type Place, startClient } from "../ensemble_peer.ts";
import { erlang, genServer } from "../erlang.ts";
import { servers, sockets } from "../pair.ts";
import { FrameBatch, FrameCutter } from "../raw_frames.ts";
import { openRaw, RawMode } from "../raw_stream.ts";
import { lanes, OUTSTANDING, rateOf, rateWhile } from "../timing.ts";

const SMALL = new Uint8Array(60).fill(7);
const TEXT = "0123456789abcdef".repeat(64);

/** The project's work. */
export async function asks(duration: number, place: Place): Promise<Figures> {
  const server = await startClient(place);
  let n = 0;
  const asks = lanes(OUTSTANDING, () => askNext(server, n++ & 1023));
  return { ...await rateOf(duration, asks, place.pid) };
}

/** The project's work with text. */
export async function texts(duration: number, place: Place): Promise<Figures> {
  const server = await startClient(place);
  const echoes = lanes(OUTSTANDING, () => askEcho(server, TEXT));
  return { ...await rateOf(duration, echoes, place.pid) };
}

/** The floor's work. */
export const frames = (duration: number, place: Place): Promise<Figures> =>
  exchange(duration, place, SMALL);

/** The floor's work with as many bytes as the text has. */
export const largeFrames = (duration: number, place: Place): Promise<Figures> =>
  exchange(duration, place, new Uint8Array(TEXT.length).fill(7));

async function exchange(duration: number, place: Place, body: Uint8Array): Promise<Figures> {
  const stream = await openRaw(place, RawMode.Frames);
  const requests = new FrameBatch();
  const cutter = new FrameCutter();
  let done = 0;
  const answer = () => {
    requests.add(body);
    done++;
  };
  for (let i = 0; i < OUTSTANDING; i++) requests.add(body);
  const runUntil = async (end: number) => {
    while (performance.now() < end) {
      if (requests.size > 0) await requests.writeTo(stream);
      cutter.cut((await stream.read())!, answer);
    }
  };
  await runUntil(performance.now() + duration / 2);
  const before = done;
  return {
    ...await rateWhile(place.pid, async () => {
      await runUntil(performance.now() + duration);
      return done - before;
    }),
  };
}

/** The cases. */
export const OUTSTANDING_ASKS: Case[] = TRANSPORTS.flatMap((transport): Case[] => [{
  name: "64 outstanding",
  transport,
  figures: {
    rate: {
      unit: "/s",
      better: "more",
      ...transport === "unix" && { target: { of: "erlang", bound: 5 } },
      ...transport === "tls" && { target: { of: "unix", bound: 0.6 } },
    },
    cpu: { unit: "us", better: "less" },
  },
  contestants: {
    project: servers(import.meta.url, asks, transport),
    floor: sockets(import.meta.url, frames, transport),
    ...transport === "unix" &&
      { erlang: erlang("outstanding"), gen_server: genServer("outstanding") },
    ...transport === "tls" && { unix: servers(import.meta.url, asks, "unix") },
  },
}, {
  name: "64 outstanding, 1 KiB text",
  transport,
  figures: {
    rate: {
      unit: "/s",
      better: "more",
      ...transport === "unix" && { target: { of: "erlang", bound: 3 } },
    },
    cpu: { unit: "us", better: "less" },
  },
  contestants: {
    project: servers(import.meta.url, texts, transport),
    floor: sockets(import.meta.url, largeFrames, transport),
    ...transport === "unix" && { erlang: erlang("texts"), gen_server: genServer("texts") },
  },
}]);
