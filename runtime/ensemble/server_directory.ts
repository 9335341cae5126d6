/**
 * The directory of a server, which is of one process at a time.
 *
 * @module
 */
import type { ServerId } from "../actor/server_id.ts";
import { EnsembleError } from "../errors.ts";
import { takeFileLock } from "./file_lock.ts";
import { serverDirectory } from "./paths.ts";

/**
 * Makes the directory of a server where it is missing, and keeps other processes out of it: one that listens at
 * other sockets would not be noticed otherwise, and empties what this one uses. Until disposed of.
 *
 * @throws {EnsembleError} when another process has it.
 */
export async function holdServerDirectory(id: ServerId): Promise<Disposable> {
  const directory = serverDirectory(id);
  await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  const lock = await takeFileLock(`${directory}/lock`);
  if (lock) return lock;
  throw new EnsembleError(
    `cannot start server ${id}: another process is that server already, and uses ${directory}`,
  );
}
