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
import {
  type Accepted,
  asStream,
  type ByteStream,
  Handshakes,
  type Listener,
  messageOf,
  nextStream,
} from "./stream.ts";

/** The longest path of a socket, in bytes: the size of `sun_path` without its final NUL (unix(7)). */
const MAX_SOCKET_PATH = Deno.build.os === "darwin" ? 103 : 107;

/** How long a running server waits while another starts in the same directory, in ms. */
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
  await removeUnlessAlive(path);
}

/** A listener that makes its socket again when it vanishes. */
class UnixListener implements Listener {
  readonly handshakes = new Handshakes();
  readonly #address: UnixAddress;
  readonly #onWarning: (message: string) => void;
  readonly #onMoved: () => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #socket: BoundSocket;
  /** Why the socket could not be made again, as it was last reported. */
  #problem: string | undefined;
  /** Resolved when there is another socket, or when the listener is closed. */
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
    // A look costs microseconds. Watches are limited in number (inotify(7)), and end with their directory.
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
      // Reported once, and not after each attempt.
      if (problem !== this.#problem) {
        this.#onWarning(`the socket ${path} has vanished and cannot be made again: ${problem}`);
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
   * @param lost the socket that was bound to the path and has vanished. It is returned if it is there after all.
   */
  static async bind(path: string, lost?: BoundSocket): Promise<BoundSocket> {
    const directory = directoryOf(path);
    makePrivateDirectory(directory);
    using _lock = await lockDirectory(directory, lost && PATIENCE);
    if (lost?.isInPlace()) return lost;
    if (await removeUnlessAlive(path)) {
      throw new EnsembleError("a server of that id is running here already", {
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

  /** The file; undefined where the system has no numbers for files. */
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

  /** Stops accepting, and removes the socket file unless it belongs to another server by now. */
  async close(): Promise<void> {
    // With the lock, the next server of this id waits until the runtime is done with the path, see below.
    using _lock = await lockDirectory(directoryOf(this.#path), PATIENCE).catch(() => null);
    await this.release();
  }

  /**
   * Does what {@linkcode BoundSocket.close} does, for a caller that holds the lock.
   *
   * Deno removes the path of a listener when the last use of the listener ends, even if the path belongs to another
   * server by then (denoland/deno#31947). So a socket of another server is moved aside meanwhile.
   */
  async release(): Promise<void> {
    const aside = `${directoryOf(this.#path)}/.${crypto.randomUUID()}`;
    let isAside = false;
    try {
      // While the socket is open, no other file has its inode number.
      if (this.isInPlace()) Deno.removeSync(this.#path);
      else Deno.renameSync(this.#path, aside), isAside = true;
    } catch {
      // Nothing is there, or the directory now belongs to another user.
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
      // It was closed before, in an attempt to make it again that failed.
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}

/**
 * Removes a socket on which nobody listens.
 *
 * @returns whether a process listens on it.
 * @throws {EnsembleError} when something other than a socket is at its path.
 */
async function removeUnlessAlive(path: string): Promise<boolean> {
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

function isSameFile({ dev, ino }: Deno.FileInfo, { device, inode }: SocketFile): boolean {
  return dev === device && ino === inode;
}
