import assert from "node:assert/strict";
import v8 from "node:v8";
import vm from "node:vm";
import {
  BUSY_CAPACITY,
  giveBack,
  SMALL_CAPACITY,
  takeBuffer,
} from "../../../runtime/wire/buffers.ts";

const MIB = 1024 * 1024;

Deno.test("takeBuffer returns buffers of the common sizes", () => {
  const small = [0, 1, SMALL_CAPACITY];
  for (const size of small) assert.equal(takeBuffer(size).length, SMALL_CAPACITY);
  const sizes = [SMALL_CAPACITY, BUSY_CAPACITY - 1, BUSY_CAPACITY, 3 * BUSY_CAPACITY - 1, MIB - 1]
    .map((size) => size + 1);
  const expected = [1, 1, 2, 4, 16].map((times) => times * BUSY_CAPACITY);
  assert.deepEqual(sizes.map((size) => takeBuffer(size).length), expected);
  assert.equal(takeBuffer(60 * MIB).length, 64 * MIB);
  assert.equal(takeBuffer().length, BUSY_CAPACITY);
});

Deno.test("takeBuffer returns a buffer of the same size that was given back, and only once", () => {
  for (const size of [SMALL_CAPACITY, 2 * BUSY_CAPACITY, MIB]) {
    const buffer = takeBuffer(size);
    giveBack(buffer);
    assert.equal(takeBuffer(size / 2 + 1) === buffer, true);
    assert.equal(takeBuffer(size) === buffer, false);
  }
});

Deno.test("giveBack does not keep the small buffers of idle streams", () => {
  const small = new Uint8Array(4096);
  giveBack(small);
  assert.notEqual(takeBuffer(), small);
});

Deno.test("large buffers that nothing uses are garbage", async () => {
  v8.setFlagsFromString("--expose-gc");
  const collectGarbage = vm.runInNewContext("gc");
  const given = new WeakRef(takeBuffer(60 * MIB));
  giveBack(given.deref()!);
  // A weak reference keeps its target to the end of the turn.
  await new Promise((resolve) => setTimeout(resolve));
  collectGarbage();
  assert.equal(given.deref(), undefined);
  assert.equal(takeBuffer(60 * MIB).length, 64 * MIB);
});
