/**
 * Directories of UNIX sockets.
 *
 * Servers and commands trust what listens at a socket's path. So only this user may be able to put a socket there: the
 * directory belongs to this user, no other user may enter it, and none can put another directory in its place.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import type { SocketFile } from "./address.ts";
import { reasonOf } from "./stream.ts";

/** How many symbolic links may lead to a directory, as in Linux (path_resolution(7)). */
const MOST_LINKS = 40;

/** How long a server may take to start in a directory before the next one gives up, in ms. */
const LOCK_TIMEOUT = 10_000;

/** After this long a lock that another process holds is tried again, in ms. */
const LOCK_RETRY = 5;

const ADVICE = "set ENSEMBLE_SOCKET_DIR to a directory of yours, for all servers and commands";

/** The directory that a socket is in. */
export function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/**
 * Makes the directory of a socket, where there is none, and makes sure that it is this user's alone.
 *
 * @throws {EnsembleError} as {@linkcode requirePrivateDirectory} does, or when it cannot be made.
 */
export function makePrivateDirectory(directory: string): void {
  try {
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new EnsembleError(`cannot make the directory: ${reasonOf(error)}`);
  }
  requirePrivateDirectory(directory);
}

/**
 * Makes sure that only this user, and root, can put anything into a directory or put another in its place. Listeners
 * and those who connect ask this alike. What is above the directory is not looked at without the permission to read it.
 *
 * @throws {Deno.errors.NotFound} when there is no such directory.
 * @throws {EnsembleError} saying what is wrong and what to do.
 */
export function requirePrivateDirectory(directory: string): void {
  const uid = Deno.uid();
  const info = Deno.lstatSync(directory);
  if (info.isSymlink) throw new EnsembleError(`${directory} is a symbolic link; ${ADVICE}`);
  if (!info.isDirectory) throw new EnsembleError(`${directory} is not a directory`);
  if (uid !== null && info.uid !== uid) {
    throw new EnsembleError(`${directory} belongs to another user (uid ${info.uid}); ${ADVICE}`);
  }
  if (info.mode !== null && (info.mode & 0o077) !== 0) {
    throw new EnsembleError(
      `others may enter ${directory}; make it yours alone with: chmod 700 ${directory}`,
    );
  }
  // Looking at / takes the permission to read everything. A process without it trusts the directory that it was
  // given.
  const mayLook = Deno.permissions.querySync({ name: "read", path: "/" }).state === "granted";
  if (uid !== null && mayLook) requireTrustedParents(directory, uid);
}

/**
 * Makes sure that between the root and a directory there is nothing that another user could rename, or exchange: then
 * what was looked at here and what is opened next could differ.
 */
function requireTrustedParents(directory: string, uid: number): void {
  // Where root is not mapped into this user namespace, the owner of / still is who root is.
  const trusted = new Set([uid, 0, Deno.lstatSync("/").uid]);
  const rest = directoryOf(directory).split("/").filter(Boolean);
  let at = "";
  let links = 0;
  for (let name; (name = rest.shift()) !== undefined;) {
    if (name === ".") continue;
    if (name === "..") {
      at = at.slice(0, Math.max(at.lastIndexOf("/"), 0));
      continue;
    }
    const next = `${at}/${name}`;
    const info = Deno.lstatSync(next);
    if (!trusted.has(info.uid)) {
      throw new EnsembleError(
        `${directory} can be exchanged by another user (uid ${info.uid}), who owns ${next}; ${ADVICE}`,
      );
    }
    if (info.isSymlink) {
      if (++links > MOST_LINKS) throw new EnsembleError(`too many links lead to ${directory}`);
      const target = Deno.readLinkSync(next);
      if (target.startsWith("/")) at = "";
      rest.unshift(...target.split("/").filter(Boolean));
      continue;
    }
    // In a sticky directory, as /tmp is one, only the owner of a name can rename it.
    const others = info.mode === null ? 0 : info.mode & 0o022;
    if (others !== 0 && (info.mode! & 0o1000) === 0) {
      throw new EnsembleError(
        `${directory} can be exchanged by others, who may write to ${next}; take that from them with: ` +
          `chmod go-w ${next}`,
      );
    }
    at = next;
  }
}

/**
 * Lets one process at a time bind and remove sockets in a directory: two servers that start at once must not both find
 * the same stale socket. The lock ends when it is disposed of, and with the process.
 *
 * The directory itself is locked by all of its servers for as long as they run, see {@linkcode keepFromCleaners}. So
 * this is a lock on a file in it, whose name is no server id.
 *
 * @param timeout how long to wait for another process to let go of it, in ms.
 * @throws {EnsembleError} when it does not.
 */
export async function lockDirectory(
  directory: string,
  timeout: number = LOCK_TIMEOUT,
): Promise<Disposable> {
  const path = `${directory}/.lock`;
  const until = performance.now() + timeout;
  do {
    const file = Deno.openSync(path, { write: true, create: true, mode: 0o600 });
    // A file that was removed meanwhile is no lock: the next process makes another.
    if (await file.tryLock(true) && isAt(path, file.statSync())) return file;
    file.close();
    await new Promise((resolve) => setTimeout(resolve, LOCK_RETRY));
  } while (performance.now() < until);
  throw new EnsembleError(
    `another process has held ${path} for ${
      timeout / 1_000
    } s: is a server stopped while it starts?`,
  );
}

/**
 * Keeps those away that clean up /tmp, until it is disposed of: systemd-tmpfiles passes over a directory on which
 * another process holds a lock (tmpfiles.d(5)).
 */
export async function keepFromCleaners(directory: string): Promise<Disposable> {
  const file = Deno.openSync(directory);
  try {
    await file.lock(false);
  } catch (error) {
    file.close();
    throw error;
  }
  return file;
}

/**
 * The file that is at a path, or that a link there leads to; undefined where the system has no numbers for files.
 *
 * @throws {Deno.errors.NotFound} when there is none.
 */
export function fileAt(path: string): SocketFile | undefined {
  const { dev: device, ino: inode } = Deno.statSync(path);
  return inode === null ? undefined : { device, inode };
}

/** Whether two files are the same one. */
export function sameFile(one: SocketFile | undefined, other: SocketFile): boolean {
  return one?.device === other.device && one.inode === other.inode;
}

/** Whether this very file is at a path. */
export function isAt(path: string, { dev, ino }: Pick<Deno.FileInfo, "dev" | "ino">): boolean {
  try {
    const info = Deno.lstatSync(path);
    return info.ino === ino && info.dev === dev;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
