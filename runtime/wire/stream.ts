/**
 * Streams of bytes and their listeners, the same for all transports.
 *
 * @module
 */
import type { Address } from "./address.ts";

/** A stream to a peer: a `Deno.Conn` that says what it runs over, or one like it. */
export interface ByteStream {
  /** What it runs over at this end. */
  readonly kind: Address["kind"];
  /** Reads into the buffer; gives how many bytes, or null at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes; gives how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends the sending direction: the peer reads what was written, then the end. */
  closeWrite(): Promise<void>;
  /** Closes both directions at once. */
  close(): void;
  /** The peer's certificate, DER, where the transport has one and has checked its chain and dates. */
  readonly certificate?: Uint8Array;
  /** How much of the time for handshakes the transport has used for its own, in ms; none where not given. */
  readonly handshakeTime?: number;
}

/** A connection of the runtime as a stream. */
export function asStream<Conn extends Deno.Conn>(
  connection: Conn,
  kind: Address["kind"],
): Conn & Pick<ByteStream, "kind"> {
  return Object.assign(connection, { kind });
}

/** A stream that a client opened to a listener. */
export interface Accepted {
  /** The stream. */
  readonly stream: ByteStream;
  /** Where it comes from, as far as the transport tells: a unix socket only tells where it was accepted. */
  readonly from: Address;
}

/** A place where streams are accepted. */
export interface Listener {
  /** The address, with the port that was given where 0 was asked for, and with the file of a UNIX socket. */
  readonly address: Address;
  /** The next stream, or undefined once closed. */
  accept(): Promise<Accepted | undefined>;
  /** Stops accepting; resolves when the socket file is removed, where there is one. */
  close(): Promise<void>;
}

/** The next stream, undefined once the listener is closed. Failures to accept one are outwaited. */
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
      // Out of file descriptors, or the peer gave up meanwhile: others must still be accepted.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Why something failed, in the words of the system and without its numbers. */
export function reasonOf(error: unknown, signal?: AbortSignal): string {
  if (signal?.aborted) return "no answer in time";
  if (error instanceof Deno.errors.NotFound) return "no such socket";
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused";
  if (error instanceof Deno.errors.AddrInUse) return "the address is in use";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.WouldBlock) return "too many connections wait there";
  return error instanceof Error ? error.message : String(error);
}
