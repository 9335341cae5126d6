/**
 * Standard output and standard error of a process: servers never wait for a reader, commands do.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";

/**
 * The size of one write, in bytes. A pipe accepts a write of this size whole or not at all
 * (`PIPE_BUF` of Linux; see pipe(7)). This matters because Deno does not report how much of a
 * failed write was done.
 */
const PIECE = 4096;

/** Delay before a blocked stream is tried again, in ms. */
const PAUSE = 5;

const NEWLINE = "\n".charCodeAt(0);

const sleeper = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/** A stream that can be written to: standard output, standard error, a file. */
export interface SyncWriter {
  /** Writes some of the bytes, and returns their number. */
  writeSync(bytes: Uint8Array): number;
}

/** The result of a write. */
export interface Written {
  /** The number of bytes written. */
  readonly count: number;
  /**
   * The reason why no more were written, unless the reader is slow: then a later write may
   * continue.
   */
  readonly error?: unknown;
}

/**
 * Writes all bytes. Waits if a stream is not ready, since another program may have made it
 * non-blocking. The process then blocks until the reader continues, as with any blocking stream.
 *
 * @throws what `writeSync` throws, except {@linkcode Deno.errors.WouldBlock}.
 */
export function writeAll(writer: SyncWriter, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) {
    const { count, error } = writeReady(writer, bytes.subarray(written));
    if (error !== undefined) throw error;
    written += count;
    if (written < bytes.length) pause();
  }
}

/** Writes as many bytes as a stream accepts now. */
export function writeReady(writer: SyncWriter, bytes: Uint8Array): Written {
  let count = 0;
  try {
    while (count < bytes.length) count += writer.writeSync(nextPiece(bytes.subarray(count)));
  } catch (error) {
    return error instanceof Deno.errors.WouldBlock ? { count } : { count, error };
  }
  return { count };
}

/** Waits a moment for a reader. Blocks the process. */
export function pause(): void {
  Atomics.wait(sleeper, 0, 0, PAUSE);
}

/**
 * Prefers whole lines: standard output buffers up to 1 KiB after the last newline of a write, which
 * would be written again after a failure.
 */
function nextPiece(bytes: Uint8Array): Uint8Array {
  const piece = bytes.subarray(0, PIECE);
  const lines = piece.lastIndexOf(NEWLINE) + 1;
  return lines > 0 ? piece.subarray(0, lines) : piece;
}

/** The maximum amount kept for a reader that is slow or has stopped, in bytes. */
const MAX_WAITING = 16 * 1024 * 1024;

/** How long a write waits when the buffer is full, in ms. Output after that is lost. */
const STALL = 500;

/** How long an ending process waits for a reader that accepts nothing, in ms. */
const PATIENCE = 5_000;

/** The delays before a blocked stream is tried again, in ms: short at first, then longer. */
const MIN_RETRY = 1;
const MAX_RETRY = 50;

/**
 * The size of buffer chunks, in bytes: keeping each line separately would take several times its
 * length.
 */
const CHUNK_LENGTH = 65_536;

const DESCRIPTORS = { stdout: 1, stderr: 2 } as const;

const encoder = new TextEncoder();

const streams: Partial<Record<keyof typeof DESCRIPTORS, StandardStream>> = {};

/** The streams that a process flushes before it ends, while their readers read. */
const finished = new Set<StandardStream>();

/** The stream of standard output or standard error, for a server's process. */
export function standardStream(name: keyof typeof DESCRIPTORS): StandardStream {
  return streams[name] ??= finishAtEnd(new StandardStream(openWriter(name)));
}

/** Makes the process flush a stream before it ends. */
export function finishAtEnd(stream: StandardStream): StandardStream {
  if (finished.size === 0) addEventListener("unload", finishAll);
  finished.add(stream);
  return stream;
}

function finishAll(): void {
  const all = [...finished];
  flushUntil(() => all.every((stream) => !stream.isWaiting), all, PATIENCE);
}

/**
 * Flushes until `isEnough`, and returns whether it was. Gives up when nothing was accepted for
 * `patience` ms.
 */
function flushUntil(isEnough: () => boolean, all: StandardStream[], patience: number): boolean {
  for (let last = performance.now(); performance.now() - last < patience; pause()) {
    const taken = all.map((stream) => stream.flush());
    if (isEnough()) return true;
    if (taken.includes(true)) last = performance.now();
  }
  return false;
}

/** A chunk of the buffer: the bytes from `start` to `end`, and room for more. */
interface Chunk {
  readonly bytes: Uint8Array;
  start: number;
  end: number;
}

/**
 * A stream that is written to at once, and never throws or blocks for long. Output that it does not
 * accept is buffered. Output is lost if writing fails, or while the buffer is full and the reader
 * has stopped.
 */
export class StandardStream implements Disposable {
  readonly #writer: SyncWriter;
  readonly #waiting: Chunk[] = [];
  #waitingBytes = 0;
  /** Whether the buffer overflowed: output is dropped until the buffer is empty. */
  #isFull = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #retryDelay = MIN_RETRY;

  /** Creates a stream over a non-blocking writer. */
  constructor(writer: SyncWriter) {
    this.#writer = writer;
  }

  /** Whether output is still buffered. */
  get isWaiting(): boolean {
    return this.#waitingBytes > 0;
  }

  /**
   * Writes a text, or bytes.
   *
   * @returns the reason if it is lost, even in part; undefined if it was written or buffered.
   */
  write(data: string | Uint8Array): Error | undefined {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    if (this.isWaiting) return this.#keep(bytes);
    const { count, error } = writeReady(this.#writer, bytes);
    if (error !== undefined) return error as Error;
    if (count < bytes.length) return this.#keep(bytes.subarray(count));
  }

  #keep(bytes: Uint8Array): Error | undefined {
    const hasRoom = () => !this.isWaiting || this.#waitingBytes + bytes.length <= MAX_WAITING;
    if (!this.#isFull && !hasRoom()) this.#isFull = !flushUntil(hasRoom, [this], STALL);
    if (this.#isFull) return new Error("the reader does not read");
    const last = this.#waiting.at(-1);
    if (last && last.bytes.length - last.end >= bytes.length) {
      last.bytes.set(bytes, last.end);
      last.end += bytes.length;
    } else {
      const chunk = new Uint8Array(Math.max(CHUNK_LENGTH, bytes.length));
      chunk.set(bytes);
      this.#waiting.push({ bytes: chunk, start: 0, end: bytes.length });
    }
    this.#waitingBytes += bytes.length;
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#retryDelay = this.flush() ? MIN_RETRY : Math.min(2 * this.#retryDelay, MAX_RETRY);
      if (this.isWaiting) this.#retryLater();
    }, this.#retryDelay);
    this.#retry.unref();
  }

  /** Writes buffered output until the stream accepts no more. Returns whether it accepted any. */
  flush(): boolean {
    let tookSome = false;
    for (let chunk; (chunk = this.#waiting[0]) !== undefined;) {
      const bytes = chunk.bytes.subarray(chunk.start, chunk.end);
      const { count, error } = writeReady(this.#writer, bytes);
      // Failed output is dropped, as in a direct write that fails.
      const done = error === undefined ? count : bytes.length;
      if (done > 0) tookSome = true;
      this.#waitingBytes -= done;
      chunk.start += done;
      if (done < bytes.length) break;
      this.#waiting.shift();
    }
    if (!this.isWaiting) this.#isFull = false;
    return tookSome;
  }

  /**
   * Writes buffered output as long as it is accepted, and never writes again, since the descriptor
   * may be closed.
   */
  [Symbol.dispose](): void {
    flushUntil(() => !this.isWaiting, [this], STALL);
    clearTimeout(this.#retry);
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    finished.delete(this);
  }
}

/**
 * Opens a non-blocking descriptor of our own for streams that may block: a pipe, a terminal. The
 * inherited one stays as it is, since other processes share it. If none can be opened, as for a
 * socket, the stream itself is used. (Node does not report a write that fails after a part: on a
 * suspended terminal, a part of a line may be repeated.)
 */
function openWriter(name: keyof typeof DESCRIPTORS): SyncWriter {
  const descriptor = DESCRIPTORS[name];
  // Loaded here, since only servers need it, and it takes a third of the time of a short command.
  const { constants, fstatSync, openSync, writeSync } = process.getBuiltinModule("node:fs");
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    if (Deno.build.os === "linux" && !fstatSync(descriptor).isFile()) {
      // On Linux, this opens the file behind a descriptor again; elsewhere it duplicates the
      // descriptor.
      const path = `/proc/self/fd/${descriptor}`;
      const own = openSync(path, O_WRONLY | O_NONBLOCK | O_NOCTTY);
      return { writeSync: (bytes) => writeSync(own, bytes) };
    }
  } catch {
    // A socket, a stream of another user, or no permission.
  }
  return Deno[name];
}

let isReaderGone = false;

/**
 * Whether standard output still has a reader, as far as the last write to it has shown. A command
 * that goes on until it is stopped ends without one.
 */
export function hasReader(): boolean {
  return !isReaderGone;
}

/**
 * Writes a text to standard output. A reader that stopped early is not an error.
 *
 * @throws {EnsembleError} if it cannot be written, as on a full disk.
 */
export function writeOutput(text: string): void {
  try {
    writeAll(Deno.stdout, encoder.encode(text));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) {
      isReaderGone = true;
      return;
    }
    throw new EnsembleError(`cannot write the output: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * Writes a text to standard error, after what a server of this process has written there.
 *
 * @returns the reason if the text is lost, or undefined. The command continues either way.
 */
export function writeErrors(text: string): Error | undefined {
  if (streams.stderr) return streams.stderr.write(text);
  try {
    writeAll(Deno.stderr, encoder.encode(text));
  } catch (error) {
    return error as Error;
  }
}
