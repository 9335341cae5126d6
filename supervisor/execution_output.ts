/**
 * What a program has written, kept until an operator has read it.
 *
 * @module
 */
import type { Bytes } from "../runtime/server/credentials.ts";
import { KEPT_OUTPUT, MAX_OUTPUT_PART, type ProcessOutputPart } from "./executions_protocol.ts";

/** Parts up to this size in all become one, in bytes. */
const SMALL_PART = 4096;

/** A part and its position in the output of both streams together. */
interface KeptPart extends ProcessOutputPart {
  readonly at: number;
}

/** The output of a program: bounded, and read from any position that is still kept. */
export class ExecutionOutput {
  #waitsForReader: boolean;
  readonly #limit: number;
  readonly #parts: KeptPart[] = [];
  /** The position of the oldest byte that is kept. */
  #begin = 0;
  #end = 0;
  #isClosed = false;
  #changed = Promise.withResolvers<void>();

  /**
   * Keeps output.
   *
   * @param options.waitsForReader whether writers wait when {@linkcode KEPT_OUTPUT} bytes were not
   * read; else the oldest are dropped.
   */
  constructor({ waitsForReader }: { readonly waitsForReader: boolean }) {
    this.#waitsForReader = waitsForReader;
    // What the reader has not read is only dropped if it comes after the program has ended.
    this.#limit = waitsForReader ? 2 * KEPT_OUTPUT : KEPT_OUTPUT;
  }

  /** The number of bytes that were written. */
  get length(): number {
    return this.#end;
  }

  /** Keeps a part. Resolves when the next may come. */
  async add(stream: ProcessOutputPart["stream"], bytes: Bytes): Promise<void> {
    this.#append(stream, bytes);
    this.#end += bytes.length;
    this.#change();
    while (this.#waitsForReader && this.#end - this.#begin > KEPT_OUTPUT) {
      await this.#changed.promise;
    }
    if (!this.#waitsForReader) this.#drop(this.#end - this.#limit);
  }

  /** Lets writers go on without the reader: the program has ended, and not much more comes. */
  release(): void {
    this.#waitsForReader = false;
    this.#change();
  }

  /** Nothing more comes. */
  close(): void {
    this.#isClosed = true;
    this.#change();
  }

  /**
   * Reads what is after a position, at most {@linkcode MAX_OUTPUT_PART} bytes. If writers wait for
   * the reader, what is before the position is dropped.
   */
  read(after: number): {
    parts: ProcessOutputPart[];
    position: number;
    lost: number;
    isLast: boolean;
  } {
    // A position after the end is that of an earlier run of a program that was restarted.
    const wanted = after > this.#end ? 0 : after;
    if (this.#waitsForReader) this.#drop(wanted);
    const from = Math.max(wanted, this.#begin);
    const parts: ProcessOutputPart[] = [];
    let next = from;
    for (const { at, stream, bytes } of this.#parts) {
      const room = MAX_OUTPUT_PART - (next - from);
      if (at + bytes.length <= next) continue;
      if (room === 0) break;
      const part = bytes.subarray(next - at, next - at + room);
      parts.push({ stream, bytes: part });
      next += part.length;
    }
    return {
      parts,
      position: next,
      lost: from - wanted,
      isLast: this.#isClosed && next === this.#end,
    };
  }

  /** Resolves when something is after a position, or nothing more comes. */
  async grows(after: number): Promise<void> {
    while (this.#end === after && !this.#isClosed) await this.#changed.promise;
  }

  /** A program may write single bytes, which must not take an object each. */
  #append(stream: ProcessOutputPart["stream"], bytes: Bytes): void {
    const last = this.#parts.at(-1);
    if (last?.stream !== stream || last.bytes.length + bytes.length > SMALL_PART) {
      this.#parts.push({ at: this.#end, stream, bytes });
      return;
    }
    const joined = new Uint8Array(last.bytes.length + bytes.length);
    joined.set(last.bytes);
    joined.set(bytes, last.bytes.length);
    this.#parts[this.#parts.length - 1] = { at: last.at, stream, bytes: joined };
  }

  #drop(before: number): void {
    if (before <= this.#begin) return;
    this.#begin = before;
    const first = this.#parts.findIndex(({ at, bytes }) => at + bytes.length > before);
    this.#parts.splice(0, first < 0 ? this.#parts.length : first);
    this.#change();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
