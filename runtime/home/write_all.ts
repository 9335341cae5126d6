/**
 * Writing to a stream as a whole.
 *
 * @module
 */

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
