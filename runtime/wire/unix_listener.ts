/**
 * Listening on UNIX domain sockets.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import type { UnixAddress } from "./address.ts";
import { asStream, type Listener, nextStream, reasonOf } from "./stream.ts";

/** The length of what {@linkcode open} adds to a path for a moment, in bytes. */
const SUFFIX_LENGTH = 4;

/**
 * How long a socket's path may be, in bytes: the size of `sun_path` less its final NUL (unix(7)), less what is
 * added for a moment.
 */
const MAX_PATH = (Deno.build.os === "darwin" ? 103 : 107) - SUFFIX_LENGTH;

/**
 * Listens on a socket in a directory that only this user may enter. A socket on which nobody listens any
 * more is replaced; one that is alive is left alone.
 *
 * @throws {EnsembleError} when the path is too long, the directory is not ours alone, or a server listens
 * there already.
 */
export async function listenUnix(address: UnixAddress): Promise<Listener> {
  const { path } = address;
  const fail = (why: string) => new EnsembleError(`cannot listen at unix:${path}: ${why}`);
  const length = new TextEncoder().encode(path).length;
  if (length > MAX_PATH) {
    throw fail(
      `the path is ${length} bytes long and a socket's may be ${MAX_PATH} at most; set ` +
        `ENSEMBLE_SOCKET_DIR to a shorter directory`,
    );
  }
  const directory = path.slice(0, path.lastIndexOf("/")) || "/";
  try {
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fail(`cannot make the directory: ${reasonOf(error)}`);
  }
  requirePrivate(directory, fail);
  // Two servers that start at once must not both find the socket stale: one after the other.
  using lock = Deno.openSync(directory);
  await lock.lock(true);
  if (await isAlive(path)) {
    throw fail("a server of that id is running here already");
  }
  let listener: Deno.UnixListener;
  try {
    listener = open(path);
  } catch (error) {
    throw fail(reasonOf(error));
  }
  const inode = Deno.lstatSync(path).ino;
  let closed = false;
  return {
    address,
    async accept() {
      const stream = await nextStream(listener);
      return stream && { stream: asStream(stream, "unix"), from: address };
    },
    close() {
      if (closed) return;
      closed = true;
      // While the socket is open no other can take its place, nor the number of its inode.
      removeOwn(path, inode);
      listener.close();
    },
  };
}

/**
 * Deno removes the path that a listener was made with, some time after it was closed and whoever's that is by
 * then (denoland/deno#31947). So it is made with one that is nobody's, and moved.
 */
function open(path: string): Deno.UnixListener {
  const random = Math.random().toString(36).slice(2).padEnd(SUFFIX_LENGTH, "0");
  const temporary = `${path}~${random.slice(0, SUFFIX_LENGTH - 1)}`;
  const listener = Deno.listen({ transport: "unix", path: temporary });
  try {
    Deno.chmodSync(temporary, 0o600);
    Deno.renameSync(temporary, path);
  } catch (error) {
    listener.close();
    throw error;
  }
  return listener;
}

function requirePrivate(directory: string, fail: (why: string) => Error): void {
  const info = Deno.lstatSync(directory);
  const uid = Deno.uid();
  if (!info.isDirectory) throw fail(`${directory} is not a directory`);
  if (uid !== null && info.uid !== uid) {
    throw fail(
      `${directory} belongs to another user; set ENSEMBLE_SOCKET_DIR to a directory of yours`,
    );
  }
  if (info.mode !== null && (info.mode & 0o077) !== 0) {
    throw fail(
      `others may enter ${directory}; make it yours alone with: chmod 700 ${directory}`,
    );
  }
}

/** Whether somebody accepts at the socket; removes it when nobody does. */
async function isAlive(path: string): Promise<boolean> {
  try {
    if (!Deno.lstatSync(path).isSocket) {
      throw new EnsembleError(`${path} is in the way, and it is not a socket: remove it`);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionRefused)) return true;
  }
  Deno.removeSync(path);
  return false;
}

/** Removes the socket file, unless it is another server's by now. */
function removeOwn(path: string, inode: number | null): void {
  try {
    if (Deno.lstatSync(path).ino === inode) Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
