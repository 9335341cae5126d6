/**
 * UNIX domain sockets: connecting to them, and listening.
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
  directoryOf,
  isAt,
  keepFromCleaners,
  lockDirectory,
  makePrivateDirectory,
  requirePrivateDirectory,
} from "./socket_directory.ts";
import { type Accepted, asStream, type ByteStream, type Listener, nextStream } from "./stream.ts";
import { messageOf } from "./system_errors.ts";

/**
 * The longest path of a socket, in bytes: the size of `sun_path` without its final NUL (unix(7)).
 */
const MAX_SOCKET_PATH = Deno.build.os === "darwin" ? 103 : 107;

/** How long a running server waits while another starts in the same directory, in ms. */
const PATIENCE = 1_000;

/**
 * Checks that a socket may be on this host: either the address has the host's name, or the
 * announced file is here, as on a renamed host or one that shares the directory.
 *
 * @throws {EnsembleError} if it is not.
 */
export function requireFoundHere(address: UnixAddress): void {
  if (isLocal(address) || isFoundHere(address)) return;
  throw new EnsembleError(
    `${
      formatAddressUrl(address)
    } is a socket of host ${address.host}, and is not there on this host, ` +
      `${hostName()}: servers on other hosts are reached over tcp or tls, or by commands with --supervisor`,
  );
}

/** Whether the announced file of a socket is at its path on this host. */
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
 * @throws {Error} if there is none, it is not the announced one, or other users can enter its
 * directory.
 */
export async function connectUnix({ path, file, host }: UnixAddress): Promise<ByteStream> {
  // First, because the advice to make a directory private would be wrong for a path on another
  // host.
  const info = Deno.statSync(path);
  // It is null if the system does not report it.
  if (info.isSocket === false) throw new EnsembleError("it is not a socket");
  if (file && !isSameFile(info, file)) {
    throw new EnsembleError(
      `the socket there on this host, ${hostName()}, is not the one announced on host ${host}`,
    );
  }
  requirePrivateDirectory(directoryOf(path));
  return asStream(await Deno.connect({ transport: "unix", path }), "unix");
}

/**
 * Listens on a socket in a directory that only this user can enter. A stale socket is replaced; one
 * that is in use is left alone. A socket that vanishes while listening is created again.
 *
 * @param options.onWarning called when the socket has vanished, with the action taken.
 * @param options.onMoved called when it was created again, as another file.
 * @throws {EnsembleError} if the path is too long, other users can enter the directory, or a server
 * already listens there.
 */
export async function listenUnix(
  address: UnixAddress,
  options: { onWarning?: (message: string) => void; onMoved?: () => void } = {},
): Promise<Listener> {
  const length = new TextEncoder().encode(address.path).length;
  if (length > MAX_SOCKET_PATH) {
    throw new EnsembleError(
      `the path is ${length} bytes long, and a socket's path may have at most ${MAX_SOCKET_PATH}; set ` +
        `ENSEMBLE_SOCKET_DIR to a shorter directory`,
    );
  }
  return new UnixListener(address, await BoundSocket.bind(address.path), options);
}

/**
 * Removes a stale socket: one on which no process listens.
 *
 * @throws {EnsembleError} if its path is not a socket.
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
  await removeUnlessAlive(path);
}

/** A listener that creates its socket again if it vanishes. */
class UnixListener implements Listener {
  readonly #address: UnixAddress;
  readonly #onWarning: (message: string) => void;
  readonly #onMoved: () => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #socket: BoundSocket;
  /** The last reported reason why the socket could not be created again. */
  #problem: string | undefined;
  /** Resolved when there is a new socket, or the listener is closed. */
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
    // A check costs microseconds. Watches are limited in number (inotify(7)), and end with their
    // directory.
    this.#timer = setInterval(() => this.#check(), SOCKET_CHECK_INTERVAL);
    this.#timer.unref();
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
      this.#onWarning(`the socket ${path} had vanished, and was created again`);
      this.#onMoved();
    } catch (error) {
      const problem = messageOf(error);
      // Reported once, not after each attempt.
      if (problem !== this.#problem) {
        this.#onWarning(`the socket ${path} has vanished and cannot be created again: ${problem}`);
      }
      this.#problem = problem;
    }
  }
}

/** A socket bound to a path. */
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
   * @param lost the socket that was bound to the path and has vanished. It is returned if it is
   * still there.
   */
  static async bind(path: string, lost?: BoundSocket): Promise<BoundSocket> {
    const directory = directoryOf(path);
    makePrivateDirectory(directory);
    using _lock = await lockDirectory(directory, lost && PATIENCE);
    if (lost?.isInPlace()) return lost;
    if (await removeUnlessAlive(path)) {
      throw new EnsembleError("a server with that id is already running here", {
        code: "ID_TAKEN",
      });
    }
    await lost?.release();
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

  /** The file; undefined if the system has no file numbers. */
  get file(): SocketFile | undefined {
    const { dev: device, ino: inode } = this.#file;
    return inode === null ? undefined : { device, inode };
  }

  /** Whether the socket is still at its path. */
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

  /** Stops accepting, and removes the socket file unless it now belongs to another server. */
  async close(): Promise<void> {
    // Holds the lock, so that the next server of this id waits until Deno is done with the path,
    // see below.
    using _lock = await lockDirectory(directoryOf(this.#path), PATIENCE).catch(() => null);
    await this.release();
  }

  /**
   * Like {@linkcode BoundSocket.close}, for a caller that holds the lock.
   *
   * Deno removes the path of a listener when the last use of the listener ends, even if the path
   * then belongs to another server (denoland/deno#31947). So another server's socket is moved aside
   * meanwhile.
   */
  async release(): Promise<void> {
    const aside = `${directoryOf(this.#path)}/.${crypto.randomUUID()}`;
    let isAside = false;
    try {
      // While the socket is open, no other file has its inode number.
      if (this.isInPlace()) Deno.removeSync(this.#path);
      else Deno.renameSync(this.#path, aside), isAside = true;
    } catch {
      // There is nothing, or the directory now belongs to another user.
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
      // It was closed before, in a failed attempt to create it again.
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}

/**
 * Removes a socket on which no process listens.
 *
 * @returns whether a process listens on it.
 * @throws {EnsembleError} if its path is not a socket.
 */
async function removeUnlessAlive(path: string): Promise<boolean> {
  try {
    if (!Deno.lstatSync(path).isSocket) {
      throw new EnsembleError(`${path} is in the way and is not a socket: remove it`);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    // Other errors, such as a full backlog, mean that the socket is in use.
    if (!(error instanceof Deno.errors.ConnectionRefused)) return true;
  }
  Deno.removeSync(path);
  return false;
}

function isSameFile({ dev, ino }: Deno.FileInfo, { device, inode }: SocketFile): boolean {
  return dev === device && ino === inode;
}
