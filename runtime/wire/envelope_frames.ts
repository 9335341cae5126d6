/**
 * Envelopes as frames, and back.
 *
 * The body of a frame is a header and the message. Numbers are little-endian.
 *
 * | bytes | field |
 * |---|---|
 * | 2 | the length of the header, these two bytes included |
 * | 1 | flags: 1 an answer is expected, 2 the message is a failure, 4, 8 and 16 see below |
 * | 8 | nonce, a double |
 * | 8 | with flag 4: its timeout in ms, a double |
 * | 8 | with flag 8: the nonce of the message that it answers, a double |
 * | | the destination: its name or serial number, as a value |
 * | | the source actor, likewise |
 * | | with flag 16: the trace context: `traceparent` and `tracestate`, two texts |
 * | | fields of later versions, which are skipped |
 *
 * The servers are those of the connection, and not in the header. Values have the form of
 * `value_format.ts`. The header is read by itself, so that a message for an actor that does not
 * exist is never decoded.
 *
 * @module
 */
import { type Answer, Envelope, type TraceContext } from "../actor/messaging.ts";
import { type ActorId, ActorRef } from "../actor/references.ts";
import { ProtocolError } from "../errors.ts";
import * as decoder from "./decoder.ts";
import * as encoder from "./encoder.ts";
import { FLAG_TIMEOUT, type Outbox } from "./frames.ts";
import { MAX_TRACE_PARENT, MAX_TRACE_STATE } from "./limits.ts";
import type { LargeFrame } from "./pieces.ts";

const EMPTY: Uint8Array<ArrayBuffer> = new Uint8Array();

const FLAG_REPLY_EXPECTED = 1;
const FLAG_FAILED = 2;
const FLAG_REPLY = 8;
const FLAG_TRACE = 16;

/**
 * Writes an envelope into an outbox.
 *
 * @throws {ProtocolError} if the message contains something that cannot be sent, or exceeds a
 * limit. Nothing is written then.
 */
export function writeEnvelope(outbox: Outbox, envelope: Envelope): void {
  const { nonce, replyTo, timeout, message, trace } = envelope;
  const expires = timeout !== undefined && timeout !== Infinity;
  if (!Number.isSafeInteger(nonce) || (replyTo !== undefined && !Number.isSafeInteger(replyTo))) {
    throw new ProtocolError("cannot send a message whose nonce is not an integer");
  }
  if (timeout !== undefined && (typeof timeout !== "number" || Number.isNaN(timeout))) {
    throw new ProtocolError("cannot send a message whose timeout is not a number of ms");
  }
  encoder.openFrame(outbox);
  try {
    encoder.writeByte(0);
    encoder.writeByte(0);
    encoder.writeByte(
      (envelope.replyExpected ? FLAG_REPLY_EXPECTED : 0) | (envelope.failed ? FLAG_FAILED : 0) |
        (expires ? FLAG_TIMEOUT : 0) | (replyTo === undefined ? 0 : FLAG_REPLY) |
        (trace === undefined ? 0 : FLAG_TRACE),
    );
    encoder.writeDouble(nonce);
    if (expires) encoder.writeDouble(envelope.expires ??= performance.now() + timeout);
    if (replyTo !== undefined) encoder.writeDouble(replyTo);
    encoder.writeActorId(envelope.dest);
    encoder.writeActorId(envelope.source.actor);
    if (trace !== undefined) {
      encoder.writeText(trace.parent);
      encoder.writeText(trace.state);
    }
    encoder.patchUint16(0, encoder.written());
    encoder.writeMessage(message);
    encoder.closeFrame(envelope, expires);
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw new ProtocolError(`cannot encode a message: ${(error as Error).message}`);
  } finally {
    encoder.leaveFrame();
  }
}

/**
 * A received frame: its header and, on request, its message. The same object is reused for all
 * frames.
 */
export class IncomingFrame implements Answer {
  /** The destination actor. */
  dest: ActorId = "";
  /** The nonce of the message that it answers. */
  replyTo: number | undefined;
  /** The timeout of the message, in ms. */
  timeout: number | undefined;
  #trace: TraceContext | undefined;
  #source: ActorId = "";
  #nonce = 0;
  #flags = 0;
  #bytes: Uint8Array = EMPTY;
  #start = 0;
  #messageAt = 0;
  #end = 0;
  /** The payload that a large message has apart, and where it is missing. */
  #payload: Uint8Array<ArrayBuffer> = EMPTY;
  #payloadAt = 0;

  /** Whether the message is a failure. */
  get failed(): boolean {
    return (this.#flags & FLAG_FAILED) !== 0;
  }

  /** The sending actor. */
  get source(): { readonly actor: ActorId } {
    return { actor: this.#source };
  }

  /**
   * The message, which is decoded each time. It does not refer to the bytes.
   *
   * @throws {ProtocolError} if it is malformed, or exceeds a limit.
   */
  get message(): unknown {
    decoder.openFrame(this.#bytes, this.#messageAt, this.#end);
    try {
      const { length } = this.#payload;
      if (length > 0) decoder.openPayload(this.#payload, this.#payloadAt);
      return decoder.readMessage(this.#end - this.#start + length);
    } finally {
      decoder.closeFrame();
    }
  }

  /** Whether its timeout had passed when it was sent, or before all its pieces came. */
  get expired(): boolean {
    return this.timeout !== undefined && this.timeout <= 0;
  }

  /**
   * Reads the header of the frame whose body is `bytes` from `start` to `end`.
   *
   * @throws {ProtocolError} if it is malformed.
   */
  read(bytes: Uint8Array, start: number, end: number): void {
    decoder.openFrame(bytes, start, end);
    try {
      this.#bytes = bytes;
      this.#payload = EMPTY;
      this.#start = start;
      this.#messageAt = start + decoder.readUint16();
      this.#end = end;
      const flags = this.#flags = decoder.readByte();
      this.#nonce = readNonce();
      this.timeout = flags & FLAG_TIMEOUT ? readTimeout() : undefined;
      this.replyTo = flags & FLAG_REPLY ? readNonce() : undefined;
      this.dest = decoder.readActorId();
      this.#source = decoder.readActorId();
      this.#trace = flags & FLAG_TRACE ? readTrace() : undefined;
      decoder.skipTo(this.#messageAt);
    } finally {
      decoder.closeFrame();
    }
  }

  /**
   * Reads the header of a large message.
   *
   * @param elapsed the time since its first piece came, in ms. It is taken off its timeout.
   * @throws {ProtocolError} if it is malformed.
   */
  readLarge(
    { envelope, length, payload, offset }: LargeFrame,
    elapsed: number,
  ): void {
    this.read(envelope, 0, length);
    if (this.timeout !== undefined) this.timeout -= elapsed;
    this.#payload = payload;
    this.#payloadAt = offset;
  }

  /**
   * Decodes the envelope with its message. The result does not refer to the bytes.
   *
   * @param source the server at the other end of the connection.
   * @param now when it arrived, by `performance.now()`.
   * @throws {ProtocolError} if the message is malformed, or exceeds a limit.
   */
  decode(source: string, now: number = performance.now()): Envelope {
    const envelope = this.#envelope(source, this.message);
    if (this.timeout !== undefined) envelope.expires = now + this.timeout;
    return envelope;
  }

  /** Returns the envelope without its message, for a message that cannot be delivered. */
  withoutMessage(source: string): Envelope {
    return this.#envelope(source, undefined);
  }

  /** Forgets the bytes. */
  clear(): void {
    this.#bytes = this.#payload = EMPTY;
  }

  #envelope(source: string, message: unknown): Envelope {
    const envelope = new Envelope(
      message,
      this.dest,
      ActorRef.unchecked(source, this.#source),
      this.#nonce,
      this.replyTo,
      this.timeout,
      (this.#flags & FLAG_REPLY_EXPECTED) !== 0,
      this.failed,
    );
    if (this.#trace !== undefined) envelope.trace = this.#trace;
    return envelope;
  }
}

function readNonce(): number {
  const nonce = decoder.readDouble();
  if (!Number.isSafeInteger(nonce)) throw new ProtocolError("malformed frame: not a nonce");
  return nonce;
}

function readTimeout(): number {
  const timeout = decoder.readDouble();
  if (!Number.isNaN(timeout)) return timeout;
  throw new ProtocolError("malformed frame: not a timeout");
}

function readTrace(): TraceContext {
  const parent = decoder.readText();
  const state = decoder.readText();
  if (parent.length <= MAX_TRACE_PARENT && state.length <= MAX_TRACE_STATE) {
    return { parent, state };
  }
  throw new ProtocolError("malformed frame: not a trace context");
}
