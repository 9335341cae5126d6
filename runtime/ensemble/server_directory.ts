/**
 * The directory of a server, which is of one process at a time.
 *
 * @module
 */
import type { ServerId } from "../actor/server_id.ts";
import { EnsembleError } from "../errors.ts";
import { ownKernel } from "../server/kernel.ts";
import type { RegistryEntry } from "../server/registry_entry.ts";
import { serverProcess } from "../server/registry_requests.ts";
import { hostName } from "../wire/address.ts";
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
  await makePrivate(directory);
  const self: ServerProcess = { pid: Deno.pid, host: hostName(), kernel: ownKernel() };
  const lock = await takeFileLock(lockPath(id), { note: `${JSON.stringify(self)}\n` });
  if (lock) return lock;
  const other = await readServerProcess(id);
  throw new EnsembleError(
    `cannot start server ${id}: another process${
      other ? `, ${other.pid} on host ${other.host},` : ""
    } is that server already, and uses ${directory}`,
  );
}

/** Takes what others may do with a directory from them. */
async function makePrivate(directory: string): Promise<void> {
  const { mode } = await Deno.stat(directory);
  if (mode === null || (mode & 0o077) === 0) return;
  try {
    await Deno.chmod(directory, 0o700);
  } catch (error) {
    throw new EnsembleError(
      `others may enter ${directory}, and that cannot be changed: ${(error as Error).message}`,
    );
  }
}

/** The process of a server, as it wrote that into its lock. */
export type ServerProcess = Pick<RegistryEntry, "pid" | "host" | "kernel">;

/** The process that has the directory of a server, or had it last; undefined where none is noted. */
export async function readServerProcess(id: ServerId): Promise<ServerProcess | undefined> {
  try {
    return serverProcess(JSON.parse(await Deno.readTextFile(lockPath(id))));
  } catch {
    return undefined;
  }
}

function lockPath(id: ServerId): string {
  return `${serverDirectory(id)}/lock`;
}
