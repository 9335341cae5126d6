/**
 * One registry at a time for each database.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { EnsembleError } from "../runtime/errors.ts";

/**
 * Locks a database until the lock is disposed of or the process ends. The lock is a file of its own beside the
 * database, because closing any descriptor of the database file would drop SQLite's own locks
 * (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
 *
 * @throws {EnsembleError} when another registry has it, naming its process.
 */
export function lockDatabase(path: string): Disposable {
  const lockPath = `${realPath(path)}-lock`;
  const file = Deno.openSync(lockPath, { read: true, write: true, create: true, mode: 0o600 });
  try {
    if (!file.tryLockSync(true)) {
      const holder = Deno.readTextFileSync(lockPath).trim();
      throw new EnsembleError(`another registry has it open${holder && `: pid ${holder}`}`);
    }
    file.truncateSync();
    file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
  } catch (error) {
    file.close();
    throw error;
  }
  // The file stays: if it were removed, two registries could each lock a file of this name.
  return {
    [Symbol.dispose]() {
      // Closing is not enough: a process that is being started has the file, too, until its program runs.
      file.unlockSync();
      file.close();
    },
  };
}

/** One database may have many paths. */
function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    // It is about to be made, and its directory is there.
    return join(Deno.realPathSync(dirname(path)), basename(path));
  }
}
