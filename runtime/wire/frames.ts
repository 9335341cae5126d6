/**
 * Frames: a `u32` big-endian length and that many bytes. They are read from a stream, and buffered
 * until they are written to one.
 *
 * @module
 */
import { ProtocolError } from "../errors.ts";
import { BUSY_CAPACITY, giveBack, MAX_KEPT, SMALL_CAPACITY, takeBuffer } from "./buffers.ts";
import { MAX_FRAME, MAX_WRITE } from "./limits.ts";
import { type Extent, LargeMessage, type Pair } from "./pieces.ts";
import type { ByteStream } from "./stream.ts";

/** The length of a frame's header, in bytes. */
export const PREFIX_LENGTH = 4;

/** The size of the buffer in which an idle stream waits for data, in bytes. */
const IDLE_CAPACITY = 4 * 1024;

/** The number of small reads in a row after which a stream counts as idle. */
const SMALL_READS = 16;

const EMPTY = new Uint8Array();
const NO_VIEW: DataView = new DataView(EMPTY.buffer);

/** Makes a frame of a small body, which is copied. */
export function asFrame(body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(PREFIX_LENGTH + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, PREFIX_LENGTH);
  return frame;
}

/**
 * Reads frames in place, from a buffer that grows to the largest frame and shrinks back after it. It is
 * small while little arrives. When {@linkcode FrameReader.next} has returned true, the body of the frame
 * is `buffer` from `start` to `end`, until the next {@linkcode FrameReader.fill}.
 */
export class FrameReader {
  /** The bytes that were read. */
  buffer: Uint8Array<ArrayBuffer> = new Uint8Array(IDLE_CAPACITY);
  /** The start of the current frame's body. */
  start = 0;
  /** The end of the current frame's body. */
  end = 0;
  /** The largest body accepted, in bytes. */
  limit: number;
  readonly #stream: ByteStream;
  #read = 0;
  #filled = 0;
  /** The number of reads in a row that brought little. */
  #small = 0;

  /** Reads from a stream, and refuses a body of more than `limit` bytes. */
  constructor(stream: ByteStream, limit: number) {
    this.#stream = stream;
    this.limit = limit;
  }

  /**
   * Moves to the next frame.
   *
   * @returns false if it has not been fully read.
   * @throws {ProtocolError} if its length exceeds the limit.
   */
  next(): boolean {
    const available = this.#filled - this.#read;
    if (available < PREFIX_LENGTH) return false;
    const { buffer } = this;
    const at = this.#read;
    const length = buffer[at]! * 0x1000000 +
      (buffer[at + 1]! << 16 | buffer[at + 2]! << 8 | buffer[at + 3]!);
    if (length > this.limit) {
      throw new ProtocolError(
        isTlsRecord(length)
          ? "it speaks TLS: one side has a tcp address where the other has a tls one"
          : `frame too large: ${length} bytes announced, and the limit is ${this.limit}`,
      );
    }
    if (available < PREFIX_LENGTH + length) return false;
    this.start = at + PREFIX_LENGTH;
    this.end = this.#read = this.start + length;
    return true;
  }

  /** Reads available data from the stream. Returns false at its end. */
  async fill(): Promise<boolean> {
    this.#makeRoom();
    // Mostly it is empty, and making an array takes time.
    const room = this.#filled === 0 ? this.buffer : this.buffer.subarray(this.#filled);
    const count = await this.#stream.read(room);
    if (count === null) return false;
    this.#filled += count;
    if (count < IDLE_CAPACITY / 2) this.#small++;
    else this.#small = 0;
    return true;
  }

  /** Whether the stream ended inside a frame. */
  get cut(): boolean {
    return this.#filled > this.#read;
  }

  #makeRoom(): void {
    const rest = this.#filled - this.#read;
    const isFull = this.#filled === this.buffer.length;
    if (!isFull && rest > 0) return;
    const before = this.buffer;
    const target = this.#nextBuffer(rest, isFull);
    if (rest > 0) target.set(before.subarray(this.#read, this.#filled), 0);
    if (target !== before) giveBack(before);
    this.buffer = target;
    this.#read = 0;
    this.#filled = rest;
  }

  /** The buffer to read into next, with `rest` bytes of a frame whose end is missing. */
  #nextBuffer(rest: number, isFull: boolean): Uint8Array<ArrayBuffer> {
    const { length } = this.buffer;
    // It grows as data arrives, and never to a size that a prefix merely announces.
    if (isFull && length < BUSY_CAPACITY) {
      return takeBuffer(length < SMALL_CAPACITY ? SMALL_CAPACITY : BUSY_CAPACITY);
    }
    if (rest * 2 > length) return takeBuffer(length * 2);
    if (length > BUSY_CAPACITY && rest * 2 <= BUSY_CAPACITY) return takeBuffer();
    if (length > IDLE_CAPACITY && rest === 0 && this.#small >= SMALL_READS) {
      return new Uint8Array(IDLE_CAPACITY);
    }
    return this.buffer;
  }
}

/**
 * Whether the length of a frame is the start of a TLS record: an alert or a handshake (RFC 8446,
 * 5.1).
 */
function isTlsRecord(length: number): boolean {
  const start = length >>> 8;
  return start >= 0x150300 && start <= 0x150304 || start >= 0x160300 && start <= 0x160304;
}

/** The flag for an envelope header with a timeout. */
export const FLAG_TIMEOUT = 4;

/**
 * The positions of the flags in an envelope's header, and of its timeout in ms with {@linkcode
 * FLAG_TIMEOUT}, from the start of the frame. While a frame waits here, that field is its deadline,
 * on the clock of `performance.now()`.
 */
const FLAGS = PREFIX_LENGTH + 2;
const TIMEOUT = FLAGS + 1 + 8;

/** A message with a place among others: see {@linkcode Outbox.commitInOrder}. */
interface Ordered {
  readonly pair: Pair;
  readonly expires: boolean;
  readonly payload: Extent;
}

/** A large message, the frames that must not overtake it, and those that it must not overtake. */
interface Queue {
  readonly large: LargeMessage;
  readonly followers: Outbox;
  /** The number of bytes of frames to take out before its first piece, of all that were ever added. */
  behind: number;
}

/**
 * Frames to send, in order, and large messages, of which pieces go between the frames. New ones are
 * buffered while others are written. A message that has expired by its turn is dropped.
 */
export class Outbox {
  /** The buffered frames, up to `#size`. */
  #buffer: Uint8Array<ArrayBuffer> = EMPTY;
  #size = 0;
  /** See {@linkcode Outbox.view}, and the buffer that it is of. */
  #view = NO_VIEW;
  #viewed: Uint8Array<ArrayBuffer> = EMPTY;
  /** Whether one of them has a deadline. */
  #expires = false;
  /** The frames to write next: those in `#leaving` from `#next` to `#end`. */
  #leaving: Uint8Array<ArrayBuffer> = EMPTY;
  #next = 0;
  #end = 0;
  #leavingExpire = false;
  /** The number of messages in `#buffer`, and in `#leaving` from `#next` on. */
  #messages = 0;
  #leavingMessages = 0;
  #messagesTaken = 0;
  /** The number of bytes of frames that were ever added, without those in the queues. */
  #added = 0;
  /** The large messages. The first is being sent; each other waits for those before it. */
  #queues: Queue[] = [];
  /** The number of bytes in the queues. */
  #queued = 0;
  /** Whether a piece is next, if frames wait, too. */
  #isPieceNext = false;
  /** The buffer of a large message whose last piece was taken out. */
  #finished: Uint8Array<ArrayBuffer> = EMPTY;

  /** The number of messages that were added since the last write began. */
  get messagesAdded(): number {
    return this.#messages;
  }

  /** The number of messages that {@linkcode Outbox.take} has taken out, since this was created. */
  get messagesTaken(): number {
    return this.#messagesTaken;
  }

  /** The number of waiting bytes. */
  get size(): number {
    return this.#framesSize + this.#queued;
  }

  /** The number of waiting bytes that are not in the queues. */
  get #framesSize(): number {
    return this.#size + this.#end - this.#next;
  }

  /** Whether a large message waits or is being sent. */
  get hasLarge(): boolean {
    return this.#queues.length > 0;
  }

  /** Adds a frame without a deadline. The body is copied. */
  add(body: Uint8Array): void {
    this.#append(body, false);
  }

  #append(body: Uint8Array, expires: boolean): void {
    const start = this.bodyStart;
    const end = start + body.length;
    if (end > this.open().length) this.grow(this.#size, end);
    this.#buffer.set(body, start);
    this.commit(end, expires);
  }

  /** The start of the next frame's body in the buffer that {@linkcode Outbox.open} returns. */
  get bodyStart(): number {
    return this.#size + PREFIX_LENGTH;
  }

  /** The buffer to write the body of the next frame into, see {@linkcode Outbox.commit}. */
  open(): Uint8Array<ArrayBuffer> {
    if (this.#buffer === EMPTY) this.#buffer = takeBuffer(SMALL_CAPACITY);
    return this.#buffer;
  }

  /** A view of that buffer. It is kept, since making one for each frame takes time. */
  get view(): DataView {
    if (this.#viewed !== this.#buffer) {
      this.#viewed = this.#buffer;
      this.#view = new DataView(this.#buffer.buffer);
    }
    return this.#view;
  }

  /**
   * Replaces the buffer by one of at least `needed` bytes, with the first `used` bytes of the
   * current one.
   */
  grow(used: number, needed: number): void {
    const grown = takeBuffer(Math.max(this.#buffer.length * 2, needed, BUSY_CAPACITY));
    grown.set(this.#buffer.subarray(0, used));
    giveBack(this.#buffer);
    this.#buffer = grown;
  }

  /**
   * Adds the frame whose body was written up to `end`. `expires` says whether its header has a
   * deadline.
   */
  commit(end: number, expires: boolean): void {
    const at = this.#size;
    const length = end - at - PREFIX_LENGTH;
    const buffer = this.#buffer;
    buffer[at] = length >>> 24;
    buffer[at + 1] = length >>> 16;
    buffer[at + 2] = length >>> 8;
    buffer[at + 3] = length;
    this.#size = end;
    this.#added += end - at;
    this.#expires ||= expires;
    if (length > 1) this.#messages++;
  }

  /**
   * Adds what was written up to `end` like {@linkcode Outbox.commit}, if it is large, or large messages
   * wait. It stays in order with all messages between the same actors. Others may overtake a large one.
   */
  commitInOrder(end: number, { pair, expires, payload }: Ordered): void {
    const start = this.bodyStart;
    if (end - start > MAX_FRAME) {
      const place = this.#detach(end);
      const large = new LargeMessage(place.bytes, { ...place, pair, payload });
      this.#queues.push({ large, followers: new Outbox(), behind: this.#added });
      this.#queued += end - start;
      return;
    }
    const queue = this.#queues.findLast(({ large }) => large.precedes(pair));
    if (!queue) return this.commit(end, expires);
    queue.followers.#append(this.#buffer.subarray(start, end), expires);
    this.#queued += end - this.#size;
  }

  /**
   * Takes the body that was written up to `end` out of the buffer. The smaller of the body and of what
   * is before it is copied.
   */
  #detach(end: number): { bytes: Uint8Array<ArrayBuffer>; start: number; end: number } {
    const bytes = this.#buffer;
    const size = this.#size;
    if (size > end - size) {
      const copy = takeBuffer(end - size);
      copy.set(bytes.subarray(size, end));
      this.abandon();
      return { bytes: copy, start: PREFIX_LENGTH, end: end - size };
    }
    this.#buffer = takeBuffer(size);
    this.#buffer.set(bytes.subarray(0, size));
    this.#dropView();
    return { bytes, start: size + PREFIX_LENGTH, end };
  }

  /** Drops the unfinished body. A buffer that grew large for it is not kept. */
  abandon(): void {
    if (this.#buffer.length <= MAX_KEPT || this.#size > MAX_KEPT) return;
    const kept = takeBuffer(MAX_KEPT);
    kept.set(this.#buffer.subarray(0, this.#size));
    giveBack(this.#buffer);
    this.#buffer = kept;
  }

  /**
   * Takes out the frames to write next, up to the one with which they reach {@linkcode MAX_WRITE}
   * bytes, or a piece of a large message in turn with them. The bytes must have been written by the next
   * call. They are empty if nothing is left, or has expired.
   */
  take(): Uint8Array<ArrayBuffer> {
    giveBack(this.#finished);
    this.#finished = EMPTY;
    const first = this.#queues[0];
    if (first) {
      const framesSize = this.#framesSize;
      const mayBegin = this.#added - framesSize >= first.behind;
      const isPieceNext = framesSize === 0 || mayBegin && this.#isPieceNext;
      this.#isPieceNext = !isPieceNext;
      if (isPieceNext) return this.#takePiece(first);
    }
    if (this.#next === this.#end) this.#swap();
    if (this.#leavingExpire || this.#end - this.#next > MAX_WRITE) return this.#takeFrames();
    const bytes = this.#leaving.subarray(this.#next, this.#end);
    this.#next = this.#end;
    this.#messagesTaken += this.#leavingMessages;
    this.#leavingMessages = 0;
    return bytes;
  }

  /** Drops everything except what was taken out. */
  clear(): void {
    this.#buffer = this.#leaving = this.#finished = EMPTY;
    this.#dropView();
    this.#size = this.#next = this.#end = 0;
    this.#expires = this.#leavingExpire = false;
    this.#messages = this.#leavingMessages = 0;
    this.#queues = [];
    this.#queued = 0;
  }

  /** Gives the buffers back if nothing waits. Call it when everything that was taken out is written. */
  rest(): void {
    if (this.size > 0) return;
    giveBack(this.#buffer);
    giveBack(this.#leaving);
    giveBack(this.#finished);
    this.#buffer = this.#leaving = this.#finished = EMPTY;
    this.#dropView();
  }

  #dropView(): void {
    this.#viewed = EMPTY;
    this.#view = NO_VIEW;
  }

  #takePiece({ large, followers }: Queue): Uint8Array<ArrayBuffer> {
    const { rest } = large;
    const isDropped = !large.begun && hasExpired(large);
    const piece = isDropped ? EMPTY : large.take();
    if (!isDropped && large.rest > 0) {
      this.#queued -= rest - large.rest;
      return piece;
    }
    if (!isDropped) this.#messagesTaken++;
    this.#finished = large.bytes;
    this.#queues.shift();
    this.#queued -= rest + followers.size;
    followers.#moveTo(this);
    // The next one may be between the same actors as those.
    if (this.#queues.length > 0) this.#queues[0]!.behind = this.#added;
    return piece;
  }

  /** Moves frames of which none was taken out. */
  #moveTo(target: Outbox): void {
    const view = new DataView(this.#buffer.buffer);
    for (let at = 0; at < this.#size;) {
      const start = at + PREFIX_LENGTH;
      at = start + view.getUint32(at);
      target.#append(this.#buffer.subarray(start, at), this.#expires);
    }
    giveBack(this.#buffer);
  }

  #swap(): void {
    const written = this.#leaving;
    this.#leaving = this.#buffer;
    this.#leavingExpire = this.#expires;
    this.#next = 0;
    this.#end = this.#size;
    this.#buffer = written;
    if (written.length > MAX_KEPT) {
      this.#buffer = EMPTY;
      giveBack(written);
    }
    this.#size = 0;
    this.#expires = false;
    this.#leavingMessages = this.#messages;
    this.#messages = 0;
  }

  /** Takes frames one by one, without those that have expired. */
  #takeFrames(): Uint8Array<ArrayBuffer> {
    const bytes = this.#leaving;
    const view = new DataView(bytes.buffer);
    const now = performance.now();
    const start = this.#next;
    let end = start;
    let at = start;
    while (at < this.#end && end - start < MAX_WRITE) {
      const next = at + PREFIX_LENGTH + view.getUint32(at);
      const isMessage = next - at > PREFIX_LENGTH + 1;
      if (isMessage) this.#leavingMessages--;
      if (!this.#leavingExpire || !isExpired(view, { start: at, end: next, now })) {
        if (end !== at) bytes.copyWithin(end, at, next);
        end += next - at;
        if (isMessage) this.#messagesTaken++;
      }
      at = next;
    }
    this.#next = at;
    return bytes.subarray(start, end);
  }
}

/** {@linkcode isExpired} of a large message that has not begun. */
function hasExpired({ bytes, start }: LargeMessage): boolean {
  const view = new DataView(bytes.buffer);
  return isExpired(view, {
    start: start - PREFIX_LENGTH,
    end: bytes.length,
    now: performance.now(),
  });
}

/** Whether the deadline of a frame has passed. If not, its header gets the remaining timeout. */
function isExpired(
  view: DataView,
  { start, end, now }: { start: number; end: number; now: number },
): boolean {
  // The body of a heartbeat or of a frame of the handshake has no envelope header.
  if (end - start < TIMEOUT + 8 || !(view.getUint8(start + FLAGS) & FLAG_TIMEOUT)) {
    return false;
  }
  const rest = view.getFloat64(start + TIMEOUT, true) - now;
  view.setFloat64(start + TIMEOUT, rest, true);
  return rest <= 0;
}
