/**
 * TLS sockets of Node as streams of bytes.
 *
 * @module
 */
import type { TLSSocket } from "node:tls";
import type { ByteStream } from "./stream.ts";

/**
 * How many bytes may wait to be read here. Those who read keep up, and have to: Deno 2.9 takes no less from a
 * TLS socket that is paused, and does not tell of an end that comes meanwhile.
 */
const MAX_WAITING = 64 * 1024 * 1024;

/** A stream over a TLS socket whose handshake is done. */
export class TlsStream implements ByteStream {
  /** See {@linkcode ByteStream.kind}. */
  readonly kind = "tls";
  /** The peer's certificate, DER (X.509). */
  readonly certificate: Uint8Array;
  /** See {@linkcode ByteStream.handshakeTime}. */
  readonly handshakeTime: number;
  readonly #socket: TLSSocket;
  readonly #chunks: Uint8Array[] = [];
  #waiting = 0;
  #ended = false;
  #error: Error | undefined;
  #wake: () => void = () => {};

  /** Takes a socket over; it has to stay open for writing when the peer has ended its direction. */
  constructor(socket: TLSSocket, { handshakeTime = 0 } = {}) {
    this.#socket = socket;
    this.handshakeTime = handshakeTime;
    this.certificate = new Uint8Array(socket.getPeerCertificate(true).raw ?? []);
    socket.on("data", (chunk: Uint8Array) => this.#take(chunk));
    socket.on("end", () => this.#end());
    socket.on("close", () => this.#end());
    socket.on("error", (error) => {
      this.#error = error;
      this.#end();
    });
  }

  /** See {@linkcode ByteStream.read}. */
  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#waiting === 0) {
      if (this.#error) throw this.#error;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    let filled = 0;
    for (let chunk; filled < buffer.length && (chunk = this.#chunks[0]);) {
      const count = Math.min(chunk.length, buffer.length - filled);
      buffer.set(count < chunk.length ? chunk.subarray(0, count) : chunk, filled);
      filled += count;
      if (count < chunk.length) this.#chunks[0] = chunk.subarray(count);
      else this.#chunks.shift();
    }
    this.#waiting -= filled;
    return filled;
  }

  /** See {@linkcode ByteStream.write}; resolves when the socket has taken all of the bytes. */
  write(bytes: Uint8Array): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#socket.write(bytes, (error) => error ? reject(error) : resolve(bytes.length));
    return promise;
  }

  /** See {@linkcode ByteStream.closeWrite}. */
  closeWrite(): Promise<void> {
    this.#socket.end();
    return Promise.resolve();
  }

  /** See {@linkcode ByteStream.close}. */
  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#waiting += chunk.length;
    if (this.#waiting > MAX_WAITING) {
      this.#socket.destroy(new Error("more came than was read"));
    }
    this.#wake();
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
  }
}
