/**
 * The directories that UNIX sockets are in.
 *
 * Servers and commands trust what listens at the path of a socket. So only this user may be able to put a socket
 * there: the directory belongs to this user, no other user can enter it, and none can put another directory in its
 * place.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import { messageOf } from "./stream.ts";

/** How many symbolic links to follow, as Linux does (path_resolution(7)). */
const MOST_LINKS = 40;

/** How long to wait for another server to start in the same directory, in ms. */
const LOCK_TIMEOUT = 10_000;

/** How long to wait before trying a lock again, in ms. */
const LOCK_RETRY = 5;

const ADVICE = "set ENSEMBLE_SOCKET_DIR to a directory of yours, for all servers and commands";

/** The directory that a socket is in. */
export function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/**
 * Makes the directory of a socket if there is none, and makes sure that only this user can enter it.
 *
 * @throws {EnsembleError} as {@linkcode requirePrivateDirectory} does, or when it cannot be made.
 */
export function makePrivateDirectory(directory: string): void {
  try {
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new EnsembleError(`cannot make the directory: ${messageOf(error)}`);
  }
  requirePrivateDirectory(directory);
}

/**
 * Makes sure that only this user and root can put anything into a directory, or another directory in its place. Both
 * listeners and clients check this. The directories above are checked only with the permission to read them.
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
  if (isOpenToOthers(info)) {
    throw new EnsembleError(
      `others may enter ${directory}; make it yours alone with: chmod 700 ${directory}`,
    );
  }
  // Looking at / takes the permission to read everything. Without it, the directory is trusted as it was given.
  const mayLook = Deno.permissions.querySync({ name: "read", path: "/" }).state === "granted";
  if (uid !== null && mayLook) requireTrustedParents(directory, uid);
}

/** Whether users other than its owner can access a file or a directory. */
export function isOpenToOthers({ mode }: Pick<Deno.FileInfo, "mode">): boolean {
  return mode !== null && (mode & 0o077) !== 0;
}

/**
 * Makes sure that another user can rename or replace nothing between the root and a directory. Otherwise what was
 * checked here and what is opened next could differ.
 */
function requireTrustedParents(directory: string, uid: number): void {
  // Where root is not mapped into this user namespace, the owner of / stands for root.
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
        `${directory} can be replaced by another user (uid ${info.uid}), who owns ${next}; ${ADVICE}`,
      );
    }
    if (info.isSymlink) {
      if (++links > MOST_LINKS) throw new EnsembleError(`too many links lead to ${directory}`);
      const target = Deno.readLinkSync(next);
      if (target.startsWith("/")) at = "";
      rest.unshift(...target.split("/").filter(Boolean));
      continue;
    }
    // In a sticky directory, such as /tmp, only the owner of a file can rename it.
    const others = info.mode === null ? 0 : info.mode & 0o022;
    if (others !== 0 && (info.mode! & 0o1000) === 0) {
      throw new EnsembleError(
        `${directory} can be replaced by others, who may write to ${next}; forbid that with: ` +
          `chmod go-w ${next}`,
      );
    }
    at = next;
  }
}

/**
 * Takes the lock under which sockets of a directory are bound and removed: two servers that start at once must not both
 * find the same stale socket. It is released when it is disposed of, or when the process ends.
 *
 * It is a lock on a file in the directory, whose name is no server id. The directory itself is locked by all servers in
 * it while they run, see {@linkcode keepFromCleaners}.
 *
 * @param timeout how long to wait while another process holds it, in ms.
 * @throws {EnsembleError} when the time is up.
 */
export async function lockDirectory(
  directory: string,
  timeout: number = LOCK_TIMEOUT,
): Promise<Disposable> {
  const path = `${directory}/.lock`;
  const until = performance.now() + timeout;
  do {
    const file = Deno.openSync(path, { write: true, create: true, mode: 0o600 });
    // If the file was removed meanwhile, its lock is worth nothing: the next process makes another file.
    if (await file.tryLock(true) && isAt(path, file.statSync())) return heldLock(file);
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
 * Keeps a directory from programs that clean up /tmp, until it is disposed of: systemd-tmpfiles skips a directory on
 * which a process holds a lock (tmpfiles.d(5)).
 */
export async function keepFromCleaners(directory: string): Promise<Disposable> {
  const file = Deno.openSync(directory);
  try {
    await file.lock(false);
  } catch (error) {
    file.close();
    throw error;
  }
  return heldLock(file);
}

/** Wraps a locked file: disposing of it releases the lock at once and closes the file. */
export function heldLock(file: Deno.FsFile): Disposable {
  return {
    [Symbol.dispose]() {
      // Closing is not enough: a child process that is being started has the file, too, until its program runs.
      file.unlockSync();
      file.close();
    },
  };
}

/** Whether the file with these numbers is at a path. */
export function isAt(path: string, { dev, ino }: Pick<Deno.FileInfo, "dev" | "ino">): boolean {
  try {
    const info = Deno.lstatSync(path);
    return info.ino === ino && info.dev === dev;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
