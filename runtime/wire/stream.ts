/**
 * The interfaces of all transports: streams and listeners.
 *
 * @module
 */
import type { Address } from "./address.ts";

/** What a stream goes over, as its end knows it: the kind of its address, or a tunnel. */
export type StreamKind = Address["kind"] | "tunnel";

/** A stream of bytes to a peer: a `Deno.Conn` that knows its kind, or one like it. */
export interface ByteStream {
  /** The kind of its address at this end; `tunnel` if it goes through a supervisor. */
  readonly kind: StreamKind;
  /** The id of the supervisor that it goes through. Only on a tunnel. */
  readonly via?: string;
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
  /**
   * The number of messages for which a write is worth its work: see `EARLY_MESSAGES`, the
   * default.
   */
  readonly earlyMessages?: number;
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

/** Closes a stream that may have been closed before, as a handshake that took too long is. */
export function closeStream(stream: Pick<ByteStream, "close">): void {
  try {
    stream.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
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
  /** Accepts the next stream; undefined once the listener is closed. */
  accept(): Promise<Accepted | undefined>;
  /** Stops accepting. The promise resolves when the socket file, if any, is removed. */
  close(): Promise<void>;
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
