/**
 * A file that a log is appended to.
 *
 * @module
 */
import { resolve } from "node:path";
import { EnsembleError } from "../errors.ts";
import { writeReady } from "./write_all.ts";

/** Only the owner may read it: what is in a log may be nobody else's business. */
const MODE = 0o600;

const encoder = new TextEncoder();

/** A log's file. Each write is done when it returns. */
export class LogFile implements Disposable {
  readonly #path: string;
  #file: Deno.FsFile;
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
    this.#file.close();
    this.#file = file;
    this.#isTorn = false;
  }

  /**
   * Writes whole lines.
   *
   * @returns why they are lost, wholly or in part; undefined when they were written.
   */
  write(lines: string): Error | undefined {
    const bytes = encoder.encode(this.#isTorn ? `\n${lines}` : lines);
    const { count, error } = writeReady(this.#file, bytes);
    if (error === undefined) this.#isTorn = false;
    else if (count > 0) this.#isTorn = bytes[count - 1] !== 0x0a;
    return error as Error | undefined;
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

function open(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { append: true, create: true, mode: MODE });
  } catch (error) {
    throw new EnsembleError(`cannot write the log file ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
