/**
 * The interfaces of all transports, streams and listeners, with the limits of handshakes and the
 * messages of system errors.
 *
 * @module
 */
import type { Address } from "./address.ts";
import { HANDSHAKE_TIMEOUT, MAX_HANDSHAKES } from "./limits.ts";

/** A stream of bytes to a peer: a `Deno.Conn` that knows its kind, or one like it. */
export interface ByteStream {
  /** The kind of its address at this end. */
  readonly kind: Address["kind"];
  /** Reads into the buffer. Returns the number of bytes, or null at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes. Returns their number. */
  write(bytes: Uint8Array): Promise<number>;
  /** Closes the write side: the peer reads what was written, and then the end. */
  closeWrite(): Promise<void>;
  /** Closes both sides at once. */
  close(): void;
  /** The peer's certificate, DER. The transport has verified its chain and dates. Only on tls. */
  readonly certificate?: Uint8Array;
  /** The part of the handshake timeout that the transport has used itself, in ms. Default: none. */
  readonly handshakeTime?: number;
}

/** Makes a stream of a connection. */
export function asStream<Conn extends Deno.Conn>(
  connection: Conn,
  kind: Address["kind"],
): Conn & Pick<ByteStream, "kind"> {
  return Object.assign(connection, { kind });
}

/** A stream that a listener has accepted. */
export interface Accepted {
  /** The stream. */
  readonly stream: ByteStream;
  /**
   * Its origin, as far as the transport knows it. For a unix socket, it is the address of the
   * listener.
   */
  readonly from: Address;
}

/** Accepts streams at an address. */
export interface Listener {
  /** The address, with the actual port if 0 was asked for, and with the file of a UNIX socket. */
  readonly address: Address;
  /** The handshakes of clients, both the transport's own and the protocol's. */
  readonly handshakes: Handshakes;
  /** Accepts the next stream; undefined once the listener is closed. */
  accept(): Promise<Accepted | undefined>;
  /** Stops accepting. The promise resolves when the socket file, if any, is removed. */
  close(): Promise<void>;
}

/**
 * The concurrent handshakes at a listener, oldest first. None takes longer than {@linkcode
 * HANDSHAKE_TIMEOUT}, and there are at most {@linkcode MAX_HANDSHAKES}: if more begin, the oldest
 * is closed. An honest handshake takes milliseconds, so the oldest is the least likely to succeed.
 */
export class Handshakes {
  readonly #underWay = new Set<(message: string, isLate: boolean) => void>();

  /**
   * Adds a handshake.
   *
   * @param close closes its stream; called with the reason, and whether that is the timeout, when a
   * limit is reached.
   * @param used how much of its timeout is already used, in ms.
   * @returns removes it; to be called when it is over.
   */
  begin(close: (message: string, isLate: boolean) => void, used = 0): () => void {
    const [oldest] = this.#underWay.size < MAX_HANDSHAKES ? [] : this.#underWay;
    oldest?.("too many handshakes at once", false);
    const timer = setTimeout(
      () => refuse(`no handshake within ${HANDSHAKE_TIMEOUT} ms`, true),
      HANDSHAKE_TIMEOUT - used,
    );
    Deno.unrefTimer(timer as unknown as number);
    const end = () => {
      clearTimeout(timer);
      this.#underWay.delete(refuse);
    };
    const refuse = (message: string, isLate: boolean) => {
      end();
      close(message, isLate);
    };
    this.#underWay.add(refuse);
    return end;
  }
}

/** Accepts the next stream; undefined once the listener is closed. Retries when accept fails. */
export async function nextStream<Stream>(
  listener: { accept(): Promise<Stream> },
): Promise<Stream | undefined> {
  while (true) {
    try {
      return await listener.accept();
    } catch (error) {
      if (
        error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted
      ) return undefined;
      // There are no file descriptors left, or the peer gave up. Keep accepting others.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Messages for system error codes, without numbers. */
const MESSAGES: Readonly<Record<string, string>> = {
  ENOENT: "no such socket",
  ECONNREFUSED: "connection refused",
  EADDRINUSE: "the address is in use",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EAGAIN: "too many connections are waiting",
};

/** The code of a system error, such as `ENOENT`; undefined if it has none. */
export function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}

/** The message for an error of connecting or listening. */
export function messageOf(error: unknown): string {
  return MESSAGES[codeOf(error) ?? ""] ?? (error instanceof Error ? error.message : String(error));
}
