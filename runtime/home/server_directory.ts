/**
 * The directory of a server, held by one process at a time: its lock, its code, its log.
 *
 * @module
 */
import { dirname } from "node:path";
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { checkServerId, isServerId } from "../actor/references.ts";
import { EnsembleError } from "../errors.ts";
import { CLIENT_ID, sharedId } from "../server/credentials.ts";
import { type RegistryEntry, serverProcess } from "../server/registry_protocol.ts";
import { ownKernel } from "../own_process.ts";
import { hostName } from "../wire/address.ts";
import { removeStaleSocket } from "../wire/unix_transport.ts";
import { makePrivate, takeFileLock } from "./files.ts";
import type { Places } from "./paths.ts";

const logger = getLogger(["gxensemble", "server"]);

/** The name of the lock file that a process holds while it is the server. */
const LOCK = "lock";

/** The subdirectory for shipped code. */
const CODE = "loader.d";

/**
 * How long to wait for a lock whose holder is unknown, in ms, and the interval of retries:
 * {@linkcode removeLeftClients} of another process holds it only for a moment.
 */
const PATIENCE = 2_000;
const RETRY = 20;

/**
 * Creates the directory of a server if it is missing, and locks it against other processes until
 * disposed: one that listens on other sockets would not be noticed otherwise, and would delete this
 * one's files. On disposal the directory is removed, unless it contains something to keep, such as
 * a log or a certificate.
 *
 * @throws {EnsembleError} if another process holds it.
 */
export async function holdServerDirectory(id: string, places: Places): Promise<Disposable> {
  const directory = places.server(id);
  const self: ServerProcess = { pid: Deno.pid, host: hostName(), kernel: ownKernel() };
  const until = performance.now() + PATIENCE;
  while (true) {
    const lock = await lockIn(directory, `${JSON.stringify(self)}\n`);
    if (lock) {
      return {
        [Symbol.dispose]() {
          removeLocked(directory, [LOCK]);
          lock[Symbol.dispose]();
        },
      };
    }
    const other = await readServerProcess(id, places);
    if (other || performance.now() >= until) {
      throw new EnsembleError(
        `cannot start server ${id}: another process${
          other ? `, ${other.pid} on host ${other.host},` : ""
        } is that server already, and uses ${directory}`,
        { code: "ID_TAKEN" },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY));
  }
}

/** The directory for the code that is shipped to a server. */
export function codeDirectory(id: string, places: Places): string {
  return `${places.server(id)}/${CODE}`;
}

/**
 * Removes what killed clients left behind: their directories, if they contain nothing else, and
 * their sockets. Their ids are never used again.
 */
export async function removeLeftClients(places: Places): Promise<void> {
  const parent = dirname(places.server(checkServerId(CLIENT_ID)));
  for (const id of namesIn(parent)) {
    if (!isServerId(id) || sharedId(id) !== CLIENT_ID) continue;
    const directory = places.server(id);
    if (namesIn(directory).some((name) => name !== LOCK && name !== CODE)) continue;
    try {
      const lock = await takeFileLock(`${directory}/${LOCK}`);
      if (!lock) continue;
      await removeStaleSocket(places.socket(id));
      removeLocked(directory, [CODE, LOCK]);
      lock[Symbol.dispose]();
    } catch (error) {
      logger.debug("{directory} is left as it is: {reason}", {
        directory,
        reason: (error as Error).message,
      });
    }
  }
}

/** Creates a directory and takes its lock; undefined if another process holds it. */
async function lockIn(directory: string, note: string): Promise<Disposable | undefined> {
  while (true) {
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
    try {
      makePrivate(directory);
      return await takeFileLock(`${directory}/${LOCK}`, { note });
    } catch (error) {
      // Another process was that server and has just removed the directory.
      const isGone = [error, (error as Error).cause].some((each) =>
        each instanceof Deno.errors.NotFound
      );
      if (!isGone) throw error;
    }
  }
}

/** Removes files from a locked directory, and the directory itself if it is then empty. */
function removeLocked(directory: string, names: readonly string[]): void {
  if (namesIn(directory).some((name) => !names.includes(name))) return;
  try {
    for (const name of names) {
      const path = `${directory}/${name}`;
      if (namesIn(directory).includes(name)) Deno.removeSync(path, { recursive: true });
    }
    Deno.removeSync(directory);
  } catch {
    // Another process is about to become that server.
  }
}

function namesIn(directory: string): string[] {
  try {
    return Array.from(Deno.readDirSync(directory), ({ name }) => name);
  } catch {
    return [];
  }
}

/** The process of a server, as recorded in its lock file. */
export type ServerProcess = Pick<RegistryEntry, "pid" | "host" | "kernel">;

/**
 * Reads the process that holds the directory of a server, or held it last; undefined if none is
 * recorded.
 */
export async function readServerProcess(
  id: string,
  places: Places,
): Promise<ServerProcess | undefined> {
  try {
    return serverProcess(JSON.parse(await Deno.readTextFile(lockPath(id, places))));
  } catch {
    return undefined;
  }
}

function lockPath(id: string, places: Places): string {
  return `${places.server(id)}/${LOCK}`;
}
