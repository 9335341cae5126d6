/**
 * Tells systemd how the supervisor is: it has started, it is alive, it reloads, it stops. The
 * protocol is that of sd_notify(3): a datagram with lines `NAME=value` to the socket in
 * `$NOTIFY_SOCKET`.
 *
 * The datagrams are sent with the functions of the C library. `Deno.listenDatagram` exists only in
 * processes that were started with `--unstable-net`, which executables that were compiled without
 * it cannot be. With the program `systemd-notify`, the sender would be another process, from which
 * systemd would have to accept them; then any server of the host could send them, too.
 *
 * @module
 */
import { EnsembleError } from "../runtime/errors.ts";

// The numbers are those of Linux on x86-64 and ARM64: socket(2), send(2).
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** The longest path of a socket, in bytes, with its final zero: unix(7). */
const MAX_SOCKET_PATH = 108;

/** The longest status, in characters. It has one line. */
const MAX_STATUS = 500;

const LIBRARY = "libc.so.6";
const FUNCTIONS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  sendto: {
    parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"],
    result: "isize",
  },
  close: { parameters: ["i32"], result: "i32" },
} as const;

/** What is read from the environment. */
type Environment = Pick<Deno.Env, "get">;

/** Notifications to the systemd that started this process. */
export class ServiceNotification {
  readonly #library: Deno.DynamicLibrary<typeof FUNCTIONS>;
  readonly #socket: number;
  readonly #address: Uint8Array<ArrayBuffer>;
  #timer: ReturnType<typeof setInterval> | undefined;

  /**
   * Notifications to a socket.
   *
   * @param path the path, or `@` and the name of an abstract socket.
   * @throws {EnsembleError} if this system cannot send them.
   */
  constructor(path: string) {
    this.#address = socketAddress(path);
    try {
      this.#library = Deno.dlopen(LIBRARY, FUNCTIONS);
    } catch (error) {
      throw new EnsembleError(
        `cannot notify systemd: ${LIBRARY} cannot be loaded: ${(error as Error).message}`,
        { cause: error },
      );
    }
    this.#socket = this.#library.symbols.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (this.#socket >= 0) return;
    this.#library.close();
    throw new EnsembleError("cannot notify systemd: the system gives this process no socket");
  }

  /**
   * Begins to notify the systemd that started this process, if it wants that. If it watches the
   * process (`WatchdogSec=`), it is told twice in that time that the process works.
   *
   * @returns undefined if nothing is to be notified.
   * @throws {EnsembleError} if this system cannot send notifications.
   */
  static start(environment: Environment = Deno.env): ServiceNotification | undefined {
    const path = environment.get("NOTIFY_SOCKET");
    if (!path) return undefined;
    const notification = new ServiceNotification(path);
    const interval = watchdogInterval(environment);
    if (interval !== undefined) notification.#keepAlive(interval);
    return notification;
  }

  /** The process has started, or has reloaded. */
  ready(): void {
    this.#send("READY=1");
  }

  /** What `systemctl status` shows of the process: one line. */
  status(text: string): void {
    // deno-lint-ignore no-control-regex
    this.#send(`STATUS=${text.replaceAll(/[\x00-\x1f\x7f]+/g, " ").slice(0, MAX_STATUS)}`);
  }

  /** The process reads its configuration again. {@linkcode ready} has to follow. */
  reloading(): void {
    this.#send("RELOADING=1");
  }

  /**
   * The process stops.
   *
   * @param timeout how long that takes at most, in ms, whatever `TimeoutStopSec=` says.
   */
  stopping({ timeout }: { readonly timeout: number }): void {
    this.#send(`STOPPING=1\nEXTEND_TIMEOUT_USEC=${Math.ceil(timeout) * 1000}`);
  }

  /** Ends the notifications. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#library.symbols.close(this.#socket);
    this.#library.close();
  }

  #keepAlive(interval: number): void {
    const sign = () => this.#send("WATCHDOG=1");
    sign();
    this.#timer = setInterval(sign, interval);
    // deno-lint-ignore no-explicit-any
    Deno.unrefTimer(this.#timer as any);
  }

  /** Sends a message. One that cannot be sent is lost: the process goes on without systemd. */
  #send(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.#library.symbols.sendto(
      this.#socket,
      bytes,
      BigInt(bytes.length),
      MSG_DONTWAIT | MSG_NOSIGNAL,
      this.#address,
      this.#address.length,
    );
  }
}

/** The time between two signs of life, in ms; undefined if systemd does not watch this process. */
function watchdogInterval(environment: Environment): number | undefined {
  const time = Number(environment.get("WATCHDOG_USEC"));
  const pid = environment.get("WATCHDOG_PID");
  if (!(time > 0) || pid && Number(pid) !== Deno.pid) return undefined;
  return Math.max(1, Math.floor(time / 2000));
}

/** The `sockaddr_un` of a socket: the family, and the path, which abstract ones begin with zero. */
function socketAddress(path: string): Uint8Array<ArrayBuffer> {
  const isAbstract = path.startsWith("@");
  const bytes = new TextEncoder().encode(path);
  if (!isAbstract && !path.startsWith("/") || bytes.length >= MAX_SOCKET_PATH) {
    throw new EnsembleError(
      `cannot notify systemd: NOTIFY_SOCKET is ${path}, which is neither an absolute path of less ` +
        `than ${MAX_SOCKET_PATH} bytes nor an abstract socket`,
    );
  }
  const address = new Uint8Array(2 + bytes.length + (isAbstract ? 0 : 1));
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(bytes, 2);
  if (isAbstract) address[2] = 0;
  return address;
}
