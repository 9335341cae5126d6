import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "npm:fast-check@^4.10.2";
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { Envelope } from "../../../runtime/actor/messaging.ts";
import { ActorRef, MAX_ACTOR_NAME } from "../../../runtime/actor/references.ts";
import { ProtocolError } from "../../../runtime/errors.ts";
import { UnsendableError } from "../../../runtime/wire/encoder.ts";
import { MAX_BIGINT, MAX_DEPTH, MAX_PATTERN } from "../../../runtime/wire/limits.ts";
import { Tag } from "../../../runtime/wire/value_format.ts";
import { anyText } from "../../any_text.ts";
import { rogueFrame } from "../../rogue_peer.ts";
import { decodeEnvelope, encodeEnvelope } from "./single_frames.ts";

const SERVER = "sender";
const OTHER = "receiver";
const SOURCE = new ActorRef(SERVER, "asker");

function envelopeOf(message: unknown): Envelope {
  return new Envelope(message, "dest", SOURCE, 4, undefined, undefined, false, false);
}

function decode(bytes: Uint8Array): Envelope {
  return decodeEnvelope(bytes, { source: SERVER });
}

/** The message as the receiver decodes it, after its bytes were overwritten. */
function send(message: unknown): unknown {
  const bytes = encodeEnvelope(envelopeOf(message));
  const { message: received } = decode(bytes);
  bytes.fill(0xff);
  return received;
}

/** A frame with the given bytes as its message. */
function frame(...message: number[]): Uint8Array {
  return rogueFrame({ dest: "dest", source: "asker" }, new Uint8Array(message));
}

/** The bytes of a `u32`. */
function u32(value: number): number[] {
  return [...new Uint8Array(new Uint32Array([value]).buffer)];
}

/** The bytes of a short text. */
function text(value: string): number[] {
  return [0x80 + value.length, ...new TextEncoder().encode(value)];
}

function assertRefused(bytes: Uint8Array, about?: string): void {
  assert.throws(() => decode(bytes), ProtocolError, about);
}

/** The heap of this file's tests in bytes, without concurrent tests. */
function heapSize(): number {
  return Deno.memoryUsage().heapTotal;
}

/**
 * Asserts equal classes, keys, values, cycles and shared objects. Prototypes of plain objects can
 * differ.
 */
function assertSame(actual: unknown, expected: unknown): void {
  assert.deepStrictEqual(actual, expected);
}

Deno.test("all fields of an envelope arrive", () => {
  const fields: [unknown, unknown, number, unknown, unknown, boolean, boolean][] = [
    ["name", "asker", 4, undefined, undefined, false, false],
    [17, 23, 2 ** 40 + 1, 8, 5000, true, false],
    ["", "ü", 3, 2 ** 50, undefined, false, true],
    [0, 0, 0, 0, undefined, true, true],
    [-1, 1e300, 5, -3, 1e9, true, true],
    ["x".repeat(MAX_ACTOR_NAME), "\ud800", 5, undefined, 1e9, true, true],
  ];
  for (const [dest, source, nonce, replyTo, timeout, replyExpected, failed] of fields) {
    const envelope = new Envelope(
      null,
      dest as string,
      ActorRef.unchecked(SERVER, source as string),
      nonce,
      replyTo as number,
      timeout as number,
      replyExpected,
      failed,
    );
    const received = decode(encodeEnvelope(envelope));
    const { expires } = envelope;
    assertSame({ ...received, timeout, expires }, { ...envelope });
    if (timeout !== undefined) assert.ok(Math.abs(received.expires! - expires!) < 1000);
    // The time it waited here is subtracted.
    const waited = (timeout as number ?? 0) - (received.timeout ?? 0);
    assert.ok(waited >= 0 && waited < 1000, `${waited}`);
  }
});

Deno.test("the source is always the server of the connection", () => {
  const envelope = decodeEnvelope(encodeEnvelope(envelopeOf(1)), { source: OTHER });
  assert.equal(`${envelope.source}`, "asker@receiver");
});

const KEY = fc.oneof(
  anyText(),
  fc.constantFrom(
    "__proto__",
    "constructor",
    "toJSON",
    "hasOwnProperty",
    "length",
    "then",
    "0",
    "",
  ),
);

/** A regular expression that matches a text. */
function patternOf(value: string): RegExp {
  return new RegExp(value.replace(/[\\^$.*+?()[\]{}|\n\r\u2028\u2029/]/g, "\\$&"), "gs");
}

const LEAF: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(undefined, null, true, false, NaN, -0, 0, Infinity, -Infinity, 2 ** 53, 2 ** 32),
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  anyText(),
  anyText({ minLength: 60, maxLength: 300 }),
  fc.bigInt(),
  fc.bigInt({ min: -(1n << 70_000n), max: 1n << 70_000n }),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array(),
  fc.int32Array(),
  fc.float64Array(),
  fc.bigInt64Array({ maxLength: 5 }),
  fc.uint8Array().map((bytes) => bytes.slice().buffer),
  fc.uint8Array().map((bytes) => new DataView(bytes.slice().buffer)),
  fc.constantFrom(/a(b)\/c/giu, /(?:)/, /\p{L}+/v, new Date(-1), new Date(NaN), new Date(8.64e15)),
  fc.constantFrom<unknown>(true, 5, "text", 7n, -0).map((value) => Object(value)),
  fc.tuple(KEY, fc.integer()).map(([name, id]) =>
    new ActorRef(
      OTHER,
      id % 2 ? `a${name.replaceAll(/[\s@]/g, "_")}`.slice(0, MAX_ACTOR_NAME) : Math.abs(id),
    )
  ),
  anyText().map(patternOf),
);

const VALUE: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthIdentifier: "v" },
    LEAF,
    fc.array(tie("value"), { maxLength: 6 }),
    fc.array(fc.tuple(KEY, tie("value")), { maxLength: 6 }).map(Object.fromEntries),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 5 }).map((all) => new Map(all)),
    fc.array(tie("value"), { maxLength: 5 }).map((all) => new Set(all)),
    fc.tuple(fc.constantFrom(Error, TypeError, RangeError), fc.string(), tie("value")).map(
      ([Class, message, cause]) => new Class(message, { cause }),
    ),
  ),
})).value;

Deno.test("every value that can be sent arrives unchanged", () => {
  fc.assert(
    fc.property(VALUE, (value) => assertSame(send(value), value)),
    { numRuns: 120, seed: 1 },
  );
});

Deno.test("every value arrives as its structured clone would be", () => {
  const cases: Record<string, unknown> = {
    "holes become undefined only here": [1, undefined, 3],
    "an instance of a class": new (class Point {
      x = 1;
      #secret = 2;
      get y() {
        return this.#secret;
      }
    })(),
    "no prototype": Object.assign(Object.create(null), { a: 1, constructor: 2 }),
    "an own __proto__": JSON.parse('{"__proto__": {"polluted": true}, "a": [{"__proto__": 1}]}'),
    "special keys": { toJSON: 1, hasOwnProperty: 2, length: 3, valueOf: 4, then: 5, type: 6 },
    "a symbol key": { [Symbol("s")]: 1, a: 2 },
    "what cannot be enumerated": Object.defineProperty({ a: 1 }, "b", { value: 2 }),
    "a subclass of an array": new (class Row extends Array<number> {})(1, 2, 3),
    "a subclass of a Map": new (class Index extends Map<unknown, unknown> {})([[1, { a: 2 }]]),
    "a subclass of a Set": new (class Tags extends Set<unknown> {})([1, "a", NaN]),
    "a subclass of a Date": new (class Day extends Date {})(5),
    "a Map with all kinds of keys": new Map<unknown, unknown>([
      [NaN, 1],
      [{}, 2],
      [undefined, 3],
      [null, 4],
      [-0, 5],
      [1n, 6],
      ["__proto__", 7],
      [new Map(), new Set([new Set()])],
    ]),
    "large bigints": [2n ** 63n - 1n, 2n ** 63n, 2n ** 64n, -(2n ** 63n), -(2n ** 63n) - 1n],
    "a larger one": -(3n ** 200_000n),
    "times before 1970": [new Date(-86_400_001), new Date(-8.64e15), new Date(1e12 + 0.5)],
    "unsafe integers": [2 ** 53, -(2 ** 53), 2 ** 31, -(2 ** 31) - 1, 1e300, 5e-324],
    "part of a buffer": new Uint16Array(new Uint8Array([9, 1, 2, 3, 4, 9]).buffer, 2, 1),
    "many keys": Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`key${i}`, i])),
    "many elements": Array.from({ length: 70_000 }, (_, i) => i % 3 ? i : null),
  };
  for (const [name, value] of Object.entries(cases)) {
    assert.deepStrictEqual(send(value), structuredClone(value), name);
  }
});

Deno.test("holes of an array become undefined", () => {
  // deno-lint-ignore no-sparse-arrays
  assertSame(send([, 1, , -0]), [undefined, 1, undefined, -0]);
  assert.ok(0 in (send(new Array(1)) as unknown[]));
});

Deno.test("typed arrays keep their kind, even subclasses", () => {
  const classes = [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float16Array,
    Float32Array,
    Float64Array,
  ];
  for (const Class of classes) {
    assertSame(send(new Class([1, 2, 3])), new Class([1, 2, 3]));
    assertSame(send(new Class()), new Class());
    assertSame(send([new Class([1, 2, 3]).subarray(1, 2)]), [new Class([2])]);
    class Sub extends (Class as Uint8ArrayConstructor) {}
    assertSame(send({ a: new Sub([1, 2]) }), { a: new Class([1, 2]) });
  }
  for (const Class of [BigInt64Array, BigUint64Array]) {
    assertSame(send(new Class([1n, 2n])), new Class([1n, 2n]));
  }
  const shared = new Uint8Array(new SharedArrayBuffer(3));
  shared.set([1, 2, 3]);
  assertSame(send(shared), new Uint8Array([1, 2, 3]));
});

Deno.test("errors keep class, name, message, stack, cause and errors", () => {
  class HttpError extends Error {
    override name = "HttpError";
    status = 404;
  }
  for (
    const error of [
      new Error("plain", { cause: { code: 5 } }),
      new RangeError("range", { cause: undefined }),
      new HttpError("not found", { cause: new TypeError("inner", { cause: [1n] }) }),
      new AggregateError([new SyntaxError("one"), 2, new Map([[1, 2]])], "several"),
      new DOMException("gone", "AbortError"),
      Object.assign(new TypeError("invalid"), { errors: ["not an AggregateError"] }),
    ]
  ) {
    const received = send(error) as Error;
    assert.ok(received instanceof Error);
    assert.equal(received.name, error.name);
    assert.equal(received.message, error.message);
    assert.equal(received.stack, error.stack);
    assertSame(received.cause, error.cause);
    assert.equal("cause" in received, "cause" in error);
    assert.equal(received instanceof TypeError, error instanceof TypeError);
    assert.equal(received instanceof AggregateError, error instanceof AggregateError);
    if (error instanceof AggregateError) {
      assertSame((received as AggregateError).errors, error.errors);
    }
    assert.deepEqual(Object.keys(received), []);
  }
});

Deno.test("an error can have any name", () => {
  for (const name of ["toString", "constructor", "__proto__", "hasOwnProperty", "", "\ud800"]) {
    const error = new Error("odd", { cause: 1 });
    error.name = name;
    const received = send(error) as Error;
    assert.ok(received instanceof Error, name);
    assert.equal(received.name, name);
  }
});

Deno.test("cycles arrive as cycles", () => {
  interface Node {
    [key: string]: unknown;
  }
  const node: Node = { name: "root", zero: -0, ref: SOURCE, text: "\ud800" };
  const map = new Map<unknown, unknown>([[node, "self"], ["a", node]]);
  const set = new Set<unknown>([node, map]);
  const error = new AggregateError([node], "looped", { cause: map });
  Object.assign(node, { node, map, set, error, list: [node, [node]], date: new Date(5) });
  Object.defineProperty(node, "__proto__", { value: node, enumerable: true });
  map.set("set", set);
  const received = send(node) as Node;
  assert.equal(received.node, received);
  assert.equal((received.map as typeof map).get(received), "self");
  assert.equal((received.map as typeof map).get("set"), received.set);
  assert.ok((received.set as typeof set).has(received.map));
  assert.equal((received.error as Error).cause, received.map);
  assert.equal((received.error as AggregateError).errors[0], received);
  assert.equal((received.list as Node[][])[1]![0], received);
  assert.equal(Object.getOwnPropertyDescriptor(received, "__proto__")!.value, received);
  assert.ok(Object.is(received.zero, -0));
  assert.equal(received.text, "\ud800");
  assertSame(received.ref, SOURCE);
  assertSame(received.date, new Date(5));
  assert.deepStrictEqual([...(received.map as typeof map).keys()], [received, "a", "set"]);

  const list: unknown[] = [];
  list.push(list);
  const copy = send(list) as unknown[];
  assert.equal(copy[0], copy);
});

Deno.test("an object referenced twice arrives, equal in both places", () => {
  const shared = { a: [1n] };
  assertSame(send([shared, shared, new Map([[shared, shared]])]), [
    shared,
    shared,
    new Map([[shared, shared]]),
  ]);
});

Deno.test("objects with many references to the same ones are written once", () => {
  let value: unknown = ["leaf"];
  for (let i = 0; i < 60; i++) value = [value, value];
  let received = send(value);
  for (let i = 0; i < 60; i++) received = (received as unknown[])[i % 2];
  assertSame(received, ["leaf"]);
});

Deno.test("values nested thousands of levels deep arrive", () => {
  let list: unknown = "bottom";
  let record: unknown = "bottom";
  let mixed: unknown = "bottom";
  for (let i = 0; i < 5000; i++) {
    list = [list];
    record = { record };
    mixed = i % 3 ? new Map([[i, mixed]]) : new Error("level", { cause: mixed });
  }
  let [lists, records, mixtures] = send([list, record, mixed]) as unknown[];
  for (let i = 4999; i >= 0; i--) {
    lists = (lists as unknown[])[0];
    records = (records as { record: unknown }).record;
    mixtures = i % 3 ? (mixtures as Map<number, unknown>).get(i) : (mixtures as Error).cause;
  }
  assert.deepEqual([lists, records, mixtures], ["bottom", "bottom", "bottom"]);
});

Deno.test("long strings and large binary data arrive complete", () => {
  for (const unit of ["a", "é", "語", "👍", "a\u0000ü"]) {
    const text = unit.repeat(1024 * 1024 / unit.length);
    assert.ok(send(text) === text, unit);
    for (const length of [15, 16, 31, 32, 63, 64, 65, 255, 256, 65_535, 65_536]) {
      const part = unit.repeat(length);
      assert.ok(send({ [part]: part })! instanceof Object);
      assertSame(send({ [part]: part }), { [part]: part });
    }
  }
  const bytes = new Uint8Array(20 * 1024 * 1024).map((_, i) => i * 31);
  assert.equal(Buffer.compare(send(bytes) as Uint8Array, bytes), 0);
});

Deno.test("lone surrogates and a byte order mark are kept, in values, keys, Maps and errors", () => {
  for (
    const text of [
      "\ud800",
      "a\udfffb",
      "\udc00\ud800",
      "ok 👍 \ud83d",
      "\ud800".repeat(70),
      "x".repeat(10_000) + "\udfff",
      "\ufeff",
      "\ufeff" + "text ".repeat(50),
      "a\ufeffb",
      "\ufeff\ud800",
      "\ufffd",
      "\ufffe\uffff",
    ]
  ) {
    assert.equal(send(text), text);
    const message = { [text]: [text, { [text]: new Map([[text, new Set([text])]]) }] };
    assertSame(send(message), message);
    const error = send(new Error(text, { cause: text })) as Error;
    assert.equal(error.message, text);
    assert.equal(error.cause, text);
    assertSame(send(Object(text)), Object(text));
  }
});

Deno.test("a received value holds no reference to the bytes it was read from", () => {
  const message = () => [
    new Uint8Array([1, 2, 3]),
    new Float64Array([1.5]),
    new Float16Array([1.5]),
    new Uint8Array([4, 5]).buffer,
    new DataView(new Uint8Array([6, 7]).buffer),
    Buffer.from("buffer"),
  ];
  const bytes = encodeEnvelope(envelopeOf(message()));
  const received = decode(bytes).message as unknown[];
  bytes.fill(0);
  const expected = message();
  expected[5] = new Uint8Array(Buffer.from("buffer"));
  assertSame(received, expected);
  for (const part of received) {
    assert.notEqual((part as Uint8Array).buffer, bytes.buffer);
  }
});

Deno.test("writeEnvelope refuses a value that cannot be sent, locates it, and works afterwards", () => {
  const deep: { next?: unknown } = {};
  deep.next = deep;
  const cases: [unknown, RegExp][] = [
    [() => 1, /^cannot send a function$/],
    [{ a: [1, { b: Symbol("s") }] }, /^cannot send a symbol, at a\.1\.b$/],
    [{ list: [0, Promise.resolve()] }, /^cannot send \[object Promise\], at list\.1$/],
    [new Map([["key", new WeakMap()]]), /^cannot send \[object WeakMap\], at 1$/],
    [new Set([new WeakRef({})]), /^cannot send \[object WeakRef\], at 0$/],
    [new Error("x", { cause: () => 1 }), /^cannot send a function, at cause$/],
    [new AggregateError([Symbol()]), /^cannot send a symbol, at errors\.0$/],
    [{ deep, bad: () => 1 }, /^cannot send a function/],
    [{ a: Object(Symbol()) }, /^cannot send \[object Symbol\], at a$/],
    [{ a: (function* () {})() }, /^cannot send \[object Generator\], at a$/],
    [[new SharedArrayBuffer(1)], /^cannot send \[object SharedArrayBuffer\], at 0$/],
    [{ "a b": { __proto__: null, f() {} } }, /^cannot send a function, at a b\.f$/],
  ];
  for (const [message, expected] of cases) {
    assert.throws(() => send(message), (error) => {
      assert.ok(error instanceof UnsendableError && error instanceof ProtocolError);
      assert.match(error.message, expected);
      return true;
    });
    assertSame(send({ fine: "x".repeat(100) }), { fine: "x".repeat(100) });
  }
});

Deno.test("a getter that throws fails only its own message", () => {
  const message = {
    get broken() {
      throw new RangeError("no value");
    },
  };
  assert.throws(() => send(message), /no value/);
  assertSame(send("x".repeat(100)), "x".repeat(100));
});

Deno.test("a message larger than the limit is refused, and the encoder works afterwards", () => {
  const large = new Uint8Array(65 * 1024 * 1024);
  assert.throws(() => encodeEnvelope(envelopeOf(large)), (error) => {
    assert.ok(error instanceof ProtocolError);
    assert.match(
      error.message,
      /^the message is too large: it may have at most 67108864 bytes$/,
    );
    return true;
  });
  const text = "é".repeat(50_000);
  assert.ok(send(text) === text);
  assert.throws(() => encodeEnvelope(envelopeOf("x".repeat(65 * 1024 * 1024))), ProtocolError);
  assert.ok(send(text) === text);
});

Deno.test("messages around the size of the encoder's buffer arrive, in any order", () => {
  for (const size of [65_400, 65_480, 65_520, 65_536, 70_000, 10, 131_072, 64, 65, 300_000, 63]) {
    const text = "ü".repeat(size / 2);
    const bytes = new Uint8Array(size).fill(size);
    assertSame(send([text, bytes, text]), [text, bytes, text]);
  }
});

Deno.test("changing a message after it was sent does not affect the receiver", () => {
  const frames: Uint8Array[] = [];
  const system = new ActorSystem(SERVER);
  system.route = {
    send: (_server, envelope) => {
      frames.push(encodeEnvelope(envelope));
      return true;
    },
    silence: () => undefined,
  };
  const message = { list: [1], bytes: new Uint8Array([1]), map: new Map([["a", 1]]) };
  system.tell(new ActorRef(OTHER, "dest"), message);
  message.list.push(2);
  message.bytes[0] = 2;
  message.map.clear();
  assertSame(decode(frames[0]!).message, {
    list: [1],
    bytes: new Uint8Array([1]),
    map: new Map([["a", 1]]),
  });
});

Deno.test("sending a message does not change it", () => {
  const message = { a: -0, list: [-0, new Map([[-0, "\ud800"]])], set: new Set(["\ud800"]) };
  const before = structuredClone(message);
  send(message);
  assertSame(message, before);
});

Deno.test("IncomingFrame refuses a frame whose header is malformed", () => {
  const good = frame(1);
  assert.equal(decode(good).message, 1);
  for (let length = 0; length < good.length; length++) assertRefused(good.subarray(0, length));
  const header = (...bytes: number[]) => new Uint8Array([bytes.length + 2, 0, ...bytes, 1]);
  const double = (value: number) => [...new Uint8Array(new Float64Array([value]).buffer)];
  const ids = [...text("a"), ...text("b")];
  assert.equal(decode(header(0, ...double(4), ...ids)).message, 1);
  const refused: Record<string, Uint8Array> = {
    "no nonce": header(0, ...double(NaN), ...ids),
    "a nonce that is no integer": header(0, ...double(0.5), ...ids),
    "a nonce that is too large": header(0, ...double(2 ** 53), ...ids),
    "an answer to no nonce": header(8, ...double(4), ...double(Infinity), ...ids),
    "no timeout": header(4, ...double(4), ...double(NaN), ...ids),
    "a destination that is null": header(0, ...double(4), Tag.Null, ...text("b")),
    "a destination that is a list": header(0, ...double(4), 0xd0, ...text("b")),
    "a destination that is a BigInt": header(0, ...double(4), Tag.BigInt, 2, 0, 0, 0, 0, 1, 1),
    "a destination that is too long": header(
      0,
      ...double(4),
      Tag.Latin1,
      ...u32(MAX_ACTOR_NAME + 1),
      ...new Array(MAX_ACTOR_NAME + 1).fill(97),
      ...text("b"),
    ),
    "a source that is a truth": header(0, ...double(4), ...text("a"), Tag.True),
    "a source that is missing": header(0, ...double(4), ...text("a")),
  };
  for (const [what, bytes] of Object.entries(refused)) assertRefused(bytes, what);
});

Deno.test("IncomingFrame skips fields of the header that it does not know", () => {
  const trailing = [1, 2, 3, 255, ...text("later")];
  const bytes = rogueFrame({ dest: 7, replyTo: 4, trailing }, new Uint8Array([5]));
  const { dest, replyTo, message } = decode(bytes);
  assert.deepEqual([dest, replyTo, message], [7, 4, 5]);
  // A header that ends within a known field, or after the end of the frame.
  const known = frame(5)[0]!;
  for (let length = 0; length < 256; length++) {
    const changed = frame(5);
    changed[0] = length;
    if (length !== known && length !== known + 1) assertRefused(changed, `${length}`);
  }
});

Deno.test("a frame is not read beyond its end", () => {
  const bytes = encodeEnvelope(envelopeOf({ a: "x".repeat(300), b: new Uint8Array(300) }));
  const buffer = new Uint8Array(bytes.length * 2);
  buffer.set(bytes);
  buffer.set(bytes, bytes.length);
  for (let end = 1; end < bytes.length; end++) {
    assert.throws(() => decodeEnvelope(buffer, { end, source: SERVER }), ProtocolError);
  }
  for (let start = 1; start < bytes.length; start++) {
    assert.throws(
      () => decodeEnvelope(buffer, { start, end: bytes.length, source: SERVER }),
      ProtocolError,
    );
  }
});

Deno.test("bytes after an envelope are refused, and not quoted", () => {
  const bytes = encodeEnvelope(envelopeOf(new Uint8Array(32 * 1024 * 1024)));
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  const before = heapSize();
  assert.throws(() => decode(longer), /^ProtocolError: malformed frame: bytes after its end$/);
  assert.ok(heapSize() - before < 256 * 1024 * 1024);
});

Deno.test("values that do not match their tags are refused", () => {
  const refused: Record<string, number[]> = {
    "nothing": [],
    "an unknown tag": [0xf6],
    "the last tag": [0xff],
    "a BigInt of no bytes": [Tag.BigInt, ...u32(0)],
    "a BigInt of a sign": [Tag.BigInt, ...u32(1), 0],
    "a BigInt that is too long": [
      Tag.BigInt,
      ...u32(MAX_BIGINT + 2),
      ...new Array(MAX_BIGINT + 2).fill(1),
    ],
    "a record with a key that is no text": [0xc1, 5, 5],
    "a record with a key alone": [0xc1, ...text("a")],
    "half a character": [Tag.Utf16, ...u32(3), 1, 2, 3],
    "an Error whose message is an array": [Tag.Error, 0, ...text("E"), 0xd0],
    "an Error whose name is a number": [Tag.Error, 0, 5, ...text("m")],
    "an Error whose stack is a number": [Tag.Error, 1, ...text("E"), ...text("m"), 5],
    "an Error without its cause": [Tag.Error, 2, ...text("E"), ...text("m")],
    "an actor of no server": [Tag.ActorRef, ...text(""), ...text("a")],
    "an actor of a wrong server": [Tag.ActorRef, ...text("../a"), ...text("a")],
    "an actor of a number": [Tag.ActorRef, 5, ...text("a")],
    "an actor without a name": [Tag.ActorRef, ...text("a"), Tag.Null],
    "an actor that is an array": [Tag.ActorRef, ...text("a"), 0xd1, 1],
    "a box of null": [Tag.Boxed, Tag.Null],
    "a box of undefined": [Tag.Boxed, Tag.Undefined],
    "a box of a record": [Tag.Boxed, 0xc0],
    "a box of a box": [Tag.Boxed, Tag.Boxed, 1],
    "a regular expression that is none": [Tag.RegExp, ...text("("), ...text("")],
    "a regular expression with a flag that is none": [Tag.RegExp, ...text("a"), ...text("q")],
    "a regular expression that is too long": [
      Tag.RegExp,
      Tag.Latin1,
      ...u32(MAX_PATTERN + 1),
      ...new Array(MAX_PATTERN + 1).fill(97),
      ...text(""),
    ],
    "binary of no class": [Tag.Binary, 14, ...u32(0)],
    "an odd number of bytes for halves": [Tag.Binary, 11, ...u32(3), 1, 2, 3],
    "a reference outside a graph": [Tag.Reference, ...u32(0)],
    "a reference in a record outside a graph": [0xc1, ...text("a"), Tag.Reference, ...u32(0)],
    "a graph inside a record": [0xc1, ...text("a"), Tag.Graph, ...u32(0), ...u32(1), 0xd0],
    "a graph beside its objects": [Tag.Graph, ...u32(1), 5, ...u32(1), 0xd0],
    "a graph of a number": [Tag.Graph, ...u32(0), ...u32(1), 5],
    "a graph of a text": [Tag.Graph, ...u32(0), ...u32(1), ...text("a")],
    "a graph of a graph": [Tag.Graph, ...u32(0), ...u32(1), Tag.Graph, ...u32(0), ...u32(0)],
    "a graph of a reference": [Tag.Graph, ...u32(0), ...u32(1), Tag.Reference, ...u32(0)],
    "a graph that is shorter than its objects": [Tag.Graph, ...u32(0), ...u32(1), 0xd1],
    "a graph that promises objects": [Tag.Graph, ...u32(0), ...u32(100), 0xd0],
    "a graph that promises contents": [Tag.Graph, ...u32(1000), 0xd0],
    "a reference beyond the graph": [
      Tag.Graph,
      ...u32(5),
      Tag.Reference,
      ...u32(1),
      ...u32(1),
      0xd1,
    ],
    "a reference far beyond the graph": [
      Tag.Graph,
      ...u32(5),
      Tag.Reference,
      ...u32(0xffffffff),
      ...u32(1),
      0xd1,
    ],
  };
  for (const [name, bytes] of Object.entries(refused)) assertRefused(frame(...bytes), name);
  assertRefused(frame(Tag.Graph, ...u32(0), ...u32(0)), "an empty graph");
  const self = decode(frame(Tag.Graph, ...u32(5), Tag.Reference, ...u32(0), ...u32(1), 0xd1));
  assert.equal((self.message as unknown[])[0], self.message);
  assertRefused(frame(Tag.Reference, ...u32(0)), "a reference after a frame with a graph");
});

Deno.test("an object at the depth limit of a tree is read, and a deeper one refused", () => {
  const nested = (depth: number) => frame(...new Array(depth - 1).fill(0xd1), 0xd0);
  decode(nested(MAX_DEPTH));
  assertRefused(nested(MAX_DEPTH + 1));
});

Deno.test("a size larger than the frame allocates nothing", () => {
  const before = heapSize();
  const sized = [
    Tag.Latin1,
    Tag.Utf8,
    Tag.Utf16,
    Tag.BigInt,
    Tag.Array,
    Tag.Record,
    Tag.Map,
    Tag.Set,
  ];
  for (const size of [0x01ffffff, 0xffffffff, 1000]) {
    const promises = [
      ...sized.map((tag) => [tag, ...u32(size)]),
      [Tag.Binary, 0, ...u32(size)],
      [Tag.Binary, 13, ...u32(size)],
      [Tag.Graph, ...u32(0), ...u32(size)],
    ];
    for (const promise of promises) {
      for (let i = 0; i < 100; i++) assertRefused(frame(...promise));
      assertRefused(frame(...Array.from({ length: 500 }, () => promise).flat()));
    }
  }
  assert.ok(heapSize() - before < 256 * 1024 * 1024);
});

Deno.test("frames nested as deep as they are long are refused", () => {
  const levels = [
    [0xd1],
    [0xc1, ...text("a")],
    [Tag.Map, ...u32(1), 0],
    [Tag.Set, ...u32(1)],
    [Tag.Error, 2, ...text("E"), ...text("m")],
    [Tag.Boxed],
  ];
  for (const level of levels) {
    const body = new Uint8Array(1024 * 1024).map((_, i) => level[i % level.length]!);
    assertRefused(rogueFrame({ dest: "dest" }, body));
  }
  assertSame(send([1]), [1]);
});

const FRAME: fc.Arbitrary<Uint8Array> = VALUE.map((value) => encodeEnvelope(envelopeOf(value)));

function assertDecodesOrRefuses(bytes: Uint8Array): void {
  try {
    assert.ok(decode(bytes) instanceof Envelope);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  assert.deepEqual(Object.keys(Object.prototype), []);
}

Deno.test("random bytes are an envelope, or are refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assertDecodesOrRefuses(bytes);
      // The same after a tag that lets the decoder continue.
      assertDecodesOrRefuses(frame(...bytes));
      assertDecodesOrRefuses(frame(Tag.Graph, ...bytes));
    }),
    { numRuns: 500 },
  );
});

Deno.test("damaged frames are an envelope, or are refused", () => {
  fc.assert(
    fc.property(FRAME, FRAME, fc.infiniteStream(fc.nat()), (frame, other, numbers) => {
      const next = (below: number) => numbers.next().value! % Math.max(1, below);
      for (let i = 0; i < 8; i++) {
        const bytes = frame.slice();
        for (let flips = 1 + next(3); flips > 0; flips--) {
          bytes[next(bytes.length)]! ^= 1 << next(8);
        }
        assertDecodesOrRefuses(bytes);
        assertDecodesOrRefuses(bytes.subarray(0, next(bytes.length)));
        const at = next(frame.length);
        assertDecodesOrRefuses(
          new Uint8Array([...frame.subarray(0, at), ...other.subarray(next(other.length))]),
        );
      }
    }),
    { numRuns: 25 },
  );
});
