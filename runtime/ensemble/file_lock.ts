/**
 * One process at a time.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import { isAt } from "../wire/socket_directory.ts";
import { requireRegular } from "./regular_file.ts";

/**
 * Does something while no other process does anything under the lock of the same file. The lock ends with
 * the process that holds it, whichever way that ends; the file stays.
 *
 * @throws {EnsembleError} when the file cannot be made; and what `action` throws.
 */
export async function withFileLock<T>(path: string, action: () => Promise<T>): Promise<T> {
  using file = await openLock(path);
  await file.lock(true);
  return await action();
}

/**
 * Takes the lock of a file, to be kept until it is disposed of or the process ends.
 *
 * @param options.note text for the file, for those who find it locked.
 * @returns undefined when another process has it.
 * @throws {EnsembleError} when the file cannot be made.
 */
export async function takeFileLock(
  path: string,
  { note = "" }: { note?: string } = {},
): Promise<Disposable | undefined> {
  let file = await openLock(path);
  while (true) {
    if (!await file.tryLock(true)) {
      file.close();
      return undefined;
    }
    if (isAt(path, file.statSync())) break;
    // It was removed meanwhile, and locks nothing: the next process makes another.
    file.close();
    file = await openLock(path);
  }
  try {
    await file.truncate();
    await file.write(new TextEncoder().encode(note));
  } catch {
    // The disk is full. The lock holds without the note.
  }
  return {
    [Symbol.dispose]() {
      // Closing is not enough: a process that is being started has the file, too, until its program runs.
      file.unlockSync();
      file.close();
    },
  };
}

async function openLock(path: string): Promise<Deno.FsFile> {
  try {
    // To open a named pipe for writing waits until it is read.
    await Deno.stat(path).then(requireRegular, () => {});
    return await Deno.open(path, { write: true, create: true, mode: 0o600 });
  } catch (error) {
    throw new EnsembleError(`cannot lock ${path}: ${(error as Error).message}`, { cause: error });
  }
}
