/**
 * The file that the process of a server appends its output to, and the older files that came before
 * it.
 *
 * The process keeps the file open. So a rotation copies it, and then empties it. What the process
 * writes in the moment between the two is lost.
 *
 * @module
 */
import { statfs } from "node:fs/promises";
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { OutputConfiguration } from "../configuration/configuration.ts";

const logger = getLogger(["gxensemble", "supervisor"]);

/** The name of the file that is written to. Older files have a growing number after it. */
const NAME = "output.log";

/** The size of the parts in which a file is copied and searched, in bytes. */
const PART = 1 << 16;

/** The byte that ends a line. */
const NEWLINE = 10;

/**
 * How much output one rotation keeps at least, in bytes. A process may write faster than this can be
 * copied: without a limit, the disk would fill, and the copy would never catch up.
 */
const KEPT = 64 << 20;

/** How much is copied at most without giving way, in bytes. */
const LAST_PART = 1 << 20;

/** A disk with less space than this is full, in bytes. */
const LEAST_SPACE = 1 << 13;

/** How often a reader that waits looks for more output, in ms. */
const LOOK = 200;

/** A place in the output. */
export interface OutputPosition {
  /** The number of its file, as text. A rotation begins the next. */
  readonly file: string;
  /** The number of bytes of that file before this place. */
  readonly offset: number;
}

/** Which output to read. */
export interface OutputQuery {
  /** Where to go on. Without it, the last lines are read. */
  readonly after?: OutputPosition | undefined;
  /** The number of last lines to read, if there is no position. Default: 10. */
  readonly lines?: number | undefined;
  /** The maximum number of bytes. Default: 256 KiB. */
  readonly limit?: number | undefined;
  /** How long to wait for more output if there is none, in ms. Default: 0. */
  readonly wait?: number | undefined;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** A part of the output. */
export interface OutputPart {
  /** The bytes, as they were written. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where to go on. */
  readonly position: OutputPosition;
  /** Whether output after the position of the query was dropped before it was read. */
  readonly lost: boolean;
}

/** The output of one server. */
export class OutputFile {
  /** The directory of the files. */
  readonly directory: string;
  #isRotating = false;
  #isFailing = false;
  #isTooFast = false;
  #isDiskFull = false;

  /** The output in a directory, which may not exist yet. */
  constructor(directory: string) {
    this.directory = directory;
  }

  /** The file that is written to. */
  get path(): string {
    return `${this.directory}/${NAME}`;
  }

  /**
   * Creates the file if there is none. Only its owner can read it. Returns the path for the process:
   * `/dev/null` if the file cannot be created, since that is no reason not to start.
   */
  prepare(): string {
    try {
      Deno.mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      Deno.openSync(this.path, { append: true, create: true, mode: 0o600 }).close();
      return this.path;
    } catch (error) {
      logger.error("the output of a server is dropped: cannot open {path}: {reason}", {
        path: this.path,
        reason: (error as Error).message,
      });
      return "/dev/null";
    }
  }

  /**
   * Begins a new file if this one has reached its size, and removes the oldest. If there is no space
   * for the copy, older files are removed, and as a last resort the output is dropped.
   *
   * Also reports that the disk is full. The process itself does not notice: what it writes is lost.
   */
  async rotate({ size, keep }: OutputConfiguration): Promise<void> {
    await this.#reportSpace();
    if (this.#isRotating || fileSize(this.path) < size) return;
    this.#isRotating = true;
    try {
      await this.#rotateNow({ size, keep });
    } catch (error) {
      this.#report("cannot rotate {path}: {reason}", error);
    } finally {
      this.#isRotating = false;
    }
  }

  /** Reads output. Without more, it returns no bytes, after the wait. */
  async read(
    { after, lines = 10, limit = 1 << 18, wait = 0, signal }: OutputQuery = {},
  ): Promise<OutputPart> {
    const until = performance.now() + wait;
    const position = after ?? this.#beforeLastLines(lines, limit);
    while (true) {
      const part = this.#readAt(position, limit);
      const rest = until - performance.now();
      if (part.bytes.length > 0 || part.lost || rest <= 0 || signal?.aborted) return part;
      await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK, rest)));
    }
  }

  async #rotateNow({ size, keep }: OutputConfiguration): Promise<void> {
    const number = this.#current();
    const older = this.#olderFiles();
    // Even without older files, an empty one keeps the number.
    for (const old of older.splice(0, older.length - Math.max(0, keep - 1))) this.#remove(old);
    while (true) {
      try {
        await this.#moveOut(number, { most: keep > 0 ? Math.max(size, KEPT) : 0 });
        this.#isFailing = false;
        return;
      } catch (error) {
        const oldest = older.shift();
        this.#report(
          oldest === undefined
            ? "output of a server is dropped: {path} has no space for a copy: {reason}"
            : "older output of a server is removed: {path} has no space for a copy: {reason}",
          error,
        );
        if (oldest === undefined) break;
        this.#remove(oldest);
      }
    }
    await Deno.truncate(this.path);
  }

  /** Makes the content of the file that of an older one, or the last part of it if it is long. */
  async #moveOut(number: number, { most }: { readonly most: number }): Promise<void> {
    const draft = `${this.path}.part`;
    try {
      using source = await Deno.open(this.path);
      using target = await Deno.open(draft, {
        ...{ write: true, create: true, truncate: true, mode: 0o600 },
      });
      const { size } = await source.stat();
      const skipped = most > 0 ? Math.max(0, size - most) : 0;
      await source.seek(skipped, Deno.SeekMode.Start);
      const part = new Uint8Array(PART);
      let copied = 0;
      // First what is there now, and then, without giving way, what was written meanwhile.
      while (copied < most && skipped + copied + LAST_PART < fileSize(this.path)) {
        const count = await source.read(part);
        if (count === null) break;
        await writeAll(target, part.subarray(0, count));
        copied += count;
      }
      const end = Math.min(most, copied + 2 * LAST_PART);
      while (copied < end) {
        const count = source.readSync(part);
        if (count === null) break;
        writeAllSync(target, part.subarray(0, count));
        copied += count;
      }
      const isCut = skipped > 0 || most > 0 && skipped + copied < fileSize(this.path);
      // A number that is left out shows readers that something is missing.
      Deno.renameSync(draft, this.#pathOf(isCut ? number + 1 : number));
      Deno.truncateSync(this.path);
      this.#reportSpeed(isCut);
    } finally {
      await Deno.remove(draft).catch(() => {}); // A renamed draft no longer exists.
    }
  }

  #readAt({ file, offset }: OutputPosition, limit: number): OutputPart {
    const current = this.#current();
    const older = this.#olderFiles();
    let number = Number(file);
    let lost = false;
    while (true) {
      const isThere = number === current || older.includes(number);
      if (!isThere) {
        number = older.find((each) => each > number) ?? current;
        offset = 0;
        lost = true;
      }
      const path = number === current ? this.path : this.#pathOf(number);
      if (offset > fileSize(path)) {
        // Something else has emptied it.
        offset = 0;
        lost = true;
      }
      const bytes = readPart(path, { offset, limit });
      if (bytes.length > 0 || number === current) {
        return { bytes, position: { file: `${number}`, offset: offset + bytes.length }, lost };
      }
      number++;
      offset = 0;
    }
  }

  /** The place before the last lines, at most `limit` bytes before the end. */
  #beforeLastLines(lines: number, limit: number): OutputPosition {
    const current = this.#current();
    let rest = limit;
    let left = lines;
    let isEnd = true;
    for (const number of [current, ...this.#olderFiles().reverse()]) {
      const path = number === current ? this.path : this.#pathOf(number);
      let end = fileSize(path);
      if (lines === 0) return { file: `${number}`, offset: end };
      while (end > 0) {
        const start = Math.max(0, end - Math.min(PART, rest));
        const part = readPart(path, { offset: start, limit: end - start });
        for (let index = part.length - 1; index >= 0; index--) {
          // The newline at the end does not begin another line.
          if (part[index] === NEWLINE && !isEnd && --left === 0) {
            return { file: `${number}`, offset: start + index + 1 };
          }
          isEnd = false;
        }
        rest -= end - start;
        end = start;
        if (rest <= 0) return { file: `${number}`, offset: end };
      }
    }
    return { file: `${this.#olderFiles()[0] ?? current}`, offset: 0 };
  }

  /** The number of the file that is written to. */
  #current(): number {
    return (this.#olderFiles().at(-1) ?? 0) + 1;
  }

  /** The numbers of older files, in ascending order. */
  #olderFiles(): number[] {
    const numbers: number[] = [];
    try {
      for (const { name } of Deno.readDirSync(this.directory)) {
        const [, number] = /^output\.log\.(\d{1,15})$/.exec(name) ?? [];
        if (number !== undefined) numbers.push(Number(number));
      }
    } catch {
      // It never ran.
    }
    return numbers.sort((a, b) => a - b);
  }

  #pathOf(number: number): string {
    return `${this.path}.${number}`;
  }

  #remove(number: number): void {
    try {
      Deno.removeSync(this.#pathOf(number));
    } catch (error) {
      this.#report("cannot remove older output beside {path}: {reason}", error);
    }
  }

  /** Logs that output is written faster than it can be kept, until that is over. */
  #reportSpeed(isTooFast: boolean): void {
    if (isTooFast && !this.#isTooFast) {
      logger.warn("output of a server is dropped: {path} grows faster than it can be kept", {
        path: this.path,
      });
    }
    this.#isTooFast = isTooFast;
  }

  /** Logs that the disk is full, and that it is no longer. */
  async #reportSpace(): Promise<void> {
    const isFull = await isDiskFull(this.directory);
    if (isFull === this.#isDiskFull) return;
    this.#isDiskFull = isFull;
    if (isFull) {
      logger.error("output of a server is lost: the disk of {path} is full; make space there", {
        path: this.path,
      });
    } else {
      logger.info("the disk of {path} has space again", { path: this.path });
    }
  }

  /** Logs the first failure only, until a rotation succeeds. */
  #report(message: string, error: unknown): void {
    if (!this.#isFailing) {
      logger.error(message, { path: this.path, reason: (error as Error).message });
    }
    this.#isFailing = true;
  }
}

async function isDiskFull(directory: string): Promise<boolean> {
  try {
    const { bavail, bfree, bsize } = await statfs(directory);
    // Root may use what is reserved.
    return (Deno.uid() === 0 ? bfree : bavail) * bsize < LEAST_SPACE;
  } catch {
    // The server never ran.
    return false;
  }
}

function fileSize(path: string): number {
  try {
    const { isFile, size } = Deno.statSync(path);
    return isFile ? size : 0;
  } catch {
    return 0;
  }
}

function readPart(
  path: string,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): Uint8Array<ArrayBuffer> {
  const size = Math.min(limit, fileSize(path) - offset);
  if (size <= 0) return new Uint8Array();
  const bytes = new Uint8Array(size);
  try {
    using file = Deno.openSync(path);
    file.seekSync(offset, Deno.SeekMode.Start);
    let count = 0;
    for (let read; count < size && (read = file.readSync(bytes.subarray(count))) !== null;) {
      count += read;
    }
    return bytes.subarray(0, count);
  } catch {
    return new Uint8Array();
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written));
  }
}

function writeAllSync(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) {
    written += file.writeSync(bytes.subarray(written));
  }
}
