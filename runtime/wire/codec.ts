/**
 * Envelopes as MessagePack, and back.
 *
 * An envelope is a fixed array: destination, source actor, nonce, the nonce it answers or nil, ms to live
 * or nil, flags, message. The servers it goes between are those of the connection and not in it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
// Decides which version of a package of msgpackr's that is not used here is resolved where there is no lock
// file: the newest has platform packages that not every mirror carries.
import "npm:msgpackr-extract@3.0.4/package.json" with { type: "json" };
import {
  addExtension,
  Packr,
  RESET_BUFFER_MODE,
  REUSE_BUFFER_MODE,
} from "npm:msgpackr@^2.1.3/pack";
import { Envelope } from "../actor/envelope.ts";
import { type ActorId, ActorRef } from "../actor/ref.ts";
import type { ServerId } from "../actor/server_id.ts";
import { ProtocolError } from "../errors.ts";
import { Dressed, type Kind } from "./dressing.ts";
import { dressAny } from "./graph.ts";
import { MAX_FRAME } from "./limits.ts";
import { countReferences, requireNoOpenReferences, undress } from "./undressing.ts";

/**
 * The MessagePack extension type of a {@linkcode Dressed} value: "g". The library keeps one table of types for
 * the whole process, and programs of ours may use it too.
 */
const DRESSED_EXTENSION = 0x67;

const FLAG_REPLY_EXPECTED = 1;
const FLAG_FAILED = 2;

addExtension({
  Class: Dressed,
  type: DRESSED_EXTENSION,
  write: (dressed: Dressed) => [dressed.kind, dressed.payload],
  read: ([kind, payload]: [Kind, unknown]) => undress(kind, payload),
});

/**
 * Decodes the first value of a range. The decoder's own way to decode one writes all of it out, for the error,
 * when more bytes follow, which takes half a minute and gigabytes for a frame of the largest size.
 */
class RangePackr extends Packr {
  override unpack(bytes: Uint8Array): unknown {
    return super.unpack(bytes, range);
  }
}

const packr = new RangePackr(
  {
    useRecords: false,
    variableMapSize: true,
    moreTypes: true,
    int64AsType: "bigint" as never,
    useBigIntExtension: true,
    copyBuffers: true,
    useToJSON: false,
    structuredClone: false,
  } as ConstructorParameters<typeof Packr>[0],
);

/** The size of the encoder's buffer, in bytes. */
const BUFFER_SIZE = 64 * 1024;

/**
 * Encodes an envelope. The result is a view of a buffer that the next call overwrites.
 *
 * @throws {ProtocolError} when the message has parts that cannot travel, or is larger than a frame.
 */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const fields = [
    envelope.dest,
    envelope.source.actor,
    envelope.nonce,
    envelope.replyTo ?? null,
    envelope.timeToLive ?? null,
    (envelope.replyExpected ? FLAG_REPLY_EXPECTED : 0) | (envelope.failed ? FLAG_FAILED : 0),
    dressAny(envelope.message),
  ];
  let target: PackrBuffer;
  try {
    target = packr.pack(fields, REUSE_BUFFER_MODE | RESET_BUFFER_MODE) as unknown as PackrBuffer;
  } catch (error) {
    useBuffer();
    throw new ProtocolError(`cannot encode a message: ${(error as Error).message}`);
  }
  const { start, end } = target;
  if (target.buffer === view.buffer) return view.subarray(start, end);
  // The message outgrew the buffer. The next one starts with one of the usual size again.
  useBuffer();
  if (end - start > MAX_FRAME) {
    throw new ProtocolError(
      `the message is too large: ${end - start} bytes, and a frame holds ${MAX_FRAME}`,
    );
  }
  return new Uint8Array(target.buffer, start, end - start);
}

/** What `pack` gives with `REUSE_BUFFER_MODE`: its whole buffer, and where in it the result is. */
type PackrBuffer = Uint8Array & { start: number; end: number };

/** The encoder's buffer without the costs of Node's `Buffer.subarray`. */
let view: Uint8Array;

function useBuffer(): void {
  const buffer = Buffer.allocUnsafeSlow(BUFFER_SIZE);
  packr.useBuffer(buffer);
  view = new Uint8Array(buffer.buffer);
}

useBuffer();

const range = { start: 0, end: 0 };

/** What was decoded last, and where its bytes ended. */
const decoded: { value: unknown; end: number } = { value: undefined, end: 0 };

function takeFirst(value: unknown, _start?: number, end?: number): boolean {
  decoded.value = value;
  decoded.end = end!;
  return false;
}

/**
 * Decodes the envelope in `bytes` from `start` to `end`, which came from a server. Nothing of the result
 * refers to the bytes.
 *
 * @throws {ProtocolError} when they are no envelope.
 */
export function decodeEnvelope(
  bytes: Uint8Array,
  options: { start: number; end: number; source: ServerId },
): Envelope {
  range.start = options.start;
  range.end = options.end;
  countReferences();
  try {
    // To the decoder an end of 0 is none.
    if (range.end <= range.start) throw new ProtocolError("empty");
    packr.unpackMultiple(bytes, takeFirst);
    if (decoded.end !== range.end) throw new ProtocolError("bytes after its end");
    requireNoOpenReferences();
  } catch (error) {
    throw new ProtocolError(`malformed frame: ${(error as Error).message}`);
  }
  const fields = decoded.value;
  decoded.value = undefined;
  if (!Array.isArray(fields) || fields.length !== 7) {
    throw new ProtocolError("malformed frame: not an envelope");
  }
  const [dest, source, nonce, replyTo, timeToLive, flags, message] = fields;
  if (
    !isActorId(dest) || !isActorId(source) || typeof nonce !== "number" ||
    typeof flags !== "number" || (replyTo !== null && typeof replyTo !== "number") ||
    (timeToLive !== null && typeof timeToLive !== "number")
  ) throw new ProtocolError("malformed frame: not an envelope");
  return new Envelope(
    message,
    dest,
    new ActorRef(options.source, source),
    nonce,
    replyTo ?? undefined,
    timeToLive ?? undefined,
    (flags & FLAG_REPLY_EXPECTED) !== 0,
    (flags & FLAG_FAILED) !== 0,
  );
}

function isActorId(value: unknown): value is ActorId {
  return typeof value === "string" || typeof value === "number";
}
