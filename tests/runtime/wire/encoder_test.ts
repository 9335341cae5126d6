import assert from "node:assert/strict";
import fc from "npm:fast-check@^4.10.2";
import { Envelope } from "../../../runtime/actor/messaging.ts";
import { type ActorId, ActorRef, MAX_ACTOR_NAME } from "../../../runtime/actor/references.ts";
import { ProtocolError } from "../../../runtime/errors.ts";
import { writeEnvelope } from "../../../runtime/wire/envelope_frames.ts";
import { UnsendableError } from "../../../runtime/wire/encoder.ts";
import {
  BYTES_PER_COSTLY_VALUE,
  COSTLY_VALUES,
  MAX_BIGINT,
  MAX_DEPTH,
  MAX_MESSAGE,
  MAX_PARTS,
  MAX_PATTERN,
} from "../../../runtime/wire/limits.ts";
import { Outbox } from "../../../runtime/wire/frames.ts";
import { PROPERTY_ESCAPE_COST } from "../../../runtime/wire/value_format.ts";
import { decodeEnvelope, encodeEnvelope } from "./single_frames.ts";
import { anyText } from "../../any_text.ts";

const SERVER = "sender";
const SOURCE = ActorRef.unchecked(SERVER, "asker");

const DEFAULTS = {
  dest: "dest",
  source: SOURCE,
  nonce: 4,
  replyTo: undefined,
  timeout: undefined,
};

function envelopeOf(message: unknown, fields: Partial<Envelope> = {}): Envelope {
  const { dest, source, nonce, replyTo, timeout } = { ...DEFAULTS, ...fields };
  return new Envelope(message, dest, source, nonce, replyTo, timeout, false, false);
}

/** The message as the receiver decodes it. */
function send(message: unknown): unknown {
  return decodeEnvelope(encodeEnvelope(envelopeOf(message)), { source: SERVER }).message;
}

function assertUnsendable(message: unknown, about: RegExp): void {
  assert.throws(() => encodeEnvelope(envelopeOf(message)), (error) => {
    if (!(error instanceof ProtocolError)) throw error;
    assert.match(error.message, about);
    return true;
  });
  assert.deepStrictEqual(send(["fine"]), ["fine"]);
}

/**
 * Values that a program might send by mistake. They are made for each test, because reading changes
 * some of them.
 */
const ODD: fc.Arbitrary<() => unknown> = fc.constantFrom<() => unknown>(
  () => () => 1,
  () => Symbol("s"),
  () => ActorRef.unchecked("" as string, "a"),
  () => ActorRef.unchecked("../a" as string, "a"),
  () => ActorRef.unchecked(undefined as never, "a"),
  () => ActorRef.unchecked(SERVER, undefined as never),
  () => ActorRef.unchecked(SERVER, {} as never),
  () => ActorRef.unchecked(SERVER, "x".repeat(MAX_ACTOR_NAME + 1)),
  () => ActorRef.unchecked(SERVER, NaN),
  () => ActorRef.unchecked(SERVER, "\ud800"),
  () => Object.create(Date.prototype),
  () => Object.create(Map.prototype),
  () => Object.create(RegExp.prototype),
  () => Object.create(Error.prototype),
  () => Object.create(Uint8Array.prototype),
  () => Object.create(ActorRef.prototype),
  () => Object.create(Boolean.prototype),
  () => Object.setPrototypeOf([1, 2], null),
  () => new Proxy([1, { a: 2 }], {}),
  () => new Proxy(new Map([[1, 2]]), {}),
  () => Proxy.revocable({}, {}).revoke(),
  () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  () => new Proxy({}, { ownKeys: () => ["a"], getOwnPropertyDescriptor: () => undefined }),
  () => Object.assign(new Error("x"), { name: Symbol("n") }),
  () => Object.assign(new Error("x"), { name: { toString: () => "\ud800" }, stack: 5 }),
  () => new AggregateError([1], "x", { cause: new Error("y") }),
  () => ({
    get a(): never {
      throw "a text";
    },
  }),
  () => {
    const map = new Map<number, unknown>();
    return map.set(1, {
      get a() {
        return map.set(map.size + 1, 1).size;
      },
    });
  },
  () => {
    const list: unknown[] = [{
      get a() {
        return list.push(1);
      },
    }, 2];
    return list;
  },
  () => {
    const record: Record<string, unknown> = {
      get a() {
        return delete record.b;
      },
      b: 1,
    };
    return record;
  },
  () =>
    new (class extends RegExp {
      override get source() {
        return "(";
      }
    })("a"),
  () =>
    new (class extends Number {
      override valueOf() {
        return {} as number;
      }
    })(1),
  () =>
    new (class extends Map<number, number> {
      override get size() {
        return 99;
      }
    })([[1, 2]]),
  () =>
    new (class extends Set<number> {
      override *[Symbol.iterator](): SetIterator<number> {}
    })([1]),
  () => new Uint8Array(new ArrayBuffer(4, { maxByteLength: 8 }), 1, 2),
  () => {
    const buffer = new ArrayBuffer(4, { maxByteLength: 8 });
    const view = new Uint8Array(buffer, 2, 2);
    buffer.resize(1);
    return view;
  },
  () => {
    const buffer = new ArrayBuffer(4);
    const view = new DataView(buffer);
    buffer.transfer();
    return [view, buffer];
  },
  () => new Array(70_000),
  () => Object.assign(new Array(3), { extra: 1 }),
  () => 1n << BigInt(8 * MAX_BIGINT),
  () => (1n << BigInt(8 * MAX_BIGINT)) - 1n,
  () => new RegExp("a".repeat(MAX_PATTERN)),
  () => new RegExp("a".repeat(MAX_PATTERN + 1)),
  () => /\p{RGI_Emoji}/v,
  () => /[\p{L}--\p{Lu}]/v,
  () => new RegExp("\ud800"),
  () => new RegExp("\n/"),
  () => Array.from({ length: COSTLY_VALUES + 1 }, () => /a/),
  () => globalThis,
  () => new URL("http://a/b"),
  () => new Headers(),
  () => Promise.resolve(),
  () => (function* () {})(),
  () => structuredClone,
  () => document,
);

const document = { deep: { list: [1, [2, [3]]] } };

/** Unusual values, alone and inside others. */
const NESTED: fc.Arbitrary<() => unknown> = fc.letrec<{ value: () => unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthIdentifier: "n" },
    ODD,
    fc.anything().map((value) => () => value),
    tie("value").map((make) => () => [1, make()]),
    tie("value").map((make) => () => ({ a: 1, b: make() })),
    fc.tuple(tie("value"), tie("value")).map(([key, value]) => () => new Map([[key(), value()]])),
    tie("value").map((make) => () => new Set([make()])),
    tie("value").map((make) => () => new Error("m", { cause: make() })),
    tie("value").map((make) => () => {
      const cycle: Record<string, unknown> = { odd: make() };
      return Object.assign(cycle, { cycle });
    }),
  ),
})).value;

Deno.test("writeEnvelope refuses a value or writes one that can be read", () => {
  let [sent, refused] = [0, 0];
  fc.assert(
    fc.property(NESTED, (make) => {
      let bytes: Uint8Array;
      try {
        bytes = encodeEnvelope(envelopeOf(make()));
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        refused++;
        return;
      }
      decodeEnvelope(bytes, { source: SERVER });
      sent++;
    }),
    { numRuns: 300 },
  );
  assert.ok(sent > 25 && refused > 25, `${sent} sent, ${refused} refused`);
});

Deno.test("writeEnvelope refuses fields or writes ones that can be read", () => {
  const number = fc.oneof(
    fc.integer(),
    fc.double(),
    fc.constantFrom(undefined, NaN, Infinity, -0, 2 ** 53, 0.5),
    // Values that untyped JavaScript can pass.
    fc.constantFrom(null, "5", "x", {}, 5n, true) as fc.Arbitrary<unknown> as fc.Arbitrary<
      undefined
    >,
  );
  const id = fc.oneof(
    number,
    anyText({ maxLength: 200 }),
    fc.anything(),
  ) as fc.Arbitrary<ActorId>;
  fc.assert(
    fc.property(id, id, number, number, number, (dest, actor, nonce, replyTo, timeout) => {
      const source = ActorRef.unchecked(SERVER, actor);
      const envelope = envelopeOf(1, { dest, source, nonce: nonce!, replyTo, timeout });
      const outbox = new Outbox();
      try {
        writeEnvelope(outbox, envelope);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        assert.equal(outbox.size, 0);
        return;
      }
      const bytes = outbox.take();
      if (bytes.length === 0) return assert.ok(timeout! < 1000, `${timeout}`);
      const read = decodeEnvelope(bytes, { start: 4, source: SERVER });
      assert.deepEqual(
        [read.dest, read.source, read.nonce, read.replyTo],
        [envelope.dest, source, nonce, replyTo],
      );
      assert.equal(
        read.timeout === undefined,
        timeout === undefined || timeout === Infinity,
      );
    }),
    { numRuns: 300 },
  );
});

Deno.test("writeEnvelope describes an invalid reference, with its position", () => {
  const noServer = /^cannot send a reference to an actor that has no valid server id, at to\.0$/;
  const noActor =
    /^cannot send a reference to an actor that has no name or serial number, at to\.0$/;
  for (const server of ["", "../a", "a b", undefined, 5, {}]) {
    assertUnsendable({ to: [ActorRef.unchecked(server as string, "a")] }, noServer);
  }
  for (const actor of [undefined, null, {}, true, 1n, "x".repeat(MAX_ACTOR_NAME + 1)]) {
    assertUnsendable({ to: [ActorRef.unchecked(SERVER, actor as string)] }, noActor);
    assert.throws(() => encodeEnvelope(envelopeOf(1, { dest: actor as string })), UnsendableError);
  }
});

Deno.test("writeEnvelope refuses an array with too many holes, without looking at them", () => {
  let read = 0;
  const list = new Proxy(new Array(2 ** 32 - 1), {
    get(target, key, receiver) {
      if (typeof key === "string" && /^\d+$/.test(key)) read++;
      return Reflect.get(target, key, receiver);
    },
  });
  assertUnsendable({ list }, /^the message has too many parts: /);
  assert.equal(read, 0);
  assertUnsendable(new Array(MAX_PARTS + 1), /^the message has too many parts: /);
  assert.equal((send(new Array(1_000_000)) as unknown[]).length, 1_000_000);
});

Deno.test("writeEnvelope counts an object once, however many refer to it, when a tree would be too large", () => {
  let list: unknown[] = [];
  for (let i = 0; i < 200; i++) list = [list, list];
  let received = send({ list }) as { list: unknown[] } | unknown[];
  received = (received as { list: unknown[] }).list;
  for (let i = 0; i < 200; i++) received = (received as unknown[][])[i % 2]!;
  assert.deepEqual(received, []);
});

Deno.test("writeEnvelope sends large numbers of small objects as a tree", () => {
  const records = Array.from({ length: 1_000_000 }, (_, id) => ({ id, odd: id % 2 === 1 }));
  const received = send(records) as typeof records;
  assert.equal(received.length, records.length);
  assert.deepStrictEqual(received[999_999], records[999_999]);
  // In a graph, equal references stay equal.
  const shared = {};
  const [one, other] = send([shared, shared, records]) as object[];
  assert.notEqual(one, other);
});

Deno.test("writeEnvelope bounds integers and regular expressions", () => {
  const largest = (1n << BigInt(8 * MAX_BIGINT)) - 1n;
  for (const value of [largest, -largest]) assert.ok(send(value) === value);
  assertUnsendable({ a: largest + 1n }, /^cannot send a BigInt of more than 65536 bytes, at a$/);
  assertUnsendable([-largest - 1n], /^cannot send a BigInt of more than 65536 bytes, at 0$/);
  assert.deepEqual(send(new RegExp("a".repeat(MAX_PATTERN))), new RegExp("a".repeat(MAX_PATTERN)));
  assertUnsendable(new RegExp("a".repeat(MAX_PATTERN + 1)), /^cannot send a regular expression/);
  assertUnsendable(
    [/^\p{RGI_Emoji}$/v],
    /^cannot send a regular expression with a property of strings/,
  );
});

Deno.test("writeEnvelope bounds errors and regular expressions by the size of the message", () => {
  const many = (length: number) => Array.from({ length }, () => Object.assign(/a/));
  assert.equal((send(many(COSTLY_VALUES)) as unknown[]).length, COSTLY_VALUES);
  assertUnsendable(many(2 * COSTLY_VALUES), /^the message has too many errors or regular/);
  const padding = new Uint8Array(COSTLY_VALUES * BYTES_PER_COSTLY_VALUE);
  assert.equal((send([many(2 * COSTLY_VALUES), padding]) as unknown[]).length, 2);
  const escapes = (count: number) => new RegExp("\\p{L}".repeat(count), "u");
  const most = COSTLY_VALUES / PROPERTY_ESCAPE_COST - 1;
  assert.deepEqual(send(escapes(most)), escapes(most));
  assertUnsendable(escapes(most + 3), /^the message has too many errors or regular/);
  // Errors with stacks are long enough that any number of them is allowed.
  const errors = Array.from({ length: 2000 }, (_, i) => new RangeError(`error ${i}`));
  assert.equal((send(errors) as Error[])[1999]!.message, "error 1999");
});

Deno.test("writeEnvelope writes a message of the largest size, and refuses a larger one", () => {
  const overhead = encodeEnvelope(envelopeOf(new Uint8Array())).length;
  const largest = new Uint8Array(MAX_MESSAGE - overhead);
  assert.equal((send(largest) as Uint8Array).length, largest.length);
  assertUnsendable(new Uint8Array(MAX_MESSAGE - overhead + 1), /^the message is too large: /);
  const text = "x".repeat(MAX_MESSAGE - overhead + 1);
  assert.ok(send(text) === text);
  assertUnsendable(text + "xx", /^the message is too large: /);
  assertUnsendable("ü".repeat(MAX_MESSAGE / 2), /^the message is too large: /);
  assertUnsendable("\ud800".repeat(MAX_MESSAGE / 2), /^the message is too large: /);
});

Deno.test("writeEnvelope writes an object once if the message would be too large with it twice", () => {
  const large = new Uint8Array(MAX_MESSAGE / 2);
  const [one, other, ...rest] = send([large, large, "x"]) as unknown[];
  assert.equal((one as Uint8Array).length, large.length);
  assert.equal(one === other, true);
  assert.deepEqual(rest, ["x"]);
  const texts = Array(3).fill("x".repeat(MAX_MESSAGE / 2));
  assertUnsendable(texts, /^the message is too large: /);
});

Deno.test("writeEnvelope reserves no room for a message that is too large", () => {
  let largest = 0;
  const outbox = new (class extends Outbox {
    override grow(used: number, needed: number) {
      largest = Math.max(largest, needed);
      return super.grow(used, needed);
    }
  })();
  const large = new Uint8Array(MAX_MESSAGE + 1);
  for (
    const message of [
      large,
      large.buffer,
      [new Float64Array(large.buffer.slice(1))],
      "x".repeat(MAX_MESSAGE + 1),
    ]
  ) {
    assert.throws(() => writeEnvelope(outbox, envelopeOf(message)), ProtocolError);
  }
  assert.ok(largest < MAX_MESSAGE, `${largest}`);
});

Deno.test("writeEnvelope leaves the outbox unchanged when a message fails", () => {
  const outbox = new Outbox();
  writeEnvelope(outbox, envelopeOf("first"));
  const { size } = outbox;
  for (const message of [["x".repeat(100_000), () => 1], new Uint8Array(MAX_MESSAGE), Symbol()]) {
    assert.throws(() => writeEnvelope(outbox, envelopeOf(message)), ProtocolError);
    assert.equal(outbox.size, size);
  }
  writeEnvelope(outbox, envelopeOf("second"));
  const bytes = outbox.take().slice();
  const messages = [[4, size], [size + 4, bytes.length]].map(([start, end]) =>
    decodeEnvelope(bytes, { start: start!, end: end!, source: SERVER }).message
  );
  assert.deepEqual(messages, ["first", "second"]);
});

Deno.test("writeEnvelope refuses a message whose getter sends another", () => {
  const [outer, inner] = [new Outbox(), new Outbox()];
  const message = {
    get a() {
      writeEnvelope(inner, envelopeOf(1));
      return 1;
    },
  };
  assert.throws(() => writeEnvelope(outer, envelopeOf(message)), ProtocolError);
  assert.deepEqual([outer.size, inner.size], [0, 0]);
  writeEnvelope(outer, envelopeOf(1));
});

Deno.test("writeEnvelope writes a value of any depth in a form that can be read", () => {
  for (const depth of [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, MAX_DEPTH + 2, 3000]) {
    let value: unknown = "bottom";
    for (let i = 0; i < depth; i++) value = i % 2 ? [value] : { value };
    let received = send(value);
    for (let i = depth - 1; i >= 0; i--) {
      received = i % 2 ? (received as unknown[])[0] : (received as { value: unknown }).value;
    }
    assert.equal(received, "bottom", `${depth}`);
  }
});

Deno.test("writeEnvelope counts a message again when it becomes a graph", () => {
  // Written as a tree, it would exceed the number of costly values long before the depth limit.
  const pattern = /a/;
  let value: unknown = [pattern];
  for (let i = 0; i < 3000; i++) value = [value, pattern];
  const received = send(value) as unknown[];
  assert.deepEqual(received[1], pattern);
});
