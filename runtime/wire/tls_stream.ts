/**
 * TLS sockets of Node as streams of bytes.
 *
 * @module
 */
import type { TLSSocket } from "node:tls";
import type { ByteStream } from "./stream.ts";

/** A stream over a TLS socket whose handshake is done. */
export class TlsStream implements ByteStream {
  /** The peer's certificate, DER (X.509). */
  readonly certificate: Uint8Array;
  readonly #socket: TLSSocket;
  #rest: Uint8Array | undefined;
  #ended = false;
  #error: Error | undefined;
  #wake: () => void = () => {};

  /** Takes a socket over. */
  constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.certificate = new Uint8Array(socket.getPeerCertificate(true).raw ?? []);
    socket.on("readable", () => this.#wake());
    socket.on("end", () => this.#end());
    socket.on("close", () => this.#end());
    socket.on("error", (error) => {
      this.#error = error;
      this.#end();
    });
  }

  /** See {@linkcode ByteStream.read}. */
  async read(buffer: Uint8Array): Promise<number | null> {
    while (true) {
      const chunk: Uint8Array | null = this.#rest ?? this.#socket.read();
      if (chunk) {
        const count = Math.min(chunk.length, buffer.length);
        buffer.set(chunk.subarray(0, count));
        this.#rest = count < chunk.length ? chunk.subarray(count) : undefined;
        return count;
      }
      if (this.#error) throw this.#error;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
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

  #end(): void {
    this.#ended = true;
    this.#wake();
  }
}
