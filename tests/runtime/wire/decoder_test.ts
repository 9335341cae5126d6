import assert from "node:assert/strict";
import { ProtocolError } from "../../../runtime/errors.ts";
import { COSTLY_VALUES, MAX_PARTS, MAX_PATTERN } from "../../../runtime/wire/limits.ts";
import { OBJECT_WEIGHT, Tag } from "../../../runtime/wire/value_format.ts";
import { rogueFrame } from "../../rogue_peer.ts";
import { decodeEnvelope } from "./single_frames.ts";

const SERVER = "sender";

/** The bytes of a `u32`. */
function u32(value: number): number[] {
  return [...new Uint8Array(new Uint32Array([value]).buffer)];
}

/** The bytes of a short text. */
function text(value: string): number[] {
  return [0x80 + value.length, ...new TextEncoder().encode(value)];
}

/** Decodes a container with the same bytes repeated `count` times. */
function repeated(tag: Tag, count: number, bytes: (i: number) => number[]): Uint8Array {
  const each = bytes(0).length;
  const body = new Uint8Array(5 + count * each);
  body[0] = tag;
  body.set(u32(count), 1);
  if (bytes.length > 0) {
    for (let i = 0; i < count; i++) body.set(bytes(i), 5 + i * each);
    return body;
  }
  // All are equal, so the existing bytes are doubled until the body is full.
  body.set(bytes(0), 5);
  for (let done = each; done < count * each; done *= 2) body.copyWithin(5 + done, 5, 5 + done);
  return body;
}

function decode(body: Uint8Array): unknown {
  return decodeEnvelope(rogueFrame({ dest: "dest" }, body), { source: SERVER }).message;
}

function assertRefused(body: Uint8Array, reason: string): void {
  assert.throws(() => decode(body), (error) => {
    if (!(error instanceof ProtocolError)) throw error;
    assert.equal(error.message, `malformed frame: ${reason}`);
    return true;
  });
}

Deno.test("IncomingFrame refuses a frame with too many objects", () => {
  const most = Math.floor((MAX_PARTS - OBJECT_WEIGHT) / (OBJECT_WEIGHT + 1));
  assert.equal((decode(repeated(Tag.Array, most, () => [0xc0])) as unknown[]).length, most);
  assertRefused(repeated(Tag.Array, most + 1, () => [0xd0]), "too many parts");
});

Deno.test("IncomingFrame refuses heavy objects sooner", () => {
  const heavy: Record<string, number[]> = {
    "a Map": [Tag.Map, ...u32(0)],
    "a Uint8Array": [Tag.Binary, 0, ...u32(0)],
  };
  for (const [what, bytes] of Object.entries(heavy)) {
    const body = repeated(Tag.Array, Math.floor(MAX_PARTS / 20), () => bytes);
    assert.throws(() => decode(body), /too many parts$/, what);
  }
});

Deno.test("IncomingFrame refuses as many parts of a graph as of a tree", () => {
  const count = Math.floor(MAX_PARTS / (2 * OBJECT_WEIGHT)) + 1;
  const body = new Uint8Array(9 + count).fill(0xc0);
  body.set([Tag.Graph, ...u32(0), ...u32(count)]);
  assertRefused(body, "too many parts");
  // They count before any is filled, because a Map is allocated first.
  for (const tag of [Tag.Map, Tag.Set]) {
    const heads = repeated(tag, Math.floor(MAX_PARTS / 36) + 1, () => [tag, ...u32(0)]);
    const graph = new Uint8Array(heads.length + 4);
    graph.set([Tag.Graph, ...u32(0)]);
    graph.set(heads.subarray(1), 5);
    assertRefused(graph, "too many parts");
  }
});

Deno.test("IncomingFrame refuses too many errors and regular expressions for the size of a frame", () => {
  const error = [Tag.Error, 0, 0x80, 0x80];
  const pattern = [Tag.RegExp, ...text("a"), 0x80];
  for (const bytes of [error, pattern]) {
    const most = COSTLY_VALUES + 3;
    assert.equal((decode(repeated(Tag.Array, most, () => bytes)) as unknown[]).length, most);
    const body = repeated(Tag.Array, 2 * COSTLY_VALUES, () => bytes);
    assertRefused(body, "too many errors or regular expressions");
    const head = bytes === error ? bytes.slice(0, 3) : bytes;
    const graph = new Uint8Array([
      ...[Tag.Graph, ...u32(0), ...u32(2 * COSTLY_VALUES)],
      ...Array.from({ length: 2 * COSTLY_VALUES }, () => head).flat(),
    ]);
    assertRefused(graph, "too many errors or regular expressions");
  }
  // The engine examines all of Unicode for each of these.
  const escapes = new TextEncoder().encode("\\P{L}".repeat(100));
  const body = [Tag.RegExp, Tag.Latin1, ...u32(escapes.length), ...escapes, ...text("u")];
  assertRefused(new Uint8Array(body), "too many errors or regular expressions");
});

Deno.test("IncomingFrame refuses regular expressions that are long or slow to compile", () => {
  const reason = "a regular expression that must not be sent";
  for (const source of ["a".repeat(MAX_PATTERN + 1), "[\\p{RGI_Emoji}]", "\\p{Basic_Emoji}"]) {
    const bytes = new TextEncoder().encode(source);
    const body = [Tag.RegExp, Tag.Latin1, ...u32(bytes.length), ...bytes, ...text("v")];
    assertRefused(new Uint8Array(body), reason);
  }
});

Deno.test("IncomingFrame refuses keys that were chosen to collide", () => {
  // The engine hashes 64 bits of a BigInt, without a secret.
  const colliding = (i: number) => [Tag.BigInt, ...u32(11), 0, i >>> 8, i, 0, 0, 0, 0, 0, 0, 0, 1];
  const reason = "decoding takes too long";
  assertRefused(repeated(Tag.Set, 60_000, colliding), reason);
  assertRefused(repeated(Tag.Map, 60_000, (i) => [...colliding(i), 1]), reason);
});

Deno.test("IncomingFrame reads any number of keys that do not collide", () => {
  const key = (i: number) => [Tag.Int32, ...u32(i * 7919)];
  assert.equal((decode(repeated(Tag.Set, 200_000, key)) as Set<number>).size, 200_000);
  const map = decode(repeated(Tag.Map, 100_000, (i) => [...key(i), 1])) as Map<number, number>;
  assert.equal(map.size, 100_000);
  const keyed = (i: number) => [...text(String(i).padStart(7, "k")), 1];
  const record = decode(repeated(Tag.Record, 70_000, keyed)) as object;
  assert.equal(Object.keys(record).length, 70_000);
});

Deno.test("IncomingFrame sets no prototype, even where Deno has __proto__", async () => {
  const codec = new URL("../../../runtime/wire/envelope_frames.ts", import.meta.url);
  const body = [0xc2, ...text("__proto__"), 0xc1, ...text("a"), 1, ...text("constructor"), 1];
  const bytes = rogueFrame({ dest: "dest" }, new Uint8Array(body));
  const program = `
    import { IncomingFrame } from ${JSON.stringify(codec)};
    const frame = new IncomingFrame();
    frame.read(new Uint8Array([${bytes}]), 0, ${bytes.length});
    const { message } = frame.decode("peer");
    const plain = Object.getPrototypeOf(message) === Object.prototype && message.a === undefined;
    console.log(plain, ({}).a, Object.keys(message).join());
  `;
  for (const flags of [[], ["--unstable-unsafe-proto"]]) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", "--ext=ts", ...flags, program],
      stderr: "inherit",
    }).output();
    assert.equal(new TextDecoder().decode(stdout), "true undefined __proto__,constructor\n");
  }
});

Deno.test("IncomingFrame reads text from bytes that are not UTF-8, and any bytes as Latin-1", () => {
  assert.equal(decode(new Uint8Array([Tag.Utf8, ...u32(3), 0x61, 0xff, 0x62])), "a\ufffdb");
  assert.equal(decode(new Uint8Array([Tag.Latin1, ...u32(2), 0x80, 0xff])), "\x80\xff");
  assert.equal(decode(new Uint8Array([0x82, 0x80, 0xff])), "\x80\xff");
});

Deno.test("IncomingFrame does not read an error's stack", () => {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 7;
  try {
    const error = decode(new Uint8Array([Tag.Error, 1, ...text("E"), ...text("m"), ...text("s")]));
    assert.equal((error as Error).stack, "s");
    assert.equal(Error.stackTraceLimit, 7);
  } finally {
    Error.stackTraceLimit = limit;
  }
});
