/**
 * Messages one way, as fast as the receiver takes them: small ones, and payloads of 64 KiB and 1
 * MiB.
 *
 * The sender waits when the server says that it is congested. The floor is a stream of frames on a
 * bare socket, which the receiver cuts and counts: of 64 bytes, gathered in writes of 64 KiB, or of
 * the payload. The receiver makes bytes of their own of each payload. It is the floor of text, too,
 * though that has to be encoded and decoded.
 *
 * @module
 */
import { type Case, type Figures, type Transport, TRANSPORTS } from "../case.ts";
import { type Place, SERVER, SERVICE, startClient } from "../ensemble_peer.ts";
import { erlang, genServer } from "../erlang.ts";
import { servers, sockets } from "../pair.ts";
import { FrameBatch } from "../raw_frames.ts";
import { openRaw, RawMode } from "../raw_stream.ts";
import { type Rate, rateOneWay } from "../timing.ts";

const SMALL = new Uint8Array(60).fill(7);
const WRITE_SIZE = 64 * 1024;
const MIB = 1024 * 1024;

async function sendOneWay(
  duration: number,
  place: Place,
  { message, batch }: { message: () => unknown; batch?: number },
): Promise<Rate> {
  const server = await startClient(place);
  return await rateOneWay(duration, {
    send() {
      server.tell(SERVICE, message());
      return server.congested(SERVER) ? server.flushed(SERVER) : undefined;
    },
    arrived: () => server.ask(SERVICE, { type: "arrived" }),
  }, { ...batch !== undefined && { batch }, pid: place.pid });
}

async function streamFrames(
  duration: number,
  place: Place,
  { mode, add, batch }: { mode: RawMode; add: (frames: FrameBatch) => void; batch?: number },
): Promise<Rate> {
  const stream = await openRaw(place, mode);
  const frames = new FrameBatch();
  return await rateOneWay(duration, {
    send() {
      add(frames);
      return frames.size >= WRITE_SIZE ? frames.writeTo(stream) : undefined;
    },
    async arrived() {
      frames.add(new Uint8Array());
      await frames.writeTo(stream);
      const answer = await stream.read();
      return new Float64Array(answer!.slice().buffer)[0]!;
    },
  }, { ...batch !== undefined && { batch }, pid: place.pid });
}

/** The project's work with small messages. */
export async function tells(duration: number, place: Place): Promise<Figures> {
  let n = 0;
  const message = () => ({ type: "take", n: n++ & 1023 });
  return { ...await sendOneWay(duration, place, { message }) };
}

/** The floor's work with small messages. */
export async function frames(duration: number, place: Place): Promise<Figures> {
  const add = (frames: FrameBatch) => frames.add(SMALL);
  return { ...await streamFrames(duration, place, { mode: RawMode.Count, add }) };
}

function bytesOf(size: number): Uint8Array {
  return new Uint8Array(size).fill(7);
}

function textOf(size: number): string {
  return "0123456789abcdef".repeat(size / 16);
}

async function tellPayload(duration: number, place: Place, value: string | Uint8Array) {
  const message = () => ({ type: "take", value });
  const { rate, cpu } = await sendOneWay(duration, place, { message, batch: 1 });
  return { rate: rate * value.length / MIB, ...cpu !== undefined && { cpu } };
}

async function streamPayload(duration: number, place: Place, size: number) {
  const value = bytesOf(size);
  const add = (frames: FrameBatch) => frames.add(value);
  const { rate, cpu } = await streamFrames(duration, place, { mode: RawMode.Take, add, batch: 1 });
  return { rate: rate * size / MIB, ...cpu !== undefined && { cpu } };
}

/** Work that is called by the name it is exported under. */
type Work = (duration: number, place: Place) => Promise<Figures>;

/** 64 KiB of bytes. */
export const tell64KiBytes: Work = (...run) => tellPayload(...run, bytesOf(64 * 1024));
/** 1 MiB of bytes. */
export const tellMiBytes: Work = (...run) => tellPayload(...run, bytesOf(MIB));
/** 64 KiB of text. */
export const tell64KiText: Work = (...run) => tellPayload(...run, textOf(64 * 1024));
/** 1 MiB of text. */
export const tellMiText: Work = (...run) => tellPayload(...run, textOf(MIB));
/** 64 KiB, on a bare socket. */
export const stream64Ki: Work = (...run) => streamPayload(...run, 64 * 1024);
/** 1 MiB, on a bare socket. */
export const streamMi: Work = (...run) => streamPayload(...run, MIB);

const PAYLOADS: [name: string, project: Work, floor: Work][] = [
  ["64 KiB bytes", tell64KiBytes, stream64Ki],
  ["64 KiB text", tell64KiText, stream64Ki],
  ["1 MiB bytes", tellMiBytes, streamMi],
  ["1 MiB text", tellMiText, streamMi],
];

/** The cases with small messages. */
export const ONE_WAY: Case[] = TRANSPORTS.map((transport): Case => ({
  name: "one way",
  transport,
  figures: {
    rate: {
      unit: "/s",
      better: "more",
      ...transport === "unix" && { target: { of: "erlang", bound: 5 } },
    },
    cpu: { unit: "us", better: "less" },
  },
  contestants: {
    project: servers(import.meta.url, tells, transport),
    floor: sockets(import.meta.url, frames, transport),
    ...transport === "unix" && { erlang: erlang("one_way"), gen_server: genServer("one_way") },
  },
}));

/** The cases with payloads. */
export const PAYLOAD_STREAMS: Case[] = (["unix", "tls"] satisfies Transport[]).flatMap((
  transport,
) =>
  PAYLOADS.map(([name, project, floor]): Case => ({
    name,
    transport,
    figures: {
      rate: { unit: "MiB/s", better: "more", target: { of: "floor", bound: 0.7 } },
      cpu: { unit: "us", better: "less" },
    },
    contestants: {
      project: servers(import.meta.url, project, transport),
      floor: sockets(import.meta.url, floor, transport),
    },
  }))
);
