/**
 * Listening on UNIX domain sockets.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import type { SocketFile, UnixAddress } from "./address.ts";
import { SOCKET_CHECK_INTERVAL } from "./limits.ts";
import {
  directoryOf,
  isAt,
  keepFromCleaners,
  lockDirectory,
  makePrivateDirectory,
  requirePrivateDirectory,
} from "./socket_directory.ts";
import { type Accepted, asStream, type Listener, nextStream, reasonOf } from "./stream.ts";

/** How long a socket's path may be, in bytes: the size of `sun_path` less its final NUL (unix(7)). */
const MAX_PATH = Deno.build.os === "darwin" ? 103 : 107;

/** How long a running server waits for one that is being started in the same directory, in ms. */
const PATIENCE = 1_000;

/**
 * Listens on a socket in a directory that only this user may enter. A socket on which nobody listens any
 * more is replaced; one that is in use is left alone. While it listens, a socket that vanishes is made again.
 *
 * @param options.onWarning told when the socket has vanished, and what came of it.
 * @param options.onMoved called when it was made again, and is another file.
 * @throws {EnsembleError} when the path is too long, the directory is not ours alone, or a server listens
 * there already.
 */
export async function listenUnix(
  address: UnixAddress,
  options: { onWarning?: (message: string) => void; onMoved?: () => void } = {},
): Promise<Listener> {
  const { path } = address;
  try {
    const length = new TextEncoder().encode(path).length;
    if (length > MAX_PATH) {
      throw new EnsembleError(
        `the path is ${length} bytes long and a socket's may be ${MAX_PATH} at most; set ` +
          `ENSEMBLE_SOCKET_DIR to a shorter directory`,
      );
    }
    return new UnixListener(address, await BoundSocket.bind(path), options);
  } catch (error) {
    throw new EnsembleError(`cannot listen at unix:${path}: ${reasonOf(error)}`);
  }
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
      const problem = reasonOf(error);
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
