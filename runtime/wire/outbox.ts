/**
 * The outbox: frames gathered until they are written.
 *
 * @module
 */
import { HEADER_LENGTH } from "./frame_reader.ts";

const INITIAL_CAPACITY = 64 * 1024;

/** The largest buffer that is kept for reuse, in bytes: what gathers up to the high-water mark. */
const MAX_KEPT = 4 * 1024 * 1024;

/** Frames in the order they are to be sent, in one buffer. */
export class Outbox {
  #buffer = new Uint8Array(INITIAL_CAPACITY);
  #spare: Uint8Array<ArrayBuffer> | undefined;
  #size = 0;

  /** How many bytes are waiting. */
  get size(): number {
    return this.#size;
  }

  /** Adds a frame; the body is copied. */
  add(body: Uint8Array): void {
    const end = this.#size + HEADER_LENGTH + body.length;
    if (end > this.#buffer.length) this.#grow(end);
    const buffer = this.#buffer;
    const length = body.length;
    const at = this.#size;
    buffer[at] = length >>> 24;
    buffer[at + 1] = length >>> 16;
    buffer[at + 2] = length >>> 8;
    buffer[at + 3] = length;
    buffer.set(body, at + HEADER_LENGTH);
    this.#size = end;
  }

  /** Takes all bytes out to be written; {@linkcode Outbox.release} gives their buffer back. */
  take(): Uint8Array {
    const bytes = this.#buffer.subarray(0, this.#size);
    this.#buffer = this.#spare ?? new Uint8Array(INITIAL_CAPACITY);
    this.#spare = undefined;
    this.#size = 0;
    return bytes;
  }

  /** Takes the buffer of written bytes back, unless it is one that grew far. */
  release(bytes: Uint8Array): void {
    const { buffer } = bytes;
    if (buffer.byteLength <= MAX_KEPT) {
      this.#spare = new Uint8Array(buffer as ArrayBuffer);
    }
  }

  /** Drops everything. */
  clear(): void {
    this.#size = 0;
    this.#buffer = new Uint8Array(INITIAL_CAPACITY);
  }

  #grow(needed: number): void {
    let capacity = this.#buffer.length * 2;
    while (capacity < needed) capacity *= 2;
    const grown = new Uint8Array(capacity);
    grown.set(this.#buffer.subarray(0, this.#size));
    this.#buffer = grown;
  }
}
