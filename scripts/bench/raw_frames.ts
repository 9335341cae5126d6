/**
 * Frames on a bare socket: a `u32` length and that many bytes. They are all that the floor has of a
 * message system.
 *
 * @module
 */
import type { RawStream } from "./raw_stream.ts";

const PREFIX = 4;

/** Makes the bytes of a frame. */
export function frameOf(body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(PREFIX + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, PREFIX);
  return frame;
}

/** Frames that are gathered, and leave in one write. */
export class FrameBatch {
  #buffer = new Uint8Array(256 * 1024);
  #spare = new Uint8Array(256 * 1024);
  #size = 0;

  /** The number of bytes gathered. */
  get size(): number {
    return this.#size;
  }

  /** Adds a frame. */
  add(body: Uint8Array): void {
    this.#reserve(PREFIX + body.length);
    this.#buffer.set(body, this.#open(body.length));
  }

  /** Writes what was gathered. */
  async writeTo(stream: RawStream): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#size);
    [this.#buffer, this.#spare] = [this.#spare, this.#buffer];
    this.#size = 0;
    await stream.write(bytes);
  }

  #open(length: number): number {
    const at = this.#size;
    const buffer = this.#buffer;
    buffer[at] = length >>> 24;
    buffer[at + 1] = length >>> 16;
    buffer[at + 2] = length >>> 8;
    buffer[at + 3] = length;
    this.#size = at + PREFIX + length;
    return at + PREFIX;
  }

  #reserve(length: number): void {
    if (this.#size + length <= this.#buffer.length) return;
    const larger = new Uint8Array(2 * (this.#size + length));
    larger.set(this.#buffer.subarray(0, this.#size));
    this.#buffer = larger;
  }
}

/** Cuts the bytes of a stream into frames. */
export class FrameCutter {
  #rest: Uint8Array = new Uint8Array();
  #large: Uint8Array | undefined;
  #filled = 0;

  /** Calls `take` for each frame that the bytes complete. A body is valid until `take` returns. */
  cut(bytes: Uint8Array, take: (body: Uint8Array) => void): void {
    let at = 0;
    while (true) {
      if (this.#large) {
        const part = bytes.subarray(at, at + this.#large.length - this.#filled);
        this.#large.set(part, this.#filled);
        this.#filled += part.length;
        at += part.length;
        if (this.#filled < this.#large.length) return;
        const body = this.#large;
        this.#large = undefined;
        take(body);
        continue;
      }
      if (this.#rest.length > 0) {
        const joined = new Uint8Array(this.#rest.length + bytes.length - at);
        joined.set(this.#rest);
        joined.set(bytes.subarray(at), this.#rest.length);
        bytes = joined;
        at = 0;
        this.#rest = EMPTY;
      }
      if (bytes.length - at < PREFIX) break;
      const length = bytes[at]! * 0x1000000 +
        (bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!);
      if (bytes.length - at - PREFIX >= length) {
        at += PREFIX;
        take(bytes.subarray(at, at += length));
      } else if (length >= LARGE) {
        // It is gathered in place, so that it is copied once.
        this.#large = new Uint8Array(length);
        this.#filled = 0;
        at += PREFIX;
      } else break;
    }
    this.#rest = bytes.slice(at);
  }
}

const LARGE = 16 * 1024;
const EMPTY = new Uint8Array();
