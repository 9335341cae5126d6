import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "npm:fast-check@^4.10.2";
import { Envelope } from "../../../runtime/actor/messaging.ts";
import { type ActorId, ActorRef } from "../../../runtime/actor/references.ts";
import { ProtocolError } from "../../../runtime/errors.ts";
import { writeEnvelope } from "../../../runtime/wire/envelope_frames.ts";
import { takeBuffer } from "../../../runtime/wire/buffers.ts";
import { Outbox } from "../../../runtime/wire/frames.ts";
import { MAX_FRAME, MAX_MESSAGE, PIECE } from "../../../runtime/wire/limits.ts";
import { isPiece, PieceReader } from "../../../runtime/wire/pieces.ts";
import { moveClock } from "../../fake_clock.ts";
import {
  concatenate,
  firstPiece,
  nextPiece,
  pieces,
  rogueBody,
  rogueFrame,
} from "../../rogue_peer.ts";
import { Arrivals, encodeEnvelope } from "./single_frames.ts";

const MIB = 1024 * 1024;
const SERVER = "sender";

/** The actors of a message, and its timeout in ms. */
interface Sending {
  readonly dest?: ActorId;
  readonly source?: ActorId;
  readonly timeout?: number;
}

function envelopeOf(message: unknown, options: Sending = {}): Envelope {
  const { dest = "dest", source = "source", timeout } = options;
  const sender = ActorRef.unchecked(SERVER, source);
  return new Envelope(message, dest, sender, 3, undefined, timeout, false, false);
}

/** An outbox, and the server that receives what is taken out of it. */
class Wire {
  readonly outbox = new Outbox();
  readonly #arrivals = new Arrivals();

  send(message: unknown, options?: Sending): void {
    writeEnvelope(this.outbox, envelopeOf(message, options));
  }

  /** The bodies of the frames of the next write. */
  take(): Uint8Array[] {
    const bytes = this.outbox.take();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const bodies: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const start = at + 4;
      at = start + view.getUint32(at);
      bodies.push(bytes.slice(start, at));
    }
    return bodies;
  }

  /** Receives the next write, and returns what is complete. */
  receive(): Envelope[] {
    return this.take().flatMap((body) => this.#arrivals.take(body, SERVER) ?? []);
  }

  /** Receives everything. */
  receiveAll(): Envelope[] {
    const got: Envelope[] = [];
    while (this.outbox.size > 0) got.push(...this.receive());
    return got;
  }
}

/** A message of about `length` bytes that says which one it is. */
function large(name: string, length = MIB): { name: string; bytes: Uint8Array } {
  return { name, bytes: new Uint8Array(length) };
}

/** The names of messages, of which small ones are just their names. */
function namesOf(envelopes: readonly Envelope[]): string[] {
  return envelopes.map(({ message }) =>
    typeof message === "string" ? message : (message as { name: string }).name
  );
}

Deno.test("Outbox writes a message as large as a frame in one, and a larger one in pieces", () => {
  const overhead = encodeEnvelope(envelopeOf(new Uint8Array(1000))).length - 1000;
  const wire = new Wire();
  wire.send(new Uint8Array(MAX_FRAME - overhead));
  assert.deepEqual(wire.take().map(({ length }) => length), [MAX_FRAME]);
  assert.equal(wire.outbox.size, 0);

  wire.send(new Uint8Array(MAX_FRAME - overhead + 1));
  assert.equal(wire.outbox.size, MAX_FRAME + 1);
  let bytes = 0;
  for (let count = 0; wire.outbox.size > 0; count++) {
    const [body, ...others] = wire.take();
    assert.deepEqual(others, []);
    assert.ok(isPiece(body!, 0));
    assert.equal(body![0], count === 0 ? 0 : 1);
    assert.ok(body!.length <= PIECE + 2, `${body!.length}`);
    bytes += body!.length - (count === 0 ? 14 : 2);
  }
  assert.equal(bytes, MAX_FRAME + 1);
});

Deno.test("the first piece says how long the message is, and where its payload is", () => {
  const wire = new Wire();
  const payload = new Uint8Array(MIB).fill(7);
  wire.send({ before: new Uint8Array(MAX_FRAME + 1), payload, after: "x".repeat(1000) });
  const whole = encodeEnvelope(
    envelopeOf({ before: new Uint8Array(MAX_FRAME + 1), payload, after: "x".repeat(1000) }),
  );
  const first = wire.take()[0]!;
  const view = new DataView(first.buffer);
  assert.equal(view.getUint16(0, true), 0);
  assert.equal(view.getUint32(2, true), whole.length);
  const offset = view.getUint32(6, true);
  assert.equal(view.getUint32(10, true), payload.length);
  assert.ok(whole.subarray(offset, offset + MIB).every((byte) => byte === 7));
  assert.notEqual(whole[offset - 1], 7);
});

Deno.test("values of all kinds arrive in pieces as they were", () => {
  const bytes = new Uint8Array(MIB).map((_, i) => i * 31);
  const { buffer } = bytes;
  const cycle: Record<string, unknown> = { bytes };
  cycle.self = cycle;
  const values: unknown[] = [
    bytes,
    buffer,
    new DataView(buffer),
    new Float64Array(buffer),
    new BigInt64Array(buffer),
    new Uint8ClampedArray(buffer),
    bytes.subarray(3, MIB - 1),
    "x".repeat(MIB),
    "ü".repeat(MIB),
    "\ud800".repeat(MIB / 2),
    [bytes, "between", new Uint8Array(MIB + 1), bytes],
    new Map([[1, { deep: [[bytes]] }]]),
    Array.from({ length: 100_000 }, (_, i) => ({ i })),
    cycle,
    new Error("large", { cause: bytes }),
  ];
  const wire = new Wire();
  for (const value of values) {
    wire.send(value);
    const [envelope, ...others] = wire.receiveAll();
    assert.deepEqual(others, []);
    assert.deepEqual(envelope!.message, value);
    assert.deepEqual([envelope!.dest, envelope!.source.actor], ["dest", "source"]);
  }
});

Deno.test("a payload is received into a buffer of its own", () => {
  const wire = new Wire();
  wire.send([new Uint8Array(MIB).fill(1), "x".repeat(100)]);
  const [bytes] = wire.receiveAll()[0]!.message as [Uint8Array];
  assert.equal(bytes.byteOffset, 0);
  assert.equal(bytes.buffer.byteLength, MIB);
});

Deno.test("messages between other actors go between the pieces of a large one", () => {
  const wire = new Wire();
  wire.send(large("large", 8 * MIB), { dest: "other" });
  const got: string[] = [];
  for (let i = 0; i < 20; i++) {
    wire.send(`small ${i}`);
    got.push(...namesOf(wire.receive()), ...namesOf(wire.receive()));
  }
  assert.deepEqual(got, Array.from({ length: 20 }, (_, i) => `small ${i}`));
  assert.deepEqual(namesOf(wire.receiveAll()), ["large"]);
});

Deno.test("a heartbeat goes between the pieces of a large message", () => {
  const wire = new Wire();
  wire.send(large("large"));
  wire.take();
  wire.outbox.add(new Uint8Array());
  const lengths = [wire.take(), wire.take()].flat().map(({ length }) => length);
  assert.ok(lengths.includes(0), `${lengths}`);
});

Deno.test("messages between the same actors stay in order with a large one", () => {
  const wire = new Wire();
  wire.send("1");
  wire.send(large("2"));
  wire.send("3");
  wire.send(large("4", 2 * MIB));
  wire.send("5");
  wire.send(large("6"));
  wire.send("7");
  wire.send("other", { source: "another" });
  const got = namesOf(wire.receiveAll());
  assert.deepEqual(got.filter((name) => name !== "other"), ["1", "2", "3", "4", "5", "6", "7"]);
  assert.ok(got.indexOf("other") < 2, `${got}`);
  assert.equal(wire.outbox.messagesTaken, 8);
});

Deno.test("a large message does not overtake frames that were added before it", () => {
  const wire = new Wire();
  // So many that they take more writes than the large message has pieces.
  const before = Array.from({ length: 40 }, (_, i) => `before ${i}`);
  for (const name of before) wire.send({ name, bytes: new Uint8Array(MAX_FRAME / 2) });
  wire.send(large("large", MAX_FRAME + 1));
  assert.deepEqual(namesOf(wire.receiveAll()), [...before, "large"]);
});

Deno.test("a large message does not overtake what waited for the one before it", () => {
  const wire = new Wire();
  wire.send(large("first", MAX_FRAME + 1));
  wire.send("second");
  wire.send(large("third", MAX_FRAME + 1));
  for (let i = 0; i < 40; i++) {
    wire.send({ name: "busy", bytes: new Uint8Array(MAX_FRAME / 2) }, { dest: "busy" });
  }
  const got = namesOf(wire.receiveAll()).filter((name) => name !== "busy");
  assert.deepEqual(got, ["first", "second", "third"]);
});

Deno.test("an actor with a name and a serial number is not overtaken under the other one", () => {
  const wire = new Wire();
  wire.send(large("first"), { dest: 7 });
  wire.send("second", { dest: "name" });
  wire.send(large("third"), { dest: "name" });
  wire.send("fourth", { dest: 7 });
  // This one is another actor.
  wire.send("other", { dest: 8, source: "another" });
  const got = namesOf(wire.receiveAll()).filter((name) => name !== "other");
  assert.deepEqual(got, ["first", "second", "third", "fourth"]);
});

Deno.test("the news that an actor has ended does not overtake its large messages", () => {
  const wire = new Wire();
  wire.send(large("result"), { source: "worker" });
  wire.send(large("of another"), { source: "another" });
  wire.send("end", { source: "worker", dest: "server" });
  // By its serial number. It may be that of the worker.
  wire.send("end, too", { source: 7, dest: "server" });
  wire.send("ping", { source: "server", dest: "server" });
  const got = namesOf(wire.receiveAll());
  assert.deepEqual(got, ["ping", "result", "end", "of another", "end, too"]);
});

Deno.test("messages of any sizes between any actors arrive once, in order for each two", () => {
  const sending = fc.record({
    dest: fc.constantFrom("a", "b", 1),
    source: fc.constantFrom("x", "y"),
    size: fc.constantFrom(0, 10, 70_000, MAX_FRAME, MAX_FRAME + 1000, 700_000),
    takes: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(sending, { maxLength: 40 }), (sendings) => {
      const wire = new Wire();
      const got: Envelope[] = [];
      for (const [n, { dest, source, size, takes }] of sendings.entries()) {
        wire.send({ n, bytes: new Uint8Array(size) }, { dest, source });
        for (let i = 0; i < takes; i++) got.push(...wire.receive());
      }
      got.push(...wire.receiveAll());
      assert.equal(got.length, sendings.length);
      assert.equal(wire.outbox.messagesTaken, sendings.length);
      for (const one of sendings.keys()) {
        const { dest, source, size } = sendings[one]!;
        const at = got.findIndex(({ message }) => (message as { n: number }).n === one);
        const { message } = got[at]!;
        assert.equal((message as { bytes: Uint8Array }).bytes.length, size);
        for (const later of got.slice(0, at)) {
          const { n } = later.message as { n: number };
          if (n < one || later.source.actor !== source) continue;
          assert.notEqual(later.dest, dest);
        }
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("a large message that has expired at its turn is dropped, and what follows it is sent", () => {
  const wire = new Wire();
  wire.send(large("first"));
  wire.send(large("expired"), { timeout: 1000 });
  wire.send("after");
  wire.send("expired, too", { timeout: 1000 });
  wire.send(large("lasting"), { timeout: 600_000 });
  wire.take();
  using _ = moveClock(300_000);
  wire.take();
  const rest: Uint8Array[] = [];
  while (wire.outbox.size > 0) rest.push(...wire.take());
  // The first one is cut short here, since its first pieces were not received.
  const arrivals = new Arrivals();
  const from = rest.findIndex((body) => body.length > 1 && !isPiece(body, 0));
  const got = rest.slice(from).flatMap((body) => arrivals.take(body, SERVER) ?? []);
  assert.deepEqual(namesOf(got), ["after", "lasting"]);
  const { timeout } = got[1]!;
  assert.ok(timeout! > 200_000 && timeout! <= 300_000, `${timeout}`);
  assert.equal(wire.outbox.messagesTaken, 3);
});

Deno.test("a large message that has begun is sent to its end, also when it expires", () => {
  const wire = new Wire();
  wire.send(large("begun"), { timeout: 1000 });
  assert.deepEqual(wire.receive(), []);
  using _ = moveClock(300_000);
  assert.deepEqual(namesOf(wire.receiveAll()), ["begun"]);
});

Deno.test("Outbox forgets large messages when it is cleared, and stays usable", () => {
  const wire = new Wire();
  wire.send(large("lost"));
  wire.send("lost, too");
  const piece = wire.outbox.take();
  const copy = piece.slice();
  wire.outbox.clear();
  assert.equal(wire.outbox.size, 0);
  assert.equal(wire.outbox.take().length, 0);
  wire.send("not behind it");
  wire.send(large("next"));
  // The bytes that were taken out may still be in use.
  assert.deepEqual(piece, copy);
  assert.deepEqual(namesOf(wire.receiveAll()), ["not behind it", "next"]);
});

Deno.test("Outbox gives the buffer of a large message back when its last piece is written", () => {
  const { outbox } = new Wire();
  const last = () => {
    writeEnvelope(outbox, envelopeOf(large("any", 5 * MIB)));
    let bytes = outbox.take();
    while (outbox.size > 0) bytes = outbox.take();
    return bytes.buffer;
  };
  const used = last();
  // It is still being written.
  const other = takeBuffer(used.byteLength);
  assert.equal(other.buffer === used, false);
  outbox.rest();
  assert.equal(last() === used, true);
});

Deno.test("a changed message does not change what is sent of it", () => {
  const wire = new Wire();
  const bytes = new Uint8Array(MIB).fill(1);
  wire.send({ bytes });
  wire.receive();
  bytes.fill(2);
  const { message } = wire.receiveAll()[0]!;
  assert.ok((message as { bytes: Uint8Array }).bytes.every((byte) => byte === 1));
});

/** Takes pieces until one is complete or refused. */
function takeAll(bodies: readonly Uint8Array[], reader = new PieceReader()): boolean {
  return bodies.some((body) => reader.take(body, 0, body.length));
}

const TOTAL = MAX_FRAME + 1000;
const SOME = new Uint8Array(1000);

const MALFORMED: Record<string, [bodies: Uint8Array[], reason: RegExp]> = {
  "a piece of no message": [[nextPiece(SOME)], /a piece of no message$/],
  "a large message inside another": [
    [firstPiece({ total: TOTAL }, SOME), firstPiece({ total: TOTAL }, SOME)],
    /a large message inside another$/,
  ],
  "a total that is too small": [
    [firstPiece({ total: MAX_FRAME }, SOME)],
    /a large message of 262144 bytes; it must have more than 262144, and at most 67108864$/,
  ],
  "a total that is too large": [
    [firstPiece({ total: MAX_MESSAGE + 1 }, SOME)],
    /a large message of 67108865 bytes; /,
  ],
  "the largest total": [[firstPiece({ total: 2 ** 32 - 1 }, SOME)], / of 4294967295 bytes; /],
  "a first piece without all its numbers": [
    [firstPiece({ total: TOTAL }).subarray(0, 13)],
    /a piece that ends too early$/,
  ],
  "an empty first piece": [[firstPiece({ total: TOTAL })], /an empty piece$/],
  "an empty piece": [[firstPiece({ total: TOTAL }, SOME), nextPiece(new Uint8Array())], /empty/],
  "more than was announced": [
    [firstPiece({ total: TOTAL }, SOME), nextPiece(new Uint8Array(TOTAL - 999))],
    /more pieces than announced$/,
  ],
  "more than was announced, at once": [
    [firstPiece({ total: TOTAL }, new Uint8Array(TOTAL + 1))],
    /more pieces than announced$/,
  ],
  "a payload beyond the message": [
    [firstPiece({ total: TOTAL, payload: { offset: TOTAL, length: 1 } }, SOME)],
    /a payload beyond the message$/,
  ],
  "a payload as long as numbers go": [
    [firstPiece({ total: TOTAL, payload: { offset: 2 ** 32 - 1, length: 2 ** 32 - 1 } }, SOME)],
    /a payload beyond the message$/,
  ],
};

for (const [what, [bodies, reason]] of Object.entries(MALFORMED)) {
  Deno.test(`PieceReader refuses ${what}`, () => {
    assert.throws(() => takeAll(bodies), (error: Error) => {
      assert.ok(error instanceof ProtocolError);
      assert.match(error.message, /^malformed frame: /);
      assert.match(error.message, reason);
      return true;
    });
  });
}

Deno.test("a payload that is not the bytes of a binary value is refused", () => {
  const message = { text: "x".repeat(MAX_FRAME), bytes: new Uint8Array(MAX_FRAME).fill(1) };
  const envelope = rogueFrame({ dest: "dest" }, rogueBody(message));
  const { length } = message.bytes;
  const offset = envelope.length - length;
  const take = (payload: { offset: number; length: number }) => {
    const arrivals = new Arrivals();
    return pieces(envelope, { payload }).map((body) => arrivals.take(body, SERVER)).at(-1);
  };
  assert.deepEqual(take({ offset, length })!.message, message);
  // None: the sender need not name it.
  assert.deepEqual(take({ offset: 0, length: 0 })!.message, message);
  for (
    const payload of [
      { offset: 0, length },
      { offset: 0, length: envelope.length },
      { offset: 1, length: 1 },
      { offset: offset + 1, length: length - 1 },
      { offset, length: length - 1 },
      { offset: offset - 1, length },
      { offset: offset - 5, length },
      { offset: 100, length: MAX_FRAME },
    ]
  ) assert.throws(() => take(payload), ProtocolError, Deno.inspect(payload));
});

/** The sizes of the byte arrays that are made meanwhile. */
function watchAllocations(): { sizes: number[] } & Disposable {
  const { Uint8Array } = globalThis;
  const sizes: number[] = [];
  globalThis.Uint8Array = new Proxy(Uint8Array, {
    construct(target, parameters, newTarget) {
      if (typeof parameters[0] === "number") sizes.push(parameters[0]);
      return Reflect.construct(target, parameters, newTarget);
    },
  });
  return { sizes, [Symbol.dispose]: () => void (globalThis.Uint8Array = Uint8Array) };
}

Deno.test("PieceReader reserves little for a message of which little has come", () => {
  const piece = nextPiece(new Uint8Array(1000));
  for (const payload of [{ offset: 100, length: 60 * MIB }, { offset: 0, length: 0 }]) {
    const reader = new PieceReader();
    const first = firstPiece({ total: MAX_MESSAGE, payload }, new Uint8Array(1000));
    using watched = watchAllocations();
    reader.take(first, 0, first.length);
    assert.deepEqual(watched.sizes.filter((size) => size > 2 * MIB), []);
    for (let i = 0; i < 100; i++) reader.take(piece, 0, piece.length);
    const reserved = Math.max(...watched.sizes);
    // The buffers of the pool have a power of two.
    assert.ok(reserved > 1000 && reserved <= 2 * 64 * 101_000, `${reserved}`);
  }
});

Deno.test("PieceReader reads pieces of any sizes, one message after the other", () => {
  const reader = new PieceReader();
  const content = new Uint8Array(MAX_FRAME + 5000).map((_, i) => i * 7);
  fc.assert(
    fc.property(
      fc.nat(content.length),
      fc.nat(content.length),
      fc.integer({ min: 500, max: 100_000 }),
      (one, other, size) => {
        const offset = Math.min(one, other);
        const payload = { offset, length: Math.max(one, other) - offset };
        const bodies = pieces(content, { size, payload });
        assert.equal(takeAll(bodies.slice(0, -1), reader), false);
        assert.equal(reader.pending, true);
        assert.equal(takeAll(bodies.slice(-1), reader), true);
        const got = reader.finish();
        assert.equal(reader.pending, false);
        assert.equal(got.offset, offset);
        const joined = concatenate([
          got.envelope.subarray(0, offset),
          got.payload,
          got.envelope.subarray(offset, got.length),
        ]);
        assert.ok(Buffer.from(content.buffer).equals(joined));
        assert.equal(got.payload.length, payload.length);
      },
    ),
    { numRuns: 60, examples: [[0, 0, 1000], [0, content.length, 1000]] },
  );
});
