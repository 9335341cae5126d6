/**
 * Files that appear whole or not at all, and are still there after a power cut.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";

/** Options of {@linkcode writeWhole}. */
export interface WriteWholeOptions {
  /** Who may read the file: 0o600 for a secret. One that is replaced passes on nothing of its mode. */
  mode: number;
  /** Whether to replace a file that exists. */
  replace: boolean;
}

/**
 * Writes a file in one step: no reader ever sees a half, it is on disk when this resolves, and of two
 * processes that make it at once exactly one does.
 *
 * @throws {Deno.errors.AlreadyExists} when it exists and is not to be replaced.
 * @throws {EnsembleError} when it cannot be written.
 */
export async function writeWhole(
  path: string,
  content: string | Uint8Array,
  { mode, replace }: WriteWholeOptions,
): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const draft = `${path}.${crypto.randomUUID()}`;
  try {
    await writeDraft(draft, bytes, mode);
    await (replace ? Deno.rename(draft, path) : Deno.link(draft, path));
    await syncDirectoryOf(path);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw error;
    throw new EnsembleError(`cannot write ${path}: ${(error as Error).message}`, { cause: error });
  } finally {
    await Deno.remove(draft).catch(() => {}); // A draft that was renamed is gone.
  }
}

/**
 * Waits until the names in the directory of a file are on disk: a name that was made, moved or removed there is
 * safe only then (fsync(2)).
 */
export async function syncDirectoryOf(path: string): Promise<void> {
  using directory = await Deno.open(path.slice(0, path.lastIndexOf("/")) || "/");
  await directory.sync();
}

async function writeDraft(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode });
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written));
  }
  await file.sync();
}
