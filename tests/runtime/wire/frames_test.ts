import assert from "node:assert/strict";
import fc from "npm:fast-check@^4.10.2";
import { Envelope } from "../../../runtime/actor/messaging.ts";
import { ActorRef } from "../../../runtime/actor/references.ts";
import { ProtocolError } from "../../../runtime/errors.ts";
import { writeEnvelope } from "../../../runtime/wire/envelope_frames.ts";
import { FrameReader, Outbox } from "../../../runtime/wire/frames.ts";
import { MAX_WRITE } from "../../../runtime/wire/limits.ts";
import type { ByteStream } from "../../../runtime/wire/stream.ts";
import { moveClock } from "../../fake_clock.ts";
import { decodeEnvelope } from "./single_frames.ts";

/** The length before a frame, in bytes. */
const HEADER_LENGTH = 4;

const KIB = 1024;
const USUAL_CAPACITY = 64 * KIB;
/** The size of the buffer of an idle stream. */
const IDLE_CAPACITY = 4 * KIB;

/** A stream that returns the given pieces, one per read, as far as they fit. */
class PiecesStream implements ByteStream {
  readonly kind = "unix";
  readonly #pieces: Uint8Array[];
  /** The sizes of the read buffers. */
  readonly offered: number[] = [];

  constructor(...pieces: Uint8Array[]) {
    this.#pieces = pieces.filter((piece) => piece.length > 0);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    this.offered.push(buffer.length);
    const piece = this.#pieces[0];
    if (!piece) return Promise.resolve(null);
    const count = Math.min(buffer.length, piece.length);
    buffer.set(piece.subarray(0, count));
    if (count < piece.length) this.#pieces[0] = piece.subarray(count);
    else this.#pieces.shift();
    return Promise.resolve(count);
  }

  write(): Promise<number> {
    throw new Error("not written to");
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}
}

function frame(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH + body.length);
  new DataView(bytes.buffer).setUint32(0, body.length);
  bytes.set(body, HEADER_LENGTH);
  return bytes;
}

function join(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

function bodyOf(length: number, seed: number): Uint8Array {
  return new Uint8Array(length).map((_, i) => seed + i * 7);
}

function current(reader: FrameReader): Uint8Array {
  return reader.buffer.slice(reader.start, reader.end);
}

/** All frames until the end of the stream. */
async function readAll(reader: FrameReader): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [];
  do {
    while (reader.next()) frames.push(current(reader));
  } while (await reader.fill());
  return frames;
}

Deno.test("frames split at every byte are read completely", async () => {
  const bodies = [bodyOf(3, 1), bodyOf(0, 0), bodyOf(1, 9), bodyOf(300, 5), bodyOf(0, 0)];
  const bytes = join(...bodies.map(frame));
  for (let at = 0; at <= bytes.length; at++) {
    const reader = new FrameReader(
      new PiecesStream(bytes.subarray(0, at), bytes.subarray(at)),
      1000,
    );
    assert.deepEqual(await readAll(reader), bodies, `split at ${at}`);
    assert.equal(reader.cut, false);
  }
  const single = Array.from(bytes, (byte) => new Uint8Array([byte]));
  assert.deepEqual(await readAll(new FrameReader(new PiecesStream(...single), 1000)), bodies);
});

Deno.test("FrameReader returns the frames of one read without another read", async () => {
  const bodies = Array.from({ length: 500 }, (_, i) => bodyOf(i % 7, i));
  const stream = new PiecesStream(join(...bodies.map(frame)));
  const reader = new FrameReader(stream, 1000);
  assert.equal(reader.next(), false);
  assert.equal(await reader.fill(), true);
  const reads = stream.offered.length;
  for (const body of bodies) {
    assert.equal(reader.next(), true);
    assert.deepEqual(current(reader), body);
  }
  assert.equal(reader.next(), false);
  assert.equal(stream.offered.length, reads);
});

Deno.test("FrameReader reads a frame without a body", async () => {
  const reader = new FrameReader(new PiecesStream(frame(new Uint8Array())), 0);
  await reader.fill();
  assert.equal(reader.next(), true);
  assert.equal(reader.start, reader.end);
  assert.equal(reader.next(), false);
});

Deno.test("a frame beyond the limit is refused by its header, before anything is allocated", async () => {
  for (
    const [limit, length] of [[1024, 1025], [1024, 2 ** 32 - 1], [0, 1], [2 ** 26, 2 ** 26 + 1]]
  ) {
    const header = new Uint8Array(HEADER_LENGTH);
    new DataView(header.buffer).setUint32(0, length!);
    const reader = new FrameReader(new PiecesStream(header), limit!);
    await reader.fill();
    assert.throws(() => reader.next(), (error) => {
      assert.ok(error instanceof ProtocolError);
      assert.equal(
        error.message,
        `frame too large: ${length} bytes announced, and the limit is ${limit}`,
      );
      return true;
    });
    assert.equal(reader.buffer.length, IDLE_CAPACITY);
  }
});

Deno.test("FrameReader distinguishes a peer that speaks TLS from one that sends too much", async () => {
  // The client's hello, and the alert that a server sends for anything else.
  for (const record of [[0x16, 0x03, 0x01, 0x02, 0x00], [0x15, 0x03, 0x03, 0x00, 0x02, 0x28]]) {
    const reader = new FrameReader(new PiecesStream(new Uint8Array(record)), 1024);
    await reader.fill();
    assert.throws(() => reader.next(), {
      name: "ProtocolError",
      message: "it speaks TLS: one side has a tcp address where the other has a tls one",
    });
  }
});

Deno.test("a frame at the limit is read, and the limit can be raised between frames", async () => {
  const small = bodyOf(8, 1);
  const large = bodyOf(20, 2);
  const reader = new FrameReader(new PiecesStream(join(frame(small), frame(large))), 8);
  await reader.fill();
  assert.equal(reader.next(), true);
  assert.throws(() => reader.next(), ProtocolError);
  reader.limit = 20;
  assert.equal(reader.next(), true);
  assert.deepEqual(current(reader), large);
});

Deno.test("FrameReader allocates nothing for a length that is only announced", async () => {
  const header = new Uint8Array(HEADER_LENGTH);
  new DataView(header.buffer).setUint32(0, 2 ** 26);
  const piece = new Uint8Array(100);
  const reader = new FrameReader(new PiecesStream(header, piece, piece, piece), 2 ** 26);
  await readAll(reader);
  assert.equal(reader.buffer.length, IDLE_CAPACITY);
  assert.equal(reader.cut, true);
});

Deno.test("FrameReader has a small buffer while little arrives, and larger ones while more does", async () => {
  const little = Array.from({ length: 40 }, (_, i) => frame(bodyOf(10, i)));
  const more = frame(bodyOf(6 * KIB, 1));
  const much = frame(bodyOf(20 * KIB, 1));
  const stream = new PiecesStream(...little, more, more, ...little, much, much, ...little);
  const reader = new FrameReader(stream, 2 ** 20);
  const sizes: number[] = [];
  while (await reader.fill()) {
    while (reader.next());
    sizes.push(reader.buffer.length);
  }
  assert.deepEqual(sizes.filter((size, i) => size !== sizes[i - 1]), [
    IDLE_CAPACITY,
    8 * KIB,
    IDLE_CAPACITY,
    8 * KIB,
    USUAL_CAPACITY,
    IDLE_CAPACITY,
  ]);
});

Deno.test("Outbox keeps no buffer while nothing waits, and works on after that", () => {
  const outbox = new Outbox();
  for (let i = 0; i < 3; i++) {
    outbox.add(bodyOf(10, i));
    assert.deepEqual(outbox.take(), frame(bodyOf(10, i)));
    outbox.rest();
    assert.equal(outbox.size, 0);
  }
  // What waits stays.
  outbox.add(bodyOf(20, 7));
  outbox.rest();
  assert.deepEqual(outbox.take(), frame(bodyOf(20, 7)));
});

Deno.test("the buffer grows for a large frame, and shrinks back after it", async () => {
  const large = new Uint8Array(1000 * KIB).map((_, i) => i * 31);
  const tail = bodyOf(10, 3);
  const bytes = new Uint8Array(1000 * KIB + 2 * HEADER_LENGTH + 10);
  bytes.set(frame(large));
  bytes.set(frame(tail), HEADER_LENGTH + large.length);
  const reader = new FrameReader(new PiecesStream(bytes), 2 ** 26);
  while (!reader.next()) assert.ok(await reader.fill());
  assert.ok(current(reader).every((byte, i) => byte === large[i]));
  assert.ok(reader.buffer.length >= large.length && reader.buffer.length < 4 * large.length);
  while (!reader.next()) assert.ok(await reader.fill());
  assert.deepEqual(current(reader), tail);
  assert.equal(await reader.fill(), false);
  assert.equal(reader.buffer.length, USUAL_CAPACITY);
});

Deno.test("the buffer shrinks back even when it always contains part of the next frame", async () => {
  const small = frame(bodyOf(100, 1));
  const pieces: Uint8Array[] = [frame(new Uint8Array(500 * KIB)), small.subarray(0, 50)];
  // From here on, every read ends in the middle of a frame.
  const step = new Uint8Array([...small.subarray(50), ...small.subarray(0, 50)]);
  for (let i = 0; i < 30_000; i++) pieces.push(step);
  const reader = new FrameReader(new PiecesStream(...pieces), 2 ** 26);
  await readAll(reader);
  assert.equal(reader.cut, true);
  assert.equal(reader.buffer.length, USUAL_CAPACITY);
});

Deno.test("FrameReader distinguishes an end between frames from one inside a frame", async () => {
  const bytes = frame(bodyOf(5, 1));
  for (let length = 0; length <= bytes.length; length++) {
    const reader = new FrameReader(new PiecesStream(bytes.subarray(0, length)), 100);
    const frames = await readAll(reader);
    const whole = length === bytes.length;
    assert.equal(frames.length, whole ? 1 : 0);
    assert.equal(reader.cut, length > 0 && !whole, `after ${length} bytes`);
  }
});

Deno.test("FrameReader never reads into an empty buffer", async () => {
  // Frames that end exactly at the end of the buffer, where no room is left to read.
  const bodies = [
    bodyOf(USUAL_CAPACITY - HEADER_LENGTH, 1),
    bodyOf(USUAL_CAPACITY - HEADER_LENGTH, 2),
    bodyOf(USUAL_CAPACITY, 3),
    bodyOf(2 * USUAL_CAPACITY - HEADER_LENGTH, 4),
  ];
  const stream = new PiecesStream(...bodies.map(frame));
  assert.deepEqual(await readAll(new FrameReader(stream, 2 ** 26)), bodies);
  assert.ok(stream.offered.every((size) => size > 0));
});

Deno.test("frames of any sizes in reads of any sizes arrive in order", async () => {
  const sizes = fc.array(fc.oneof(fc.nat(20), fc.nat(200_000)), { maxLength: 12 });
  const cuts = fc.infiniteStream(fc.oneof(fc.nat(5), fc.nat(100_000)));
  await fc.assert(
    fc.asyncProperty(sizes, cuts, async (sizes, cuts) => {
      const bodies = sizes.map(bodyOf);
      const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size + HEADER_LENGTH, 0));
      let at = 0;
      for (const body of bodies) {
        bytes.set(frame(body), at);
        at += HEADER_LENGTH + body.length;
      }
      const pieces: Uint8Array[] = [];
      for (let start = 0; start < bytes.length;) {
        const end = start + 1 + cuts.next().value!;
        pieces.push(bytes.subarray(start, end));
        start = end;
      }
      const frames = await readAll(new FrameReader(new PiecesStream(...pieces), 2 ** 26));
      assert.equal(frames.length, bodies.length);
      frames.forEach((each, i) => assert.ok(each.every((byte, j) => byte === bodies[i]![j])));
      assert.deepEqual(frames.map(({ length }) => length), sizes);
    }),
    { numRuns: 40 },
  );
});

const MIB = 1024 * 1024;

/** The bodies of the frames in the bytes. */
function bodiesOf(bytes: Uint8Array): Uint8Array[] {
  const bodies: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length;) {
    const start = at + HEADER_LENGTH;
    at = start + view.getUint32(at);
    bodies.push(bytes.slice(start, at));
  }
  return bodies;
}

Deno.test("Outbox returns frames in order, each after its length", () => {
  const outbox = new Outbox();
  assert.equal(outbox.size, 0);
  outbox.add(new Uint8Array([1, 2]));
  assert.equal(outbox.size, 6);
  outbox.add(new Uint8Array());
  outbox.add(new Uint8Array([3]));
  assert.equal(outbox.size, 15);
  const expected = new Uint8Array([0, 0, 0, 2, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 3]);
  assert.deepEqual(outbox.take(), expected);
  assert.equal(outbox.size, 0);
});

Deno.test("Outbox copies a body, so that the sender can reuse its buffer", () => {
  const outbox = new Outbox();
  const body = new Uint8Array([1, 2, 3]);
  outbox.add(body);
  body.fill(9);
  outbox.add(body.subarray(1, 2));
  assert.deepEqual(bodiesOf(outbox.take()), [new Uint8Array([1, 2, 3]), new Uint8Array([9])]);
});

Deno.test("Outbox grows with what is added", () => {
  const outbox = new Outbox();
  const sizes = [0, 1, 255, 256, 65_531, 65_532, 65_533, 70_000, 5 * MIB, 17];
  const bodies = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
  for (const body of bodies) outbox.add(body);
  assert.equal(outbox.size, sizes.reduce((sum, size) => sum + size + HEADER_LENGTH, 0));
  const taken: Uint8Array[] = [];
  while (outbox.size > 0) taken.push(...bodiesOf(outbox.take()));
  assert.deepEqual(taken.map(({ length }) => length), sizes);
  taken.forEach((body, i) => assert.ok(body.every((byte) => byte === i + 1)));
});

Deno.test("adding to an Outbox does not change what is being written", () => {
  const outbox = new Outbox();
  outbox.add(new Uint8Array([1]));
  const first = outbox.take();
  const copy = first.slice();
  outbox.add(new Uint8Array([2]));
  outbox.add(new Uint8Array(100_000));
  assert.deepEqual(first, copy);
  const second = outbox.take().slice();
  outbox.add(new Uint8Array([3]));
  assert.deepEqual(bodiesOf(second)[0], new Uint8Array([2]));
  assert.deepEqual(bodiesOf(outbox.take()), [new Uint8Array([3])]);
});

Deno.test("Outbox uses the same two buffers in turn", () => {
  const outbox = new Outbox();
  const buffers = new Set<ArrayBufferLike>();
  for (let i = 0; i < 100; i++) {
    outbox.add(new Uint8Array(i));
    const bytes = outbox.take();
    buffers.add(bytes.buffer);
    outbox.add(new Uint8Array([i]));
    assert.deepEqual(bodiesOf(outbox.take()), [new Uint8Array([i])]);
  }
  assert.ok(buffers.size <= 2, `${buffers.size} buffers`);
});

Deno.test("Outbox does not keep a buffer that grew large", () => {
  const outbox = new Outbox();
  outbox.add(new Uint8Array(20 * MIB));
  outbox.take();
  for (let i = 0; i < 3; i++) {
    outbox.add(new Uint8Array([1]));
    const bytes = outbox.take();
    assert.ok(bytes.buffer.byteLength < MIB);
  }
});

Deno.test("Outbox is empty after clear, and stays usable", () => {
  const outbox = new Outbox();
  outbox.add(new Uint8Array(3 * MIB));
  outbox.clear();
  assert.equal(outbox.size, 0);
  assert.equal(outbox.take().length, 0);
  outbox.add(new Uint8Array([1]));
  assert.deepEqual(bodiesOf(outbox.take()), [new Uint8Array([1])]);
});

const SERVER = "sender";

/** Adds a message with a timeout in ms, or without one. */
function tell(outbox: Outbox, message: unknown, timeout?: number): void {
  const source = new ActorRef(SERVER, "teller");
  writeEnvelope(
    outbox,
    new Envelope(message, "dest", source, 3, undefined, timeout, false, false),
  );
}

/** The messages taken out, with their remaining timeouts. */
function envelopesOf(bytes: Uint8Array): Envelope[] {
  return bodiesOf(bytes).map((body) => decodeEnvelope(body, { source: SERVER }));
}

Deno.test("Outbox drops messages that expire before they are written, and keeps the order of the rest", () => {
  const outbox = new Outbox();
  const lives: [string, number?][] = [
    ["a", 1000],
    ["b"],
    ["c", 600_000],
    ["d", 1000],
    ["e", 1000],
    ["f"],
    ["g", 600_000],
    ["h", 0],
    ["i", -1],
    ["j", Infinity],
    ["k", 1000],
  ];
  for (const [message, timeout] of lives) tell(outbox, message, timeout);
  outbox.add(new Uint8Array());
  using _ = moveClock(300_000);
  const bodies = bodiesOf(outbox.take());
  assert.equal(bodies.pop()!.length, 0);
  const kept = bodies.map((body) => decodeEnvelope(body, { source: SERVER }));
  assert.equal(kept.map(({ message }) => message).join(""), "bcfgj");
  assert.equal(outbox.messagesTaken, 5, "without what has expired, and without the heartbeat");
  // Their timeouts run while they wait.
  for (const { message, timeout } of kept) {
    if (message === "c" || message === "g") {
      assert.ok(timeout! > 200_000 && timeout! <= 300_000, `${timeout}`);
    } else assert.equal(timeout, undefined);
  }
  assert.equal(outbox.size, 0);
});

Deno.test("Outbox returns nothing when everything has expired, and stays usable", () => {
  const outbox = new Outbox();
  for (let i = 0; i < 100; i++) tell(outbox, i, 1000);
  {
    using _ = moveClock(2000);
    assert.equal(outbox.take().length, 0);
  }
  assert.equal(outbox.size, 0);
  tell(outbox, "next", 60_000);
  assert.deepEqual(envelopesOf(outbox.take()).map(({ message }) => message), ["next"]);
});

Deno.test("Outbox splits a lot of data into writes of whole frames, and the rest can still expire", () => {
  const outbox = new Outbox();
  const bytes = new Uint8Array(MAX_WRITE / 4 - 100);
  for (let i = 0; i < 10; i++) tell(outbox, [i, bytes], i % 2 ? 1000 : undefined);
  const first = outbox.take();
  assert.ok(first.length >= MAX_WRITE && first.length < 2 * MAX_WRITE, `${first.length}`);
  const before = envelopesOf(first).map(({ message }) => (message as unknown[])[0]);
  assert.deepEqual(before, [0, 1, 2, 3, 4]);
  assert.ok(outbox.size > MAX_WRITE);
  // Messages added now follow the remaining ones.
  tell(outbox, ["last"]);
  using _ = moveClock(2000);
  const after: unknown[] = [];
  while (outbox.size > 0) {
    after.push(...envelopesOf(outbox.take()).map(({ message }) => (message as unknown[])[0]));
  }
  assert.deepEqual(after, [6, 8, "last"]);
  assert.equal(outbox.messagesTaken, before.length + after.length);
});

Deno.test("Outbox returns a frame that is larger than a write whole", () => {
  const outbox = new Outbox();
  const large = new Uint8Array(3 * MAX_WRITE);
  outbox.add(large);
  outbox.add(new Uint8Array(5));
  const bodies = [bodiesOf(outbox.take()), bodiesOf(outbox.take())].flat();
  assert.deepEqual(bodies.map(({ length }) => length), [large.length, 5]);
});

Deno.test("Outbox drops the rest of a large write when it is cleared", () => {
  const outbox = new Outbox();
  const large = new Uint8Array(MAX_WRITE - 100);
  for (let i = 0; i < 4; i++) tell(outbox, large);
  const taken = outbox.take();
  const copy = taken.slice();
  outbox.clear();
  assert.equal(outbox.size, 0);
  tell(outbox, large.fill(1));
  tell(outbox, "after");
  // The bytes that were taken out may still be in use.
  assert.deepEqual(taken, copy);
  const before = envelopesOf(copy).length;
  assert.equal(outbox.messagesTaken, before);
  assert.equal(envelopesOf(outbox.take()).length, 2);
  assert.equal(outbox.messagesTaken, before + 2, "what was dropped does not count");
});

Deno.test("Outbox does not keep a buffer that grew for a message that failed", () => {
  const outbox = new Outbox();
  tell(outbox, "first");
  const message = [new Uint8Array(40 * MIB), () => {}];
  assert.throws(() => tell(outbox, message));
  assert.ok(outbox.open().length < 5 * MIB, `${outbox.open().length}`);
  assert.deepEqual(envelopesOf(outbox.take()).map(({ message }) => message), ["first"]);
});
