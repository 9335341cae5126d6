import assert from "node:assert/strict";
import { HEADER_LENGTH } from "../../../runtime/wire/frame_reader.ts";
import { Outbox } from "../../../runtime/wire/outbox.ts";

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
