/**
 * `docs/protocol.md`: its vectors against this implementation, and against a peer in Python that was
 * written from that page alone.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { Envelope, type TraceContext } from "../../runtime/actor/messaging.ts";
import { type ActorId, ActorRef } from "../../runtime/actor/references.ts";
import { ProtocolError } from "../../runtime/errors.ts";
import { writeEnvelope } from "../../runtime/wire/envelope_frames.ts";
import { Outbox } from "../../runtime/wire/frames.ts";
import { BINARY_CLASSES } from "../../runtime/wire/value_format.ts";
import { concatenate, rogueBody, rogueFrame } from "../rogue_peer.ts";
import { testWith } from "../requirements.ts";
import { anyPort, LocalEnsemble } from "../runtime/server/local_ensemble.ts";
import { Arrivals } from "../runtime/wire/single_frames.ts";
import vectors from "./vectors.json" with { type: "json" };

/** A value that JSON does not have. */
interface Special {
  readonly $: string;
  // deno-lint-ignore no-explicit-any
  readonly [part: string]: any;
}

/** Bytes in hexadecimal digits, or digits and how often they are repeated. */
type Digits = string | readonly (readonly (string | number)[])[];

function bytesOf(digits: Digits): Uint8Array<ArrayBuffer> {
  if (typeof digits === "string") return Uint8Array.fromHex(digits);
  return concatenate(
    digits.map(([part, times]) => Uint8Array.fromHex((part as string).repeat(times as number))),
  ) as Uint8Array<ArrayBuffer>;
}

/** Makes objects, first without their contents, since they may refer to each other. */
class Maker {
  readonly #objects: unknown[] = [];

  make(value: unknown): unknown {
    if (value === null || typeof value !== "object") return value;
    if ("$" in value && value.$ === "graph") {
      const { objects } = value as Special;
      for (const each of objects) this.#objects.push(this.#head(each));
      for (const [i, each] of objects.entries()) this.#fill(this.#objects[i], each);
      return this.#objects[0];
    }
    const made = this.#head(value);
    this.#fill(made, value);
    return made;
  }

  #head(value: object): unknown {
    if (Array.isArray(value)) return [];
    const special = value as Special;
    switch (special.$) {
      case "record":
        return {};
      case "map":
        return new Map();
      case "set":
        return new Set();
      case "undefined":
        return undefined;
      case "number":
        return Number(special.value);
      case "utf16":
        return String.fromCharCode(...special.units);
      case "bigint":
        return BigInt(special.value);
      case "boxed":
        return Object(this.make(special.value));
      case "date":
        return new Date(this.make(special.ms) as number);
      case "regexp":
        return new RegExp(special.source, special.flags);
      case "binary":
        return binaryOf(special.class, bytesOf(special.bytes));
      case "actor":
        return new ActorRef(special.server, special.actor);
      case "error":
        return errorOf(special);
      case "reference":
        return this.#objects[special.object];
    }
    throw new Error(`a value of an unknown kind: ${special.$}`);
  }

  #fill(made: unknown, value: object): void {
    if (Array.isArray(value)) {
      return void (made as unknown[]).push(...value.map((each) => this.make(each)));
    }
    const { $, fields, entries, members, ...error } = value as Special;
    if ($ === "record") {
      for (const [key, field] of fields) define(made as object, key, this.make(field), true);
    } else if ($ === "map") {
      for (const [key, each] of entries) {
        (made as Map<unknown, unknown>).set(this.make(key), this.make(each));
      }
    } else if ($ === "set") {
      for (const each of members) (made as Set<unknown>).add(this.make(each));
    } else if ($ === "error") {
      if ("cause" in error) define(made as object, "cause", this.make(error.cause), false);
      if ("errors" in error) define(made as object, "errors", this.make(error.errors), false);
    }
  }
}

function define(object: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(object, key, { value, enumerable, writable: true, configurable: true });
}

function binaryOf(name: string, bytes: Uint8Array<ArrayBuffer>): unknown {
  const Class = BINARY_CLASSES.find((each) => each.name === name)!;
  if (Class === ArrayBuffer) return bytes.buffer;
  return new (Class as typeof DataView)(bytes.buffer);
}

const ERROR_CLASSES: Record<string, ErrorConstructor> = { Error, RangeError, TypeError };

function errorOf({ name, message, stack, errors }: Special): Error {
  const error = errors ? new AggregateError([]) : new ERROR_CLASSES[name]!();
  define(error, "message", message, false);
  define(error, "stack", stack, false);
  return error;
}

const valueOf = (value: unknown): unknown => new Maker().make(value);

/** Reads the message in the bytes. */
function read(bytes: Uint8Array): unknown {
  return new Arrivals().take(rogueFrame({ dest: "x" }, bytes), "peer")!.message;
}

for (const { what, value, bytes } of vectors.values) {
  Deno.test(`vector of a value: ${what}`, () => {
    assert.equal(rogueBody(valueOf(value)).toHex(), bytes);
    assert.deepEqual(read(bytesOf(bytes)), valueOf(value));
  });
}

for (const { what, value, bytes } of vectors.otherForms) {
  Deno.test(`vector of a value in another form: ${what}`, () => {
    assert.deepEqual(read(bytesOf(bytes)), valueOf(value));
  });
}

for (const { what, bytes } of vectors.refusedValues) {
  Deno.test(`vector of a value that is refused: ${what}`, () => {
    assert.throws(() => read(bytesOf(bytes)), ProtocolError);
  });
}

/** An envelope of the vectors. A field that is missing is false, or none. */
interface EnvelopeVector {
  readonly receiver: ActorId;
  readonly sender: ActorId;
  readonly nonce: number;
  readonly timeout?: number;
  readonly answers?: number;
  readonly answerExpected?: boolean;
  readonly failure?: boolean;
  readonly trace?: TraceContext;
  readonly message: unknown;
}

function envelopeOf(vector: EnvelopeVector): Envelope {
  const { receiver, sender, nonce, timeout, answers } = vector;
  const source = ActorRef.unchecked("peer", sender);
  const { answerExpected = false, failure = false } = vector;
  const message = valueOf(vector.message);
  const made = [nonce, answers, timeout, answerExpected, failure] as const;
  return Object.assign(new Envelope(message, receiver, source, ...made), { trace: vector.trace });
}

/** The bodies of the frames in which an envelope leaves. */
function framesOf(envelope: Envelope): Uint8Array[] {
  const outbox = new Outbox();
  writeEnvelope(outbox, envelope);
  const frames: Uint8Array[] = [];
  while (outbox.size > 0) frames.push(outbox.take().slice(4));
  return frames;
}

/** Reads frames, and checks that the last completes the envelope, and no other does. */
function assertReads(frames: readonly Uint8Array[], expected: EnvelopeVector): void {
  const arrivals = new Arrivals();
  const got = frames.map((frame) => arrivals.take(frame, "peer"));
  const envelope = got.pop()!;
  assert.deepEqual(got, got.map(() => undefined));
  const { message, dest, source, nonce, replyTo, timeout, replyExpected, failed, trace } = envelope;
  const { receiver, sender, answers, answerExpected = false, failure = false } = expected;
  assert.deepEqual(message, valueOf(expected.message));
  assert.deepEqual([dest, source.actor, nonce], [receiver, sender, expected.nonce]);
  assert.deepEqual([replyTo, timeout], [answers, expected.timeout]);
  assert.deepEqual([replyExpected, failed], [answerExpected, failure]);
  assert.deepEqual(trace, expected.trace);
}

for (const vector of vectors.envelopes) {
  Deno.test(`vector of an envelope: ${vector.what}`, () => {
    const envelope: EnvelopeVector = vector.envelope;
    const bytes = bytesOf(vector.bytes);
    assertReads([bytes], envelope);
    if (vector.otherForm) return;
    const [frame] = framesOf(envelopeOf(envelope));
    if (envelope.timeout === undefined) assert.equal(frame!.toHex(), vector.bytes);
    else {
      // What it has waited is taken off.
      const timeout = new DataView(frame!.buffer).getFloat64(11, true);
      assert.ok(timeout > 0 && timeout <= envelope.timeout, `${timeout}`);
      frame!.set(bytes.subarray(11, 19), 11);
      assert.equal(frame!.toHex(), vector.bytes);
    }
  });
}

for (const { what, bytes } of vectors.refusedEnvelopes) {
  Deno.test(`vector of an envelope that is refused: ${what}`, () => {
    assert.throws(() => new Arrivals().take(bytesOf(bytes), "peer"), ProtocolError);
  });
}

for (const vector of vectors.pieces) {
  Deno.test(`vector of pieces: ${vector.what}`, () => {
    const frames = vector.frames.map(bytesOf);
    assertReads(frames, vector.envelope);
    if (vector.otherForm) return;
    assert.deepEqual(framesOf(envelopeOf(vector.envelope)).map(digest), frames.map(digest));
  });
}

function digest(bytes: Uint8Array): string {
  return `${bytes.length} ${createHash("sha256").update(bytes).digest("hex")}`;
}

for (const { what, frames } of vectors.refusedPieces) {
  Deno.test(`vector of pieces that are refused: ${what}`, () => {
    const arrivals = new Arrivals();
    const take = () => frames.forEach((frame) => void arrivals.take(bytesOf(frame), "peer"));
    assert.throws(take, ProtocolError);
  });
}

const PEER = fileURLToPath(new URL("peer.py", import.meta.url));
const VECTORS = fileURLToPath(new URL("vectors.json", import.meta.url));
const HANDSHAKES = fileURLToPath(
  new URL("../runtime/server/handshake_vectors.json", import.meta.url),
);

async function python(...args: string[]) {
  const command = new Deno.Command("python3", { args: ["-B", ...args] });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

testWith(["python3"], {
  name: "a peer in Python reads and writes all vectors",
  async fn() {
    const { success, stdout, stderr } = await python(PEER, "vectors", VECTORS, HANDSHAKES);
    assert.ok(success, stdout + stderr);
    assert.match(stdout, /^\d+ vectors, 0 failed\n$/);
  },
});

for (const kind of ["unix", "tcp"] as const) {
  testWith(["python3"], {
    name: `a peer in Python asks a server over ${kind}`,
    async fn() {
      await using ensemble = new LocalEnsemble();
      const listen = [kind === "unix" ? ensemble.socket("a") : anyPort()];
      const a = await ensemble.start("a", { register: false, listen });
      const address = a.entry.addresses[0]!;
      const at = address.kind === "unix" ? address.path : `${address.host}:${address.port}`;
      const { success, stdout, stderr } = await python(
        PEER,
        "ping",
        at,
        ensemble.cookie.toHex(),
        "a",
      );
      assert.ok(success, stderr);
      const [answer, failure] = stdout.trim().split("\n").map((line) => JSON.parse(line));
      assert.deepEqual(answer, { failure: false, message: "OK" });
      assert.equal(failure.failure, true);
      assert.match(JSON.stringify(failure.message), /unknown actor: nobody@a/);
      const next = "0f".repeat(32);
      const both = await python(PEER, "ping", at, `${next},${ensemble.cookie.toHex()}`, "a");
      assert.ok(both.success, both.stderr);
      const wrong = await python(PEER, "ping", at, "00".repeat(32), "a");
      assert.equal(wrong.success, false);
      assert.match(wrong.stderr, /Refused: .*their cookies differ/);
    },
  });
}

testWith(["python3"], {
  name: "a peer in Python asks a server as one that comes through a tunnel does",
  async fn() {
    await using ensemble = new LocalEnsemble();
    const a = await ensemble.start("a", { register: false });
    const [address] = a.entry.addresses;
    assert.ok(address?.kind === "unix");
    const ping = (client: string) =>
      python(PEER, "ping", address.path, ensemble.cookie.toHex(), "a", client, "supervisor1");
    const { success, stdout, stderr } = await ping("console-python");
    assert.ok(success, stderr);
    assert.deepEqual(JSON.parse(stdout.split("\n")[0]!), { failure: false, message: "OK" });
    const refused = await ping("python_peer");
    assert.match(refused.stderr, /Refused: only commands and clients come through supervisor1/);
  },
});
