/**
 * Envelopes as MessagePack, and back.
 *
 * An envelope is a fixed array: destination, source actor, nonce, the nonce it answers or nil, ms left to
 * live or nil, flags, message. The servers it goes between are those of the connection and not in it.
 *
 * @module
 */
import { addExtension, Packr, RESET_BUFFER_MODE } from "msgpackr/pack";
import { Envelope } from "../actor/envelope.ts";
import { type ActorId, ActorRef } from "../actor/ref.ts";
import type { ServerId } from "../actor/server_id.ts";
import { ProtocolError } from "../errors.ts";
import { Dressed, type Kind } from "./dressing.ts";
import { dressAny } from "./graph.ts";
import { MAX_FRAME } from "./limits.ts";
import { undress } from "./undressing.ts";

/** The MessagePack extension type of a {@linkcode Dressed} value. */
const DRESSED_EXTENSION = 1;

const FLAG_REPLY_EXPECTED = 1;
const FLAG_FAILED = 2;

addExtension({
  Class: Dressed,
  type: DRESSED_EXTENSION,
  write: (dressed: Dressed) => [dressed.kind, dressed.payload],
  read: ([kind, payload]: [Kind, unknown]) => undress(kind, payload),
});

const packr = new Packr(
  {
    useRecords: false,
    variableMapSize: true,
    moreTypes: true,
    int64AsType: "bigint" as never,
    useBigIntExtension: true,
    copyBuffers: true,
    useToJSON: false,
  } as ConstructorParameters<typeof Packr>[0],
);

/** The encoder's buffer, given back after a message that was larger, in bytes. */
const BUFFER_SIZE = 64 * 1024;

/**
 * Encodes an envelope. The result is a view of a buffer that the next call overwrites.
 *
 * @throws {ProtocolError} when the message has parts that cannot travel, or is larger than a frame.
 */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const { expiry } = envelope;
  const fields = [
    envelope.dest,
    envelope.source.actor,
    envelope.nonce,
    envelope.replyTo ?? null,
    expiry === undefined ? null : Math.max(0, Math.ceil(expiry - performance.now())),
    (envelope.replyExpected ? FLAG_REPLY_EXPECTED : 0) | (envelope.failed ? FLAG_FAILED : 0),
    dressAny(envelope.message),
  ];
  let bytes: Uint8Array;
  try {
    bytes = packr.pack(fields, RESET_BUFFER_MODE);
  } catch (error) {
    throw new ProtocolError(`cannot encode a message: ${(error as Error).message}`);
  }
  if (bytes.buffer.byteLength > BUFFER_SIZE) {
    packr.useBuffer(new Uint8Array(BUFFER_SIZE) as never);
    if (bytes.length > MAX_FRAME) {
      throw new ProtocolError(
        `the message is too large: ${bytes.length} bytes, and a frame holds ${MAX_FRAME}`,
      );
    }
  }
  return bytes;
}

const range = { start: 0, end: 0 };

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
  let fields: unknown;
  try {
    fields = packr.unpack(bytes, range);
  } catch (error) {
    throw new ProtocolError(`malformed frame: ${(error as Error).message}`);
  }
  if (!Array.isArray(fields) || fields.length !== 7) {
    throw new ProtocolError("malformed frame: not an envelope");
  }
  const [dest, source, nonce, replyTo, expiry, flags, message] = fields;
  if (
    !isActorId(dest) || !isActorId(source) || typeof nonce !== "number" ||
    typeof flags !== "number" || (replyTo !== null && typeof replyTo !== "number") ||
    (expiry !== null && typeof expiry !== "number")
  ) throw new ProtocolError("malformed frame: not an envelope");
  return new Envelope(
    message,
    dest,
    new ActorRef(options.source, source),
    nonce,
    replyTo ?? undefined,
    expiry === null ? undefined : performance.now() + expiry,
    (flags & FLAG_REPLY_EXPECTED) !== 0,
    (flags & FLAG_FAILED) !== 0,
  );
}

function isActorId(value: unknown): value is ActorId {
  return typeof value === "string" || typeof value === "number";
}
