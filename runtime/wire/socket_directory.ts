/**
 * The directories of UNIX sockets.
 *
 * Servers and commands trust whatever listens at the path of a socket. So only this user may be
 * able to put a socket there: the directory belongs to this user, no other user can enter it, and
 * none can replace it.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import { messageOf } from "./system_errors.ts";

/** The number of symbolic links to follow, as on Linux (path_resolution(7)). */
const MOST_LINKS = 40;

/** How long to wait while another server starts in the same directory, in ms. */
const LOCK_TIMEOUT = 10_000;

/** Delay before a lock is tried again, in ms. */
const LOCK_RETRY = 5;

const ADVICE = "set ENSEMBLE_SOCKET_DIR to a directory of yours, for all servers and commands";

/** The directory that contains a socket or a file; `.` for a name alone. */
export function directoryOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end < 0 ? "." : path.slice(0, end) || "/";
}

/**
 * Creates the directory of a socket if there is none, and checks that only this user can enter it.
 *
 * @throws {EnsembleError} as {@linkcode requirePrivateDirectory} does, or if it cannot be created.
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
 * Checks that only this user and root can create files in a directory, or replace it. Both
 * listeners and clients check this. The parent directories are checked only with the permission to
 * read them.
 *
 * @throws {Deno.errors.NotFound} if there is no such directory.
 * @throws {EnsembleError} with the problem and what to do.
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
      `other users may enter ${directory}; make it private with: chmod 700 ${directory}`,
    );
  }
  // Looking at / needs the permission to read everything. Without it, the directory is trusted as
  // given.
  const mayLook = Deno.permissions.querySync({ name: "read", path: "/" }).state === "granted";
  if (uid !== null && mayLook) requireTrustedParents(directory, uid);
}

/** Whether users other than its owner can access a file or a directory. */
export function isOpenToOthers({ mode }: Pick<Deno.FileInfo, "mode">): boolean {
  return mode !== null && (mode & 0o077) !== 0;
}

/**
 * Checks that another user can rename or replace nothing between the root and a directory.
 * Otherwise what was checked here and what is opened next could differ.
 */
function requireTrustedParents(directory: string, uid: number): void {
  // If root is not mapped into this user namespace, the owner of / stands for root.
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
        `${directory} can be replaced by other users, who may write to ${next}; forbid that with: ` +
          `chmod go-w ${next}`,
      );
    }
    at = next;
  }
}

/**
 * Takes the lock under which sockets of a directory are bound and removed, since two servers that
 * start at once must not both find the same stale socket. It is released on disposal, or when the
 * process ends.
 *
 * It is a lock on a file in the directory whose name is not a valid server id. The directory itself
 * is locked by all servers in it while they run, see {@linkcode keepFromCleaners}.
 *
 * @param timeout how long to wait while another process holds it, in ms.
 * @throws {EnsembleError} after the timeout.
 */
export async function lockDirectory(
  directory: string,
  timeout: number = LOCK_TIMEOUT,
): Promise<Disposable> {
  const path = `${directory}/.lock`;
  const until = performance.now() + timeout;
  do {
    const file = Deno.openSync(path, { write: true, create: true, mode: 0o600 });
    // If the file was removed meanwhile, its lock is worthless: the next process creates another
    // file.
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
 * Protects a directory from programs that clean up /tmp, until disposed: systemd-tmpfiles skips a
 * directory on which a process holds a lock (tmpfiles.d(5)).
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
      // Closing is not enough: a child process that is being started also holds the file until its
      // program runs.
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
