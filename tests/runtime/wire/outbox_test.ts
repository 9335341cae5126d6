import assert from "node:assert/strict";
import { HEADER_LENGTH } from "../../../runtime/wire/frame_reader.ts";
import { Envelope } from "../../../runtime/actor/envelope.ts";
import { ActorRef } from "../../../runtime/actor/ref.ts";
import { parseServerId } from "../../../runtime/actor/server_id.ts";
import { writeEnvelope } from "../../../runtime/wire/codec.ts";
import { MAX_WRITE } from "../../../runtime/wire/limits.ts";
import { Outbox } from "../../../runtime/wire/outbox.ts";
import { moveClock } from "../../fake_clock.ts";
import { decodeEnvelope } from "./frames.ts";

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

Deno.test("frames come out in order, each with its length before it", () => {
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

Deno.test("a body is copied: the sender may use its buffer again", () => {
  const outbox = new Outbox();
  const body = new Uint8Array([1, 2, 3]);
  outbox.add(body);
  body.fill(9);
  outbox.add(body.subarray(1, 2));
  assert.deepEqual(bodiesOf(outbox.take()), [new Uint8Array([1, 2, 3]), new Uint8Array([9])]);
});

Deno.test("it grows with what is added", () => {
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

Deno.test("what is added while bytes are written does not touch those", () => {
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

Deno.test("the same two buffers go to and fro", () => {
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

Deno.test("a buffer that grew far is not kept", () => {
  const outbox = new Outbox();
  outbox.add(new Uint8Array(20 * MIB));
  outbox.take();
  for (let i = 0; i < 3; i++) {
    outbox.add(new Uint8Array([1]));
    const bytes = outbox.take();
    assert.ok(bytes.buffer.byteLength < MIB);
  }
});

Deno.test("cleared, it is empty and goes on", () => {
  const outbox = new Outbox();
  outbox.add(new Uint8Array(3 * MIB));
  outbox.clear();
  assert.equal(outbox.size, 0);
  assert.equal(outbox.take().length, 0);
  outbox.add(new Uint8Array([1]));
  assert.deepEqual(bodiesOf(outbox.take()), [new Uint8Array([1])]);
});

const SERVER = parseServerId("sender");

/** Adds a message that lives for `timeToLive` ms, or for ever. */
function tell(outbox: Outbox, message: unknown, timeToLive?: number): void {
  const source = new ActorRef(SERVER, "teller");
  writeEnvelope(
    outbox,
    new Envelope(message, "dest", source, 3, undefined, timeToLive, false, false),
  );
}

/** The messages that come out, with what they have left to live. */
function envelopesOf(bytes: Uint8Array): Envelope[] {
  return bodiesOf(bytes).map((body) => decodeEnvelope(body, { source: SERVER }));
}

Deno.test("Outbox leaves out what has expired before it is written, and keeps the order of the rest", () => {
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
  for (const [message, timeToLive] of lives) tell(outbox, message, timeToLive);
  outbox.add(new Uint8Array());
  using _ = moveClock(300_000);
  const bodies = bodiesOf(outbox.take());
  assert.equal(bodies.pop()!.length, 0);
  const kept = bodies.map((body) => decodeEnvelope(body, { source: SERVER }));
  assert.equal(kept.map(({ message }) => message).join(""), "bcfgj");
  // Their time goes on running while they wait here.
  for (const { message, timeToLive } of kept) {
    if (message === "c" || message === "g") {
      assert.ok(timeToLive! > 200_000 && timeToLive! <= 300_000, `${timeToLive}`);
    } else assert.equal(timeToLive, undefined);
  }
  assert.equal(outbox.size, 0);
});

Deno.test("Outbox gives nothing to write when all has expired, and goes on", () => {
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

Deno.test("Outbox gives much out in writes of whole frames, and what waits can still expire", () => {
  const outbox = new Outbox();
  const bytes = new Uint8Array(MAX_WRITE / 4 - 100);
  for (let i = 0; i < 10; i++) tell(outbox, [i, bytes], i % 2 ? 1000 : undefined);
  const first = outbox.take();
  assert.ok(first.length >= MAX_WRITE && first.length < 2 * MAX_WRITE, `${first.length}`);
  const before = envelopesOf(first).map(({ message }) => (message as unknown[])[0]);
  assert.deepEqual(before, [0, 1, 2, 3, 4]);
  assert.ok(outbox.size > MAX_WRITE);
  // What is added meanwhile comes after what is left.
  tell(outbox, ["last"]);
  using _ = moveClock(2000);
  const after: unknown[] = [];
  while (outbox.size > 0) {
    after.push(...envelopesOf(outbox.take()).map(({ message }) => (message as unknown[])[0]));
  }
  assert.deepEqual(after, [6, 8, "last"]);
});

Deno.test("Outbox gives a frame that is larger than a write out whole", () => {
  const outbox = new Outbox();
  tell(outbox, new Uint8Array(3 * MAX_WRITE));
  tell(outbox, "small");
  const messages = [envelopesOf(outbox.take()), envelopesOf(outbox.take())].map(([one]) =>
    one!.message
  );
  assert.deepEqual(messages.map((message) => (message as Uint8Array).length), [3 * MAX_WRITE, 5]);
});

Deno.test("Outbox drops what was left of a large write when it is cleared", () => {
  const outbox = new Outbox();
  for (let i = 0; i < 4; i++) tell(outbox, new Uint8Array(MAX_WRITE));
  const taken = outbox.take();
  const copy = taken.slice();
  outbox.clear();
  assert.equal(outbox.size, 0);
  tell(outbox, new Uint8Array(MAX_WRITE).fill(1));
  tell(outbox, "after");
  // Who writes what was taken may not be done yet.
  assert.deepEqual(taken, copy);
  assert.equal(envelopesOf(outbox.take()).length + envelopesOf(outbox.take()).length, 2);
});

Deno.test("Outbox does not keep the buffer that a message grew which was then given up", () => {
  const outbox = new Outbox();
  tell(outbox, "first");
  const message = [new Uint8Array(40 * MIB), () => {}];
  assert.throws(() => tell(outbox, message));
  assert.ok(outbox.open().length < 5 * MIB, `${outbox.open().length}`);
  assert.deepEqual(envelopesOf(outbox.take()).map(({ message }) => message), ["first"]);
});
