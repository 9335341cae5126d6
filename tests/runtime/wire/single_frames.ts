/**
 * Single frames: converts envelopes to bytes and back, as on a connection.
 *
 * @module
 */
import type { Envelope } from "../../../runtime/actor/messaging.ts";
import { IncomingFrame, writeEnvelope } from "../../../runtime/wire/envelope_frames.ts";
import { Outbox } from "../../../runtime/wire/frames.ts";
import { MAX_FRAME } from "../../../runtime/wire/limits.ts";

/** The length before a frame, in bytes. */
const PREFIX_LENGTH = 4;

const outbox = new Outbox();

/** The body of an envelope's frame. The envelope must not have expired. */
export function encodeEnvelope(envelope: Envelope): Uint8Array<ArrayBuffer> {
  try {
    writeEnvelope(outbox, envelope);
    return outbox.take().slice(PREFIX_LENGTH);
  } finally {
    if (outbox.size > MAX_FRAME) outbox.clear();
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
