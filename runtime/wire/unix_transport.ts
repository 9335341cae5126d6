/**
 * UNIX domain sockets: listening on them, and the directories that they are in.
 *
 * Servers and commands trust what listens at a socket's path. So only this user may be able to put a socket there: the
 * directory belongs to this user, no other user may enter it, and none can put another directory in its place.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import {
  formatAddressUrl,
  hostName,
  isLocal,
  type SocketFile,
  type UnixAddress,
} from "./address.ts";
import { SOCKET_CHECK_INTERVAL } from "./limits.ts";
import {
  type Accepted,
  asStream,
  type ByteStream,
  type Listener,
  messageOf,
  nextStream,
} from "./stream.ts";

/** How long a socket's path may be, in bytes: the size of `sun_path` less its final NUL (unix(7)). */
const MAX_SOCKET_PATH = Deno.build.os === "darwin" ? 103 : 107;

/** How long a running server waits for one that is being started in the same directory, in ms. */
const PATIENCE = 1_000;

/**
 * Makes sure that a socket may be on this host: the host has the name in the address, or the announced file is here, as
 * on a host that was renamed or shares the directory.
 *
 * @throws {EnsembleError} when it is not.
 */
export function requireFoundHere(address: UnixAddress): void {
  if (isLocal(address) || isFoundHere(address)) return;
  throw new EnsembleError(
    `${
      formatAddressUrl(address)
    } is a socket of host ${address.host}, and is not there on this host, ` +
      `${hostName()}: a server is reached from other hosts at tcp or tls`,
  );
}

/** Whether the file that was announced for a socket is at its path on this host. */
export function isFoundHere({ path, file }: UnixAddress): boolean {
  if (!file) return false;
  try {
    return isSameFile(Deno.statSync(path), file);
  } catch {
    return false;
  }
}

/**
 * Opens a stream to a socket.
 *
 * @throws {Error} when there is none, it is not the one that was announced, or others can enter its directory.
 */
export async function connectUnix({ path, file, host }: UnixAddress): Promise<ByteStream> {
  // First: the advice to make a directory private is wrong where the path is.
  const info = Deno.statSync(path);
  // It is null where the system does not tell.
  if (info.isSocket === false) throw new EnsembleError("it is no socket");
  if (file && !isSameFile(info, file)) {
    throw new EnsembleError(
      `another socket is there on this host, ${hostName()}, than the one announced on host ${host}`,
    );
  }
  requirePrivateDirectory(directoryOf(path));
  return asStream(await Deno.connect({ transport: "unix", path }), "unix");
}

/**
 * Listens on a socket in a directory that only this user can enter. A socket on which nobody listens is replaced; one
 * that is in use is left alone. A socket that vanishes while it is listened on is made again.
 *
 * @param options.onWarning called when the socket has vanished, with what was done about it.
 * @param options.onMoved called when it was made again, and is another file.
 * @throws {EnsembleError} when the path is too long, others can enter the directory, or a server listens there already.
 */
export async function listenUnix(
  address: UnixAddress,
  options: { onWarning?: (message: string) => void; onMoved?: () => void } = {},
): Promise<Listener> {
  const length = new TextEncoder().encode(address.path).length;
  if (length > MAX_SOCKET_PATH) {
    throw new EnsembleError(
      `the path is ${length} bytes long and a socket's may be ${MAX_SOCKET_PATH} at most; set ` +
        `ENSEMBLE_SOCKET_DIR to a shorter directory`,
    );
  }
  return new UnixListener(address, await BoundSocket.bind(address.path), options);
}

/**
 * Removes a socket on which nobody listens any more, and leaves any other alone.
 *
 * @throws {EnsembleError} when something else has its path.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const directory = directoryOf(path);
  try {
    requirePrivateDirectory(directory);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  using _lock = await lockDirectory(directory, PATIENCE);
  await isAlive(path);
}

/** A listener that sees to it that its socket stays where clients look for it. */
class UnixListener implements Listener {
  readonly #address: UnixAddress;
  readonly #onWarning: (message: string) => void;
  readonly #onMoved: () => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #socket: BoundSocket;
  /** Why the socket could not be made again, as it was last said. */
  #problem: string | undefined;
  /** Resolved when there is another socket, or none any more. */
  #replaced = Promise.withResolvers<void>();
  #restoring: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    address: UnixAddress,
    socket: BoundSocket,
    { onWarning = () => {}, onMoved = () => {} }: Parameters<typeof listenUnix>[1] = {},
  ) {
    this.#address = address;
    this.#socket = socket;
    this.#onWarning = onWarning;
    this.#onMoved = onMoved;
    // Looking costs microseconds. Watches are few on a host (inotify(7)), and end with their directory.
    this.#timer = setInterval(() => this.#check(), SOCKET_CHECK_INTERVAL);
    Deno.unrefTimer(this.#timer as unknown as number);
  }

  get address(): UnixAddress {
    return { ...this.#address, file: this.#socket.file };
  }

  async accept(): Promise<Accepted | undefined> {
    while (true) {
      const replaced = this.#replaced.promise;
      const stream = await this.#socket.accept();
      if (stream) return { stream: asStream(stream, "unix"), from: this.#address };
      if (this.#closing) return undefined;
      await replaced;
    }
  }

  close(): Promise<void> {
    clearInterval(this.#timer);
    return this.#closing ??= (async () => {
      await this.#restoring;
      this.#replaced.resolve();
      await this.#socket.close();
    })();
  }

  #check(): void {
    if (this.#restoring || this.#closing || this.#socket.isInPlace()) return;
    this.#restoring = this.#restore().finally(() => this.#restoring = undefined);
  }

  async #restore(): Promise<void> {
    const { path } = this.#address;
    try {
      const restored = await BoundSocket.bind(path, this.#socket);
      if (restored === this.#socket) return;
      this.#socket = restored;
      this.#problem = undefined;
      this.#replaced.resolve();
      this.#replaced = Promise.withResolvers();
      this.#onWarning(`the socket ${path} had vanished, and was made again`);
      this.#onMoved();
    } catch (error) {
      const problem = messageOf(error);
      // Once, and not each time that it is tried.
      if (problem !== this.#problem) {
        this.#onWarning(`the socket ${path} has vanished and cannot be made again: ${problem}`);
      }
      this.#problem = problem;
    }
  }
}

/** A socket that is bound at a path. */
class BoundSocket {
  readonly #path: string;
  readonly #listener: Deno.UnixListener;
  readonly #file: Deno.FileInfo;
  readonly #keeper: Disposable;
  #accepting: Promise<unknown> | undefined;

  private constructor(parts: {
    path: string;
    listener: Deno.UnixListener;
    file: Deno.FileInfo;
    keeper: Disposable;
  }) {
    this.#path = parts.path;
    this.#listener = parts.listener;
    this.#file = parts.file;
    this.#keeper = parts.keeper;
  }

  /**
   * Binds a socket.
   *
   * @param lost what was bound there before and is not there any more; what comes back if it is there still.
   */
  static async bind(path: string, lost?: BoundSocket): Promise<BoundSocket> {
    const directory = directoryOf(path);
    makePrivateDirectory(directory);
    using _lock = await lockDirectory(directory, lost && PATIENCE);
    if (lost?.isInPlace()) return lost;
    if (await isAlive(path)) throw new EnsembleError("a server of that id is running here already");
    await lost?.letGo();
    const keeper = await keepFromCleaners(directory);
    try {
      const listener = Deno.listen({ transport: "unix", path });
      Deno.chmodSync(path, 0o600);
      return new BoundSocket({ path, listener, file: Deno.lstatSync(path), keeper });
    } catch (error) {
      keeper[Symbol.dispose]();
      throw error;
    }
  }

  /** Its file; undefined where the system has no numbers for files. */
  get file(): SocketFile | undefined {
    const { dev: device, ino: inode } = this.#file;
    return inode === null ? undefined : { device, inode };
  }

  /** Whether it is still at its path. */
  isInPlace(): boolean {
    try {
      return isAt(this.#path, this.#file);
    } catch {
      return false;
    }
  }

  accept(): Promise<Deno.UnixConn | undefined> {
    const accepting = nextStream(this.#listener);
    this.#accepting = accepting;
    return accepting;
  }

  /** Stops accepting, and removes the socket file unless it is another server's by now. */
  async close(): Promise<void> {
    // The next server of this id waits until the runtime has let go of the path, see below.
    using _lock = await lockDirectory(directoryOf(this.#path), PATIENCE).catch(() => null);
    await this.letGo();
  }

  /**
   * Does what {@linkcode BoundSocket.close} does, for who holds the lock.
   *
   * The runtime removes the path of a listener when the last use of the listener has ended, even if the path belongs
   * to another server by then (denoland/deno#31947). So another server's socket is put aside meanwhile.
   */
  async letGo(): Promise<void> {
    const aside = `${directoryOf(this.#path)}/.${crypto.randomUUID()}`;
    let isAside = false;
    try {
      // While the socket is open no other file has the number of its inode.
      if (this.isInPlace()) Deno.removeSync(this.#path);
      else Deno.renameSync(this.#path, aside), isAside = true;
    } catch {
      // Nothing is there, or the directory belongs to another user.
    }
    this.#close();
    await this.#accepting;
    if (isAside) Deno.renameSync(aside, this.#path);
    this.#keeper[Symbol.dispose]();
  }

  #close(): void {
    try {
      this.#listener.close();
    } catch (error) {
      // It was closed before, when it was to be made again and could not.
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}

/** Whether a process listens at the socket; removes it when none does. */
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
    // Any other error, such as that of a full backlog, comes from a socket that is in use.
    if (!(error instanceof Deno.errors.ConnectionRefused)) return true;
  }
  Deno.removeSync(path);
  return false;
}

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
function makePrivateDirectory(directory: string): void {
  try {
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new EnsembleError(`cannot make the directory: ${messageOf(error)}`);
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
  if (isOpenToOthers(info)) {
    throw new EnsembleError(
      `others may enter ${directory}; make it yours alone with: chmod 700 ${directory}`,
    );
  }
  // Looking at / takes the permission to read everything. A process without it trusts the directory that it was
  // given.
  const mayLook = Deno.permissions.querySync({ name: "read", path: "/" }).state === "granted";
  if (uid !== null && mayLook) requireTrustedParents(directory, uid);
}

/** Whether anybody but its owner may do anything with a file or a directory. */
export function isOpenToOthers({ mode }: Pick<Deno.FileInfo, "mode">): boolean {
  return mode !== null && (mode & 0o077) !== 0;
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
 * Keeps those away that clean up /tmp, until it is disposed of: systemd-tmpfiles passes over a directory on which
 * another process holds a lock (tmpfiles.d(5)).
 */
async function keepFromCleaners(directory: string): Promise<Disposable> {
  const file = Deno.openSync(directory);
  try {
    await file.lock(false);
  } catch (error) {
    file.close();
    throw error;
  }
  return heldLock(file);
}

/** A file that is locked: disposing of it lets go of the lock at once, and closes the file. */
export function heldLock(file: Deno.FsFile): Disposable {
  return {
    [Symbol.dispose]() {
      // Closing is not enough: a process that is being started has the file, too, until its program runs.
      file.unlockSync();
      file.close();
    },
  };
}

function isSameFile({ dev, ino }: Deno.FileInfo, { device, inode }: SocketFile): boolean {
  return dev === device && ino === inode;
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
