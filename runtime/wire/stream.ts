/**
 * What all transports have in common: streams of bytes, listeners, and the words for their errors.
 *
 * @module
 */
import type { Address } from "./address.ts";

/** A stream of bytes to a peer: a `Deno.Conn` that knows its kind, or one like it. */
export interface ByteStream {
  /** The kind of its address at this end. */
  readonly kind: Address["kind"];
  /** Reads into the buffer; returns how many bytes, or null at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes; returns how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Closes the write side: the peer reads what was written, and then the end. */
  closeWrite(): Promise<void>;
  /** Closes both sides at once. */
  close(): void;
  /** The peer's certificate, DER. The transport has verified its chain and dates. Only on tls. */
  readonly certificate?: Uint8Array;
  /** How much of the time for handshakes the transport has used for its own, in ms; none by default. */
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
  /** Where it comes from, as far as the transport tells. For a unix socket it is the address of the listener. */
  readonly from: Address;
}

/** Accepts streams at an address. */
export interface Listener {
  /** The address, with the actual port where 0 was asked for, and with the file of a UNIX socket. */
  readonly address: Address;
  /** Accepts the next stream; undefined once the listener is closed. */
  accept(): Promise<Accepted | undefined>;
  /** Stops accepting. The promise resolves when the socket file, if any, is removed. */
  close(): Promise<void>;
}

/** Accepts the next stream; undefined once the listener is closed. After a failure it tries again. */
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
      // There are no file descriptors left, or the peer gave up: others must still be accepted.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Messages for the error codes of the system, without its numbers. */
const MESSAGES: Readonly<Record<string, string>> = {
  ENOENT: "no such socket",
  ECONNREFUSED: "connection refused",
  EADDRINUSE: "the address is in use",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EAGAIN: "too many connections wait there",
};

/** The code of an error of the system, such as `ENOENT`; undefined when it has none. */
export function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}

/** Why connecting or listening failed. */
export function messageOf(error: unknown): string {
  return MESSAGES[codeOf(error) ?? ""] ?? (error instanceof Error ? error.message : String(error));
}
