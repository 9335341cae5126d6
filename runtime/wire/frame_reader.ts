/**
 * Reading frames: a `u32` big-endian length, and that many bytes.
 *
 * @module
 */
import { ProtocolError } from "../errors.ts";
import type { ByteStream } from "./stream.ts";

/** The length of a frame's header, in bytes. */
export const HEADER_LENGTH = 4;

const INITIAL_CAPACITY = 64 * 1024;

/**
 * Reads frames in place, from one buffer that grows to the largest frame met and shrinks back after it.
 * After {@linkcode FrameReader.next} said yes, the frame's body is `buffer` from `start` to `end`, until
 * the next {@linkcode FrameReader.fill}.
 */
export class FrameReader {
  /** The bytes read. */
  buffer: Uint8Array = new Uint8Array(INITIAL_CAPACITY);
  /** Where the current frame's body starts. */
  start = 0;
  /** Where it ends. */
  end = 0;
  /** The largest body accepted, in bytes. */
  limit: number;
  readonly #stream: ByteStream;
  #read = 0;
  #filled = 0;

  /** Reads from a stream; a body longer than `limit` bytes is refused. */
  constructor(stream: ByteStream, limit: number) {
    this.#stream = stream;
    this.limit = limit;
  }

  /**
   * Steps to the next frame, if it was read whole.
   *
   * @throws {ProtocolError} when it announces more than the limit.
   */
  next(): boolean {
    const available = this.#filled - this.#read;
    if (available < HEADER_LENGTH) return false;
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
    if (available < HEADER_LENGTH + length) return false;
    this.start = at + HEADER_LENGTH;
    this.end = this.#read = this.start + length;
    return true;
  }

  /** Reads what the stream has; false at its end. */
  async fill(): Promise<boolean> {
    this.#makeRoom();
    const count = await this.#stream.read(this.buffer.subarray(this.#filled));
    if (count === null) return false;
    this.#filled += count;
    return true;
  }

  /** Whether the stream ended inside a frame. */
  get cut(): boolean {
    return this.#filled > this.#read;
  }

  #makeRoom(): void {
    const rest = this.#filled - this.#read;
    if (this.#filled === this.buffer.length || rest === 0) {
      // Doubled as data comes in, never to what a header merely announces.
      const large = this.buffer.length > INITIAL_CAPACITY;
      let target = this.buffer;
      if (rest * 2 > this.buffer.length) target = new Uint8Array(this.buffer.length * 2);
      else if (large && rest * 2 <= INITIAL_CAPACITY) target = new Uint8Array(INITIAL_CAPACITY);
      target.set(this.buffer.subarray(this.#read, this.#filled), 0);
      this.buffer = target;
      this.#read = 0;
      this.#filled = rest;
    }
  }
}

/** Whether a frame's length is the start of a record of TLS: an alert or a handshake (RFC 8446, 5.1). */
function isTlsRecord(length: number): boolean {
  const start = length >>> 8;
  return start >= 0x150300 && start <= 0x150304 || start >= 0x160300 && start <= 0x160304;
}
