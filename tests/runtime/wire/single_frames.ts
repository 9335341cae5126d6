/**
 * Single frames: converts envelopes to bytes and back, as on a connection.
 *
 * @module
 */
import type { Envelope } from "../../../runtime/actor/messaging.ts";
import { IncomingFrame, writeEnvelope } from "../../../runtime/wire/envelope_frames.ts";
import { Outbox } from "../../../runtime/wire/frames.ts";
import { MAX_FRAME } from "../../../runtime/wire/limits.ts";
import { isPiece, PieceReader } from "../../../runtime/wire/pieces.ts";

/** The length before a frame, in bytes. */
const PREFIX_LENGTH = 4;

const outbox = new Outbox();

/** The length before the bytes of the message in its first piece, and in the others. */
const FIRST_LENGTH = 14;
const MARK_LENGTH = 2;

/**
 * The body of an envelope's frame, or that of a large one, put together from its pieces. The envelope
 * must not have expired.
 */
export function encodeEnvelope(envelope: Envelope): Uint8Array<ArrayBuffer> {
  try {
    writeEnvelope(outbox, envelope);
    const first = outbox.take().slice(PREFIX_LENGTH);
    return isPiece(first, 0) ? joinPieces(first) : first;
  } finally {
    if (outbox.size > MAX_FRAME) outbox.clear();
  }
}

function joinPieces(first: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(new DataView(first.buffer).getUint32(2, true));
  let at = 0;
  for (let piece = first.subarray(FIRST_LENGTH);;) {
    whole.set(piece, at);
    at += piece.length;
    if (outbox.size === 0) return whole;
    piece = outbox.take().subarray(PREFIX_LENGTH + MARK_LENGTH);
  }
}

/** The envelope in the body of a frame from a server. */
export function decodeEnvelope(
  bytes: Uint8Array,
  { source, start = 0, end = bytes.length }: { source: string; start?: number; end?: number },
): Envelope {
  const frame = new IncomingFrame();
  frame.read(bytes, start, end);
  return frame.decode(source);
}

/** The receiving end of a connection, which puts large messages together. */
export class Arrivals {
  readonly #pieces = new PieceReader();

  /** The envelope that the body of a frame from a server completes, if any. */
  take(body: Uint8Array, source: string): Envelope | undefined {
    if (body.length <= 1) return undefined;
    if (!isPiece(body, 0)) return decodeEnvelope(body, { source });
    if (!this.#pieces.take(body, 0, body.length)) return undefined;
    const frame = new IncomingFrame();
    frame.readLarge(this.#pieces.finish(), 0);
    return frame.decode(source);
  }
}
