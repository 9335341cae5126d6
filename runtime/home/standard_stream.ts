/**
 * The standard output and standard error of a process: of servers, which never wait for a reader, and of
 * commands, which do.
 *
 * @module
 */
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { EnsembleError } from "../errors.ts";

/**
 * How much is written at once, in bytes. A pipe takes as much as this whole or not at all (`PIPE_BUF` of
 * Linux; see pipe(7)), which matters because Deno does not say how much of a write that fails was done.
 */
const PIECE = 4096;

/** How long to wait before a stream that takes nothing more is tried again, in ms. */
const PAUSE = 5;

const NEWLINE = "\n".charCodeAt(0);

const sleeper = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/** What can be written to: standard output, standard error, a file. */
export interface SyncWriter {
  /** Writes some of the bytes, and says how many. */
  writeSync(bytes: Uint8Array): number;
}

/** What became of a write. */
export interface Written {
  /** How many bytes were written. */
  readonly count: number;
  /** Why no more were, if it is not for want of a reader: then a later write may go on. */
  readonly error?: unknown;
}

/**
 * Writes all the bytes. Waits where a stream is not ready, as a program further up may have made it
 * non-blocking: then the process stands still for as long as nobody reads, as it does with any other.
 *
 * @throws what `writeSync` throws, but for {@linkcode Deno.errors.WouldBlock}.
 */
export function writeAll(writer: SyncWriter, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) {
    const { count, error } = writeReady(writer, bytes.subarray(written));
    if (error !== undefined) throw error;
    written += count;
    if (written < bytes.length) pause();
  }
}

/** Writes as many of the bytes as a stream takes now. */
export function writeReady(writer: SyncWriter, bytes: Uint8Array): Written {
  let count = 0;
  try {
    while (count < bytes.length) count += writer.writeSync(nextPiece(bytes.subarray(count)));
  } catch (error) {
    return error instanceof Deno.errors.WouldBlock ? { count } : { count, error };
  }
  return { count };
}

/** Waits a moment for a reader. Nothing else happens in the process meanwhile. */
export function pause(): void {
  Atomics.wait(sleeper, 0, 0, PAUSE);
}

/**
 * Whole lines where there are some: of what follows the last newline of a write, standard output keeps
 * up to 1 KiB in a buffer, which would be written once more after a failure.
 */
function nextPiece(bytes: Uint8Array): Uint8Array {
  const piece = bytes.subarray(0, PIECE);
  const lines = piece.lastIndexOf(NEWLINE) + 1;
  return lines > 0 ? piece.subarray(0, lines) : piece;
}

/** How much is kept at most for a reader that is slow or has stopped reading, in bytes. */
const MAX_WAITING = 16 * 1024 * 1024;

/** How long a write waits where more is kept for a reader that takes nothing, in ms. What comes then is lost. */
const STALL = 500;

/** How long a process that ends waits for a reader that takes nothing, in ms. */
const PATIENCE = 5_000;

/** When a stream that takes nothing more is tried again, in ms: soon, and then after ever longer times. */
const MIN_RETRY = 1;
const MAX_RETRY = 50;

/** In what portions it is kept, in bytes: each line by itself would take several times its length. */
const CHUNK_LENGTH = 65_536;

const DESCRIPTORS = { stdout: 1, stderr: 2 } as const;

const encoder = new TextEncoder();

const streams: Partial<Record<keyof typeof DESCRIPTORS, StandardStream>> = {};

/** The streams that a process waits for when it ends, as long as their readers read. */
const finished = new Set<StandardStream>();

/** The stream of standard output or standard error, of a process that is a server. */
export function standardStream(name: keyof typeof DESCRIPTORS): StandardStream {
  return streams[name] ??= finishAtEnd(new StandardStream(openWriter(name)));
}

/** Makes the process write what waits in a stream before it ends. */
export function finishAtEnd(stream: StandardStream): StandardStream {
  if (finished.size === 0) addEventListener("unload", finishAll);
  finished.add(stream);
  return stream;
}

function finishAll(): void {
  const all = [...finished];
  flushUntil(() => all.every((stream) => !stream.isWaiting), all, PATIENCE);
}

/** Writes what waits until it is enough, and says so; gives up when nothing has been taken for `patience` ms. */
function flushUntil(isEnough: () => boolean, all: StandardStream[], patience: number): boolean {
  for (let last = performance.now(); performance.now() - last < patience; pause()) {
    const taken = all.map((stream) => stream.flush());
    if (isEnough()) return true;
    if (taken.includes(true)) last = performance.now();
  }
  return false;
}

/** A portion of what is kept: the bytes from `start` to `end`, and room for more. */
interface Chunk {
  readonly bytes: Uint8Array;
  start: number;
  end: number;
}

/**
 * A stream that is written to at once, and never throws nor waits for long: what it does not take is kept until it does.
 * What it cannot take is lost, and so is what comes when a lot is kept already and nobody reads.
 */
export class StandardStream implements Disposable {
  readonly #writer: SyncWriter;
  readonly #waiting: Chunk[] = [];
  #waitingBytes = 0;
  /** More has come than is kept: what comes now is lost, until all that waits is written. */
  #isFull = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #retryDelay = MIN_RETRY;

  /** One that writes with a writer which does not wait. */
  constructor(writer: SyncWriter) {
    this.#writer = writer;
  }

  /** Whether some of what was written has still to be taken. */
  get isWaiting(): boolean {
    return this.#waitingBytes > 0;
  }

  /**
   * Writes a text, or bytes.
   *
   * @returns why it is lost, wholly or in part; undefined when it was written, or will be.
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
    if (this.#isFull) return new Error("nobody reads it");
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

  /** Writes what waits, up to where the stream takes no more; says whether it took anything. */
  flush(): boolean {
    let tookSome = false;
    for (let chunk; (chunk = this.#waiting[0]) !== undefined;) {
      const bytes = chunk.bytes.subarray(chunk.start, chunk.end);
      const { count, error } = writeReady(this.#writer, bytes);
      // What fails is lost, as it is in a write that fails at once.
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

  /** Writes what waits, as long as it is taken, and never writes again: its descriptor may be closed. */
  [Symbol.dispose](): void {
    flushUntil(() => !this.isWaiting, [this], STALL);
    clearTimeout(this.#retry);
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    finished.delete(this);
  }
}

/**
 * A descriptor of our own that never blocks, for all that may: a pipe, a terminal. The one that the process was
 * given stays as it is, since other processes have it too. Where there is no way to one, as for a socket, it is written
 * to as it is. (Node says nothing of a write that fails after a part: on a terminal that shows nothing more, a part of one
 * line may come twice.)
 */
function openWriter(name: keyof typeof DESCRIPTORS): SyncWriter {
  const descriptor = DESCRIPTORS[name];
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    if (Deno.build.os === "linux" && !fstatSync(descriptor).isFile()) {
      // Linux opens what is behind a descriptor anew; elsewhere that is another name for the same one.
      const path = `/proc/self/fd/${descriptor}`;
      const own = openSync(path, O_WRONLY | O_NONBLOCK | O_NOCTTY);
      return { writeSync: (bytes) => writeSync(own, bytes) };
    }
  } catch {
    // A socket, a stream of another user's, or no permission.
  }
  return Deno[name];
}

/**
 * Writes a text on standard output. A reader that stopped early is no failure.
 *
 * @throws {EnsembleError} when it cannot be written, as on a full disk.
 */
export function writeOutput(text: string): void {
  try {
    writeAll(Deno.stdout, encoder.encode(text));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return;
    throw new EnsembleError(`the output cannot be written: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * Writes a text on standard error, after what a server of this process has written there.
 *
 * @returns why the text is lost, or undefined when it was written. The command goes on either way.
 */
export function writeErrors(text: string): Error | undefined {
  if (streams.stderr) return streams.stderr.write(text);
  try {
    writeAll(Deno.stderr, encoder.encode(text));
  } catch (error) {
    return error as Error;
  }
}
