/**
 * Large messages, which travel in pieces, so that small ones can go between.
 *
 * An envelope that is larger than a frame is cut. Its first frame says how long it is, and where its
 * payload is: binary data that is most of it, which is received where it stays. See `docs/protocol.md`.
 *
 * @module
 */
import { type ActorId, SERVER_ACTOR } from "../actor/references.ts";
import { ProtocolError } from "../errors.ts";
import { giveBack, takeBuffer } from "./buffers.ts";
import { MAX_FRAME, MAX_MESSAGE, PIECE } from "./limits.ts";

/**
 * The first two bytes of the first frame of a large message, as a number. The length of an envelope's
 * header, which is in the same place, is never that small.
 */
const FIRST = 0;

/** The same of its other frames. */
const NEXT = 1;

/** The length of the mark, in bytes. */
const MARK_LENGTH = 2;

/** The length of what is before the bytes of the message in the first frame: mark, total, payload. */
const FIRST_LENGTH = MARK_LENGTH + 3 * 4;

/** The number of bytes of the message in the first frame. The others need room for their prefix and mark before them. */
const FIRST_BYTES = 1024;

/** The length of a frame's prefix, in bytes. */
const PREFIX_LENGTH = 4;

/**
 * A buffer for an announced message is at most this many times as large as what has arrived of it, if
 * that is more than {@linkcode MIN_CAPACITY}. The system provides the memory only as it is used.
 */
const GROWTH = 64;

/** See {@linkcode GROWTH}; in bytes. */
const MIN_CAPACITY = 2 * 1024 * 1024;

const EMPTY = new Uint8Array();

/** The two actors of a message. */
export interface Pair {
  /** The receiver. */
  readonly dest: ActorId;
  /** The sender. */
  readonly source: { readonly actor: ActorId };
}

/** Where binary data is in a message: the offset and length of its bytes. */
export interface Extent {
  /** The offset from the start of the envelope, in bytes. */
  readonly offset: number;
  /** Its length, in bytes. */
  readonly length: number;
}

/** An envelope that is being sent in pieces. */
export class LargeMessage {
  /** The buffer that holds it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Its start in the buffer. There is room for a frame's prefix before it. */
  readonly start: number;
  /** Whether its first piece was taken. */
  begun = false;
  readonly #dest: ActorId;
  readonly #source: ActorId;
  readonly #payload: Extent;
  readonly #end: number;
  #next: number;

  /** Sends the envelope from `start` to `end` of a buffer, which it keeps and writes to. */
  constructor(
    bytes: Uint8Array<ArrayBuffer>,
    { start, end, pair, payload }: { start: number; end: number; pair: Pair; payload: Extent },
  ) {
    this.bytes = bytes;
    this.start = this.#next = start;
    this.#end = end;
    this.#dest = pair.dest;
    this.#source = pair.source.actor;
    this.#payload = payload;
  }

  /** The number of bytes of the envelope that are still to send. */
  get rest(): number {
    return this.#end - this.#next;
  }

  /**
   * Whether a later message must not overtake this one: if it may be between the same actors, or report
   * the end of the sender, which goes through the other server.
   */
  precedes({ dest, source: { actor } }: Pair): boolean {
    const reportsEnd = dest === SERVER_ACTOR && actor !== SERVER_ACTOR;
    return mayBeSame(actor, this.#source) && (reportsEnd || mayBeSame(dest, this.#dest));
  }

  /** The frame with the next piece. It is valid until the next call. */
  take(): Uint8Array<ArrayBuffer> {
    if (!this.begun) return this.#takeFirst();
    const { bytes } = this;
    // What was there has been sent.
    const at = this.#next - MARK_LENGTH - PREFIX_LENGTH;
    const end = this.#next = Math.min(this.#next + PIECE, this.#end);
    const view = new DataView(bytes.buffer);
    view.setUint32(at, end - at - PREFIX_LENGTH);
    view.setUint16(at + PREFIX_LENGTH, NEXT, true);
    return bytes.subarray(at, end);
  }

  #takeFirst(): Uint8Array<ArrayBuffer> {
    this.begun = true;
    const frame = new Uint8Array(PREFIX_LENGTH + FIRST_LENGTH + FIRST_BYTES);
    const view = new DataView(frame.buffer);
    view.setUint32(0, FIRST_LENGTH + FIRST_BYTES);
    view.setUint16(4, FIRST, true);
    view.setUint32(6, this.rest, true);
    view.setUint32(10, this.#payload.offset, true);
    view.setUint32(14, this.#payload.length, true);
    const next = this.#next + FIRST_BYTES;
    frame.set(this.bytes.subarray(this.#next, next), PREFIX_LENGTH + FIRST_LENGTH);
    this.#next = next;
    return frame;
  }
}

/** Whether two ids may be those of the same actor. One may be its name and the other its serial number. */
function mayBeSame(one: ActorId, other: ActorId): boolean {
  return one === other || typeof one !== typeof other;
}

/** Whether the body of a frame, of at least two bytes, is a piece. */
export function isPiece(buffer: Uint8Array, start: number): boolean {
  return buffer[start + 1] === 0 && buffer[start]! <= NEXT;
}

/** A large message that has arrived. */
export interface LargeFrame {
  /** A buffer with the bytes of its envelope, without those of its payload. */
  readonly envelope: Uint8Array<ArrayBuffer>;
  /** The number of those bytes. */
  readonly length: number;
  /** The bytes of its payload. */
  readonly payload: Uint8Array<ArrayBuffer>;
  /** The offset of the payload in the envelope. */
  readonly offset: number;
}

/** Puts the large messages of a connection together, one after the other. */
export class PieceReader {
  /** The bytes of the envelope without those of its payload. They are decoded, and not kept. */
  readonly #envelope = new GrowingBytes({ isPooled: true });
  /** Those of its payload, which become a value. */
  readonly #payload = new GrowingBytes({ isPooled: false });
  #offset = 0;
  #total = 0;
  #filled = 0;

  /** Whether a message has begun, and is not complete. */
  get pending(): boolean {
    return this.#total > 0;
  }

  /**
   * Takes the piece that is the body of a frame.
   *
   * @returns whether the message is complete. Then {@linkcode PieceReader.finish} returns it.
   * @throws {ProtocolError} if it is malformed, or the message would be too large.
   */
  take(buffer: Uint8Array, start: number, end: number): boolean {
    const isFirst = buffer[start] === FIRST;
    if (isFirst === this.pending) {
      throw malformed(isFirst ? "a large message inside another" : "a piece of no message");
    }
    if (isFirst) this.#begin(buffer, start, end);
    const from = start + (isFirst ? FIRST_LENGTH : MARK_LENGTH);
    const length = end - from;
    if (length === 0) throw malformed("an empty piece");
    if (length > this.#total - this.#filled) throw malformed("more pieces than announced");
    this.#add(buffer.subarray(from, end));
    return this.#filled === this.#total;
  }

  /**
   * Returns the complete message, and forgets it. Its payload is missing at the offset. Give the
   * envelope's buffer back to the others when it is decoded.
   */
  finish(): LargeFrame {
    const length = this.#total - this.#payload.total;
    this.#total = this.#filled = 0;
    return {
      envelope: this.#envelope.finish(),
      length,
      payload: this.#payload.finish(),
      offset: this.#offset,
    };
  }

  #begin(buffer: Uint8Array, start: number, end: number): void {
    if (end - start < FIRST_LENGTH) throw malformed("a piece that ends too early");
    const view = new DataView(buffer.buffer, buffer.byteOffset + start);
    const total = view.getUint32(2, true);
    if (total <= MAX_FRAME || total > MAX_MESSAGE) {
      throw malformed(
        `a large message of ${total} bytes; it must have more than ${MAX_FRAME}, and at most ` +
          `${MAX_MESSAGE}`,
      );
    }
    const offset = view.getUint32(6, true);
    const length = view.getUint32(10, true);
    if (offset + length > total) throw malformed("a payload beyond the message");
    this.#total = total;
    this.#offset = offset;
    this.#envelope.total = total - length;
    this.#payload.total = length;
  }

  #add(piece: Uint8Array): void {
    const before = Math.max(0, Math.min(piece.length, this.#offset - this.#filled));
    const inside = Math.min(piece.length - before, this.#payload.missing);
    this.#envelope.add(piece.subarray(0, before));
    this.#payload.add(piece.subarray(before, before + inside));
    this.#envelope.add(piece.subarray(before + inside));
    this.#filled += piece.length;
  }
}

/** A buffer for a given number of bytes that grows to it as they arrive, and is copied little. */
class GrowingBytes {
  /** The number of bytes in all. */
  total = 0;
  readonly #isPooled: boolean;
  #bytes: Uint8Array<ArrayBuffer> = EMPTY;
  #filled = 0;

  /** Creates an empty one. A pooled one uses buffers that others have used, which may be longer. */
  constructor({ isPooled }: { isPooled: boolean }) {
    this.#isPooled = isPooled;
  }

  /** The number of bytes that have not arrived. */
  get missing(): number {
    return this.total - this.#filled;
  }

  /** Adds bytes. No more may be added than are missing. */
  add(part: Uint8Array): void {
    if (part.length === 0) return;
    const filled = this.#filled + part.length;
    if (filled > this.#bytes.length) {
      const capacity = Math.min(this.total, Math.max(MIN_CAPACITY, GROWTH * filled));
      const larger = this.#isPooled ? takeBuffer(capacity) : new Uint8Array(capacity);
      larger.set(this.#bytes.subarray(0, this.#filled));
      if (this.#isPooled) giveBack(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(part, this.#filled);
    this.#filled = filled;
  }

  /** Returns all of them, and forgets them. */
  finish(): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes;
    this.#bytes = EMPTY;
    this.#filled = this.total = 0;
    return bytes;
  }
}

function malformed(why: string): ProtocolError {
  return new ProtocolError(`malformed frame: ${why}`);
}
