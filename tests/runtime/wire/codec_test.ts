import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Packr } from "npm:msgpackr@^2.1.3/pack";
import fc from "npm:fast-check@^4.10.2";
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { Envelope } from "../../../runtime/actor/envelope.ts";
import { ActorRef } from "../../../runtime/actor/ref.ts";
import { parseServerId } from "../../../runtime/actor/server_id.ts";
import { ProtocolError } from "../../../runtime/errors.ts";
import { decodeEnvelope, encodeEnvelope } from "../../../runtime/wire/codec.ts";
import { Dressed, Kind, UnsendableError } from "../../../runtime/wire/dressing.ts";

const SERVER = parseServerId("sender");
const OTHER = parseServerId("receiver");
const SOURCE = new ActorRef(SERVER, "asker");

function envelopeOf(message: unknown): Envelope {
  return new Envelope(message, "dest", SOURCE, 4, undefined, undefined, false, false);
}

function decode(bytes: Uint8Array): Envelope {
  return decodeEnvelope(bytes, { start: 0, end: bytes.length, source: SERVER });
}

/** The message as the other side gets it; the bytes it came from are gone by then. */
function send(message: unknown): unknown {
  const bytes = encodeEnvelope(envelopeOf(message)).slice();
  const { message: received } = decode(bytes);
  bytes.fill(0xff);
  return received;
}

/** A frame of a peer that does not keep to the rules. */
function frame(message: unknown, fields: unknown[] = []): Uint8Array {
  const body = ["dest", "asker", 4, null, null, 0, message];
  fields.forEach((field, i) => body[i] = field);
  return new Packr({ useRecords: false, moreTypes: true, variableMapSize: true }).pack(body)
    .slice();
}

function assertRefused(bytes: Uint8Array, about?: string): void {
  assert.throws(() => decode(bytes), ProtocolError, about);
}

/** The heap of this file's tests alone, which those that run beside them do not grow; in bytes. */
function heapSize(): number {
  return Deno.memoryUsage().heapTotal;
}

/** Equal in classes, keys, values, cycles and shared objects, prototypes of plain objects aside. */
function assertSame(actual: unknown, expected: unknown): void {
  assert.deepStrictEqual(actual, expected);
}

Deno.test("all fields of an envelope survive", () => {
  const fields: [unknown, unknown, number, unknown, unknown, boolean, boolean][] = [
    ["name", "asker", 4, undefined, undefined, false, false],
    [17, 23, 2 ** 40 + 1, 8, 5000, true, false],
    ["", "ü", 3, 2 ** 50, 0.5, false, true],
    [0, 0, 0, 0, 0, true, true],
  ];
  for (const [dest, source, nonce, replyTo, timeToLive, replyExpected, failed] of fields) {
    const envelope = new Envelope(
      null,
      dest as string,
      new ActorRef(SERVER, source as string),
      nonce,
      replyTo as number,
      timeToLive as number,
      replyExpected,
      failed,
    );
    assertSame({ ...decode(encodeEnvelope(envelope)) }, { ...envelope });
  }
});

Deno.test("the source is the server of the connection, whatever the frame says", () => {
  const bytes = encodeEnvelope(envelopeOf(1)).slice();
  const envelope = decodeEnvelope(bytes, { start: 0, end: bytes.length, source: OTHER });
  assert.equal(`${envelope.source}`, "asker@receiver");
});

const KEY = fc.oneof(
  fc.string({ unit: "binary" }),
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

const LEAF: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(undefined, null, true, false, NaN, -0, 0, Infinity, -Infinity, 2 ** 53, 2 ** 32),
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.string({ unit: "binary" }),
  fc.string({ unit: "binary", minLength: 60, maxLength: 300 }),
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
  fc.tuple(KEY, fc.integer()).map(([name, id]) => new ActorRef(OTHER, id % 2 ? name : id)),
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

Deno.test("every value that may travel arrives as it was", () => {
  fc.assert(
    fc.property(VALUE, (value) => assertSame(send(value), value)),
    { numRuns: 500, seed: 1 },
  );
});

Deno.test("every value arrives as a structured clone of it would be", () => {
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

Deno.test("typed arrays of all kinds keep theirs, also those of subclasses", () => {
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

Deno.test("an error may be named after anything", () => {
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

Deno.test("an object that is referred to twice arrives, equal in both places", () => {
  const shared = { a: [1n] };
  assertSame(send([shared, shared, new Map([[shared, shared]])]), [
    shared,
    shared,
    new Map([[shared, shared]]),
  ]);
});

Deno.test("objects that refer to the same ones over and over take no more than their own number", () => {
  let value: unknown = ["leaf"];
  for (let i = 0; i < 60; i++) value = [value, value];
  let received = send(value);
  for (let i = 0; i < 60; i++) received = (received as unknown[])[i % 2];
  assertSame(received, ["leaf"]);
});

Deno.test("nesting may be thousands deep", () => {
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

Deno.test("long strings and large binary arrive whole", () => {
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

Deno.test("nothing received refers to the bytes it came from", () => {
  const message = () => [
    new Uint8Array([1, 2, 3]),
    new Float64Array([1.5]),
    new Float16Array([1.5]),
    new Uint8Array([4, 5]).buffer,
    new DataView(new Uint8Array([6, 7]).buffer),
    Buffer.from("buffer"),
  ];
  const bytes = encodeEnvelope(envelopeOf(message())).slice();
  const received = decode(bytes).message as unknown[];
  bytes.fill(0);
  const expected = message();
  expected[5] = new Uint8Array(Buffer.from("buffer"));
  assertSame(received, expected);
  for (const part of received) {
    assert.notEqual((part as Uint8Array).buffer, bytes.buffer);
  }
});

Deno.test("what cannot travel is refused with its place, and the encoder works afterwards", () => {
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

Deno.test("a getter that throws fails that message alone", () => {
  const message = {
    get broken() {
      throw new RangeError("no value");
    },
  };
  assert.throws(() => send(message), /no value/);
  assertSame(send("x".repeat(100)), "x".repeat(100));
});

Deno.test("a message larger than a frame is refused, and the encoder works afterwards", () => {
  const large = new Uint8Array(65 * 1024 * 1024);
  assert.throws(() => encodeEnvelope(envelopeOf(large)), (error) => {
    assert.ok(error instanceof ProtocolError);
    assert.match(
      error.message,
      /^the message is too large: 681\d+ bytes, and a frame holds 67108864$/,
    );
    return true;
  });
  const text = "é".repeat(50_000);
  assert.ok(send(text) === text);
  assert.throws(() => encodeEnvelope(envelopeOf("x".repeat(65 * 1024 * 1024))), ProtocolError);
  assert.ok(send(text) === text);
  assert.equal(encodeEnvelope(envelopeOf("small")).buffer.byteLength, 64 * 1024);
});

Deno.test("messages around the size of the encoder's buffer arrive, in any order", () => {
  for (const size of [65_400, 65_480, 65_520, 65_536, 70_000, 10, 131_072, 64, 65, 300_000, 63]) {
    const text = "ü".repeat(size / 2);
    const bytes = new Uint8Array(size).fill(size);
    assertSame(send([text, bytes, text]), [text, bytes, text]);
  }
});

Deno.test("changing a message after it was told changes nothing at the receiver", () => {
  const frames: Uint8Array[] = [];
  const system = new ActorSystem(SERVER, {
    send: (_server, envelope) => {
      frames.push(encodeEnvelope(envelope).slice());
      return true;
    },
  });
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

Deno.test("what the sender keeps is not changed by sending it", () => {
  const message = { a: -0, list: [-0, new Map([[-0, "\ud800"]])], set: new Set(["\ud800"]) };
  const before = structuredClone(message);
  send(message);
  assertSame(message, before);
});

Deno.test("a frame that is no envelope is refused", () => {
  const packr = new Packr({ useRecords: false });
  for (const body of [null, 1, "text", [], {}, [1, 2, 3], Array(8).fill(0)]) {
    assertRefused(packr.pack(body).slice(), JSON.stringify(body));
  }
  const wrong: [number, unknown[]][] = [
    [0, [null, {}, true, [1], 5n]],
    [1, [null, {}, true, [1], 5n]],
    [2, [null, "4", {}, 5n]],
    [3, ["4", {}, true, 5n]],
    [4, ["4", {}, true, 5n]],
    [5, [null, "0", {}, 5n]],
  ];
  for (const [index, values] of wrong) {
    for (const value of values) {
      const fields: unknown[] = [];
      fields[index] = value;
      assertRefused(frame(1, fields), `${index}: ${Deno.inspect(value)}`);
    }
  }
  assertRefused(new Uint8Array());
  const bytes = frame(1);
  assert.throws(
    () => decodeEnvelope(bytes, { start: 0, end: 0, source: SERVER }),
    ProtocolError,
    "an empty frame at the start of a buffer is not all of the buffer",
  );
});

Deno.test("a frame is not read beyond its end", () => {
  const bytes = frame({ text: "x".repeat(300), bytes: new Uint8Array(300) });
  const buffer = new Uint8Array(bytes.length * 2);
  buffer.set(bytes);
  buffer.set(bytes, bytes.length);
  for (let end = 1; end < bytes.length; end++) {
    assert.throws(() => decodeEnvelope(buffer, { start: 0, end, source: SERVER }), ProtocolError);
  }
  for (let start = 1; start < bytes.length; start++) {
    try {
      decodeEnvelope(buffer, { start, end: bytes.length, source: SERVER });
      assert.fail("part of an envelope is no envelope");
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String(error));
    }
  }
});

Deno.test("bytes after an envelope are refused, and are not written out for that", () => {
  const bytes = encodeEnvelope(envelopeOf(new Uint8Array(32 * 1024 * 1024)));
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  const before = heapSize();
  assert.throws(() => decode(longer), /^ProtocolError: malformed frame: bytes after its end$/);
  assert.ok(heapSize() - before < 256 * 1024 * 1024);
});

Deno.test("dressed values that are not what they say are refused", () => {
  const reference = (index: unknown) => new Dressed(Kind.Reference, index);
  const graph = (...nodes: unknown[]) => new Dressed(Kind.Graph, nodes);
  const refused: Record<string, unknown> = {
    "an unknown kind": new Dressed(99 as Kind, null),
    "a negative kind": new Dressed(-1 as Kind, null),
    "a kind that is no number": new Dressed("__proto__" as never, []),
    "a kind that is an object": new Dressed({ a: 1 } as never, []),
    "a Map of nothing": new Dressed(Kind.Map, null),
    "a Map of a text": new Dressed(Kind.Map, "ab"),
    "a Map with a key alone": new Dressed(Kind.Map, [1]),
    "entries of a number": new Dressed(Kind.Entries, 5),
    "entries with a key alone": new Dressed(Kind.Entries, ["a", 1, "b"]),
    "entries with a key that is no text": new Dressed(Kind.Entries, [{}, 1]),
    "an error of nothing": new Dressed(Kind.Error, null),
    "an error of too little": new Dressed(Kind.Error, []),
    "an error whose message is an object": new Dressed(Kind.Error, ["E", {}, null, null, null]),
    "an error whose name is a list": new Dressed(Kind.Error, [["E"], "m", null, null, null]),
    "an error whose stack is a number": new Dressed(Kind.Error, ["E", "m", 5, null, null]),
    "a reference to an actor of no server": new Dressed(Kind.ActorRef, ["", "a"]),
    "a reference to an actor of a wrong server": new Dressed(Kind.ActorRef, ["../a", "a"]),
    "a reference to an actor of a number": new Dressed(Kind.ActorRef, [5, "a"]),
    "a reference to an actor without a name": new Dressed(Kind.ActorRef, ["a", null]),
    "a reference to an actor that is a text": new Dressed(Kind.ActorRef, "ab"),
    "a text of bytes": new Dressed(Kind.Text, new Uint8Array(2)),
    "a text of nothing": new Dressed(Kind.Text, null),
    "halves of a text": new Dressed(Kind.Float16Array, "ab"),
    "an odd number of bytes for halves": new Dressed(Kind.Float16Array, new Uint8Array(3)),
    "a graph of nothing": new Dressed(Kind.Graph, null),
    "a graph of a text": new Dressed(Kind.Graph, "ab"),
    "a reference outside a graph": reference(0),
    "a reference outside a graph, in a list": [{ a: reference(0) }],
    "a reference outside the graph beside it": [graph({}), reference(0)],
    "a graph that is a reference": graph(reference(0)),
    "a reference deeper than it may be": graph([[reference(0)]]),
    "a reference beyond the end": graph([reference(1)]),
    "a reference before the start": graph([reference(-1)]),
    "a reference to half an object": graph([reference(0.5)]),
    "a reference to NaN": graph([reference(NaN)]),
    "a reference far beyond the end": graph([reference(2 ** 31)]),
    "a reference to a property of the list": graph([reference("length")]),
    "a reference to a method of the list": graph([reference("push")]),
    "a reference by an object": graph([reference({})]),
    "a reference to the prototype": graph({ a: reference("__proto__") }),
    "a reference in a wrong class": graph(new Date(), [new Date(), [reference(0)]]),
  };
  for (const [name, value] of Object.entries(refused)) assertRefused(frame(value), name);
  assertRefused(frame(1, [new Dressed(Kind.Reference, 0)]), "a reference as a field");
  assertSame(send({ fine: [-0] }), { fine: [-0] });
});

Deno.test("extensions that nobody here sends give nothing away", () => {
  const raw = (...message: number[]) => {
    const bytes = frame(0);
    return new Uint8Array([...bytes.subarray(0, -1), ...message]);
  };
  // Records of what the decoder's own structured clone means by an object and a pointer to it.
  assertRefused(raw(0xd6, 0x69, 0, 0, 0, 1, 0x91, 0xd6, 0x70, 0, 0, 0, 1), "a native cycle");
  assertRefused(raw(0xd6, 0x70, 0, 0, 0, 1), "a native pointer");
  assertRefused(raw(0xd4, 0x05, 0x00), "an unknown extension");
  assertRefused(raw(0xc7, 0x03, 0x74, 0x63, 1, 2), "an unknown kind of typed array");
  assertRefused(raw(0xd4, 0x78, 0x00, 0x92, 0xa1, 0x28, 0xa0), "a regular expression that is none");
});

Deno.test("a header that promises more than there is allocates nothing for it", () => {
  const before = heapSize();
  const bytes = frame(0).subarray(0, -1);
  const promises = [
    [0xdd, 0x01, 0xff, 0xff, 0xff],
    [0xdd, 0xff, 0xff, 0xff, 0xff],
    [0xdf, 0xff, 0xff, 0xff, 0xff],
    [0xdb, 0xff, 0xff, 0xff, 0xff],
    [0xc6, 0xff, 0xff, 0xff, 0xff],
    [0xc9, 0xff, 0xff, 0xff, 0xff, 0x74, 0x01],
    [0xd4, 0x01, 0x00, 0xdd, 0xff, 0xff, 0xff, 0xff],
  ];
  for (const promise of promises) {
    for (let i = 0; i < 100; i++) assertRefused(new Uint8Array([...bytes, ...promise]));
    const nested = Array.from({ length: 500 }, () => promise).flat();
    assertRefused(new Uint8Array([...bytes, ...nested]));
  }
  assert.ok(heapSize() - before < 256 * 1024 * 1024);
});

Deno.test("frames nested as deep as they are long are refused", () => {
  const levels = [[0x91], [0x81, 0xa1, 0x61], [0xd4, 0x01, 0x00, 0x92, 0x00], [0xd4, 0x73, 0x00]];
  for (const level of levels) {
    const bytes = new Uint8Array(1024 * 1024).map((_, i) => level[i % level.length]!);
    bytes.set([0x97], 0);
    assertRefused(bytes);
  }
  assertSame(send([1]), [1]);
});

const FRAME: fc.Arbitrary<Uint8Array> = VALUE.map((value) =>
  encodeEnvelope(envelopeOf(value)).slice()
);

function assertDecodesOrRefuses(bytes: Uint8Array): void {
  try {
    assert.ok(decode(bytes) instanceof Envelope);
  } catch (error) {
    assert.ok(error instanceof ProtocolError, Deno.inspect(error));
  }
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  assert.deepEqual(Object.keys(Object.prototype), []);
}

Deno.test("random bytes are an envelope or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assertDecodesOrRefuses(bytes);
      // The same behind a head that lets the decoder get further.
      assertDecodesOrRefuses(new Uint8Array([0x97, 0xa1, 0x61, 1, 4, 0xc0, 0xc0, 0, ...bytes]));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("frames with bits flipped, cut short or spliced are an envelope or refused", () => {
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
    { numRuns: 120 },
  );
});
