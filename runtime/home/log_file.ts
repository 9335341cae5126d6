/**
 * A file that a log is appended to.
 *
 * @module
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { EnsembleError } from "../errors.ts";
import { finishAtEnd, StandardStream } from "./standard_stream.ts";
import { writeReady } from "./write_all.ts";

/** Only the owner may read it: what is in a log may be nobody else's business. */
const MODE = 0o600;

const encoder = new TextEncoder();

/**
 * A log's file. Each write is done when it returns. A pipe or a terminal in the place of the file is written to as
 * standard error is.
 */
export class LogFile implements Disposable {
  readonly #path: string;
  #file: Deno.FsFile | OpenPipe;
  /** The last write ended within a line, for want of space. */
  #isTorn = false;

  /**
   * Opens the file at a path, and makes it where it is missing.
   *
   * @throws {EnsembleError} when it cannot be opened.
   */
  constructor(path: string) {
    this.#path = resolve(path);
    this.#file = open(this.#path);
  }

  /**
   * Goes on in the file that is at the path now: the one that was there may have been renamed.
   *
   * @throws {EnsembleError} when that cannot be opened; then the one before stays in use.
   */
  reopen(): void {
    const file = open(this.#path);
    this.#file[Symbol.dispose]();
    this.#file = file;
    this.#isTorn = false;
  }

  /**
   * Writes whole lines.
   *
   * @returns why they are lost, wholly or in part; undefined when they were written.
   */
  write(lines: string): Error | undefined {
    if (this.#file instanceof OpenPipe) return this.#file.stream.write(lines);
    const bytes = encoder.encode(this.#isTorn ? `\n${lines}` : lines);
    const { count, error } = writeReady(this.#file, bytes);
    if (error === undefined) this.#isTorn = false;
    else if (count > 0) this.#isTorn = bytes[count - 1] !== 0x0a;
    return error as Error | undefined;
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

/** A pipe, or anything else that is no file and may be read late. */
class OpenPipe implements Disposable {
  readonly #descriptor: number;
  readonly stream: StandardStream;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    const writeSome = (bytes: Uint8Array) => writeSync(descriptor, bytes);
    this.stream = finishAtEnd(new StandardStream({ writeSync: writeSome }));
  }

  [Symbol.dispose](): void {
    this.stream[Symbol.dispose]();
    closeSync(this.#descriptor);
  }
}

function open(path: string): Deno.FsFile | OpenPipe {
  try {
    return openPipe(path) ?? Deno.openSync(path, { append: true, create: true, mode: MODE });
  } catch (error) {
    throw new EnsembleError(`cannot write the log file ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Opens what does not block; undefined for a file, and for what cannot be opened in any way. */
function openPipe(path: string): OpenPipe | undefined {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    const flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY;
    const descriptor = openSync(path, flags, MODE);
    if (!fstatSync(descriptor).isFile()) return new OpenPipe(descriptor);
    closeSync(descriptor);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENXIO") return undefined;
    throw new Error("it is a pipe that nobody reads, or a socket");
  }
}
