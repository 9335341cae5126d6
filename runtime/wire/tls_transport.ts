/**
 * Mutual TLS 1.3. It uses `node:tls`, because `Deno.listenTls` cannot ask clients for certificates.
 *
 * @module
 */
import { isIP, type Socket } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { EnsembleError } from "../errors.ts";
import { type Address, formatAddressUrl, type InternetAddress } from "./address.ts";
import { EARLY_MESSAGES_TLS, MAX_UNREAD } from "./limits.ts";
import type { Accepted, ByteStream, Listener } from "./stream.ts";
import { Handshakes } from "./handshakes.ts";

/** Keep reading after the write side is closed. */
const HALF_OPEN = { allowHalfOpen: true };

/**
 * The first Deno version that refuses clients without a certificate. Deno 2.7.12 never asks for
 * one, and up to 2.8.0 clients without one count as authorized.
 */
const FIRST_DENO = "2.8.1";

/**
 * Checks that this Deno asks clients for certificates.
 *
 * @param version the version of Deno, such as `2.9.6` or `2.10.0-rc.1`.
 * @throws {EnsembleError} if it does not.
 */
export function requireClientCertificates(version: string): void {
  const [actual, needed] = [version, FIRST_DENO].map((text) => text.split(/[.+-]/).map(Number));
  for (const [i, least] of needed!.entries()) {
    if (actual![i]! > least) return;
    if (actual![i] === least) continue;
    throw new EnsembleError(
      `Deno ${version} does not ask clients for certificates as it should: use ${FIRST_DENO} or later`,
    );
  }
}

/** A server's certificate and trusted roots. */
export interface TlsMaterial {
  /** Its certificate, and those between it and the root, PEM. */
  readonly chain: string;
  /** Its private key, PEM. */
  readonly key: string;
  /** The certificates of the trusted roots, PEM. */
  readonly roots: string[];
}

/** TLS material that may change while the server runs. */
export interface TlsSource {
  /** The material for the next connections. */
  current(): TlsMaterial;
  /** Calls `callback` each time the material has changed. */
  onChange(callback: () => void): void;
}

/** Refuses an IPv6 address with a zone, which Deno's `node:net` does not accept. */
function refuseZone(host: string): void {
  if (!host.includes("%")) return;
  throw new EnsembleError(
    "tls does not accept an address with a zone: use another address of the host",
  );
}

/**
 * Opens a stream to an address. The certificate of the peer must be valid and name the host.
 *
 * @throws {Error} if no stream can be opened.
 */
export function connectTls(
  { host, port }: InternetAddress,
  options: { tls: TlsSource; signal: AbortSignal },
): Promise<ByteStream> {
  refuseZone(host);
  const { promise, resolve, reject } = Promise.withResolvers<ByteStream>();
  const socket = connect({
    ...contextOf(options.tls),
    ...HALF_OPEN,
    host,
    port,
    // RFC 6066: a server name is a DNS name.
    ...(isIP(host) === 0 && { servername: host }),
  });
  const abort = () => socket.destroy(new Error("no answer in time"));
  options.signal.addEventListener("abort", abort, { once: true });
  socket.once("error", reject);
  if (options.signal.aborted) abort();
  socket.once("close", () => reject(new Error("the peer closed the connection")));
  socket.once("secureConnect", () => {
    options.signal.removeEventListener("abort", abort);
    socket.setNoDelay(true);
    resolve(new TlsStream(socket));
  });
  return promise;
}

/**
 * Listens at an address, and refuses clients without a valid certificate.
 *
 * @param options.onRefused called for each refused client, with its address and the reason.
 * @throws {Error} if it cannot listen.
 */
export async function listenTls(
  address: InternetAddress,
  options: { tls: TlsSource; onRefused: (from: string, message: string) => void },
): Promise<Listener> {
  const { tls, onRefused } = options;
  requireClientCertificates(Deno.version.deno);
  refuseZone(address.host);
  const server = createServer({
    ...contextOf(tls),
    ...HALF_OPEN,
    // Checked in refusalOf, so that the log contains the reason.
    rejectUnauthorized: false,
  });
  tls.onChange(() => server.setSecureContext(contextOf(tls)));
  const ofTls = new TlsHandshakes(onRefused);
  const accepted: Accepted[] = [];
  let wake = () => {};
  let closed = false;
  server.on("connection", (socket: Socket) => ofTls.begin(socket));
  server.on("secureConnection", (socket) => {
    const handshakeTime = ofTls.end(socket)?.took;
    const refusal = refusalOf(socket);
    if (refusal !== undefined) {
      onRefused(remoteText(socket), refusal);
      socket.on("error", () => {});
      return void socket.destroy();
    }
    socket.setNoDelay(true);
    const stream = new TlsStream(socket, { handshakeTime });
    accepted.push({ stream, from: remoteOf(socket) });
    wake();
  });
  server.on("tlsClientError", (error: Error & { code?: string }, socket) => {
    const from = ofTls.end(socket)?.from;
    // Node leaves a failed socket open, and Deno both of its sockets.
    socket.destroy();
    parentOf(socket)?.destroy();
    // A port scanner connects and hangs up, which is not worth a line in the log.
    if (from !== undefined && error.code !== "ECONNRESET") onRefused(from, error.message);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Stays for later errors: a failed client must not end the process.
  server.on("error", reject);
  server.listen(address.port, address.host, resolve);
  await promise;
  return {
    address: { ...address, port: (server.address() as { port: number }).port },
    async accept() {
      while (true) {
        const next = accepted.shift();
        if (next || closed) return next;
        await new Promise<void>((resolve) => wake = resolve);
      }
    },
    close() {
      closed = true;
      server.close();
      ofTls.close();
      wake();
      return Promise.resolve();
    },
  };
}

/** The concurrent TLS handshakes at a port, by origin. */
class TlsHandshakes {
  readonly #underWay = new Map<string, { socket: Socket; began: number; end: () => void }>();
  readonly #addresses = new WeakMap<Socket, string>();
  readonly #handshakes = new Handshakes();
  readonly #onRefused: (from: string, message: string) => void;

  /** Starts empty. `onRefused` is called for those that reach a limit of {@linkcode Handshakes}. */
  constructor(onRefused: (from: string, message: string) => void) {
    this.#onRefused = onRefused;
  }

  /** Adds the handshake of a client. */
  begin(socket: Socket): void {
    const from = remoteText(socket);
    const end = this.#handshakes.begin((message, isLate) => {
      this.#forget(from);
      // A client that sent nothing until the timeout only checked whether the port is open.
      const isScan = isLate && socket.bytesRead === 0;
      socket.destroy();
      if (!isScan) this.#onRefused(from, message);
    });
    this.#addresses.set(socket, from);
    this.#underWay.set(from, { socket, began: performance.now(), end });
    socket.once("close", () => this.#forget(from));
  }

  /**
   * Removes a finished handshake.
   *
   * @returns its origin and duration in ms; undefined if it was closed here.
   */
  end(socket: TLSSocket): { from: string; took: number } | undefined {
    // The TLS socket may no longer know its remote address.
    const plain = parentOf(socket);
    const from = plain && this.#addresses.get(plain) || remoteText(socket);
    const began = this.#underWay.get(from)?.began;
    this.#forget(from);
    return began === undefined ? undefined : { from, took: performance.now() - began };
  }

  /** Closes all of them, without calling `onRefused`. */
  close(): void {
    for (const [from, { socket }] of this.#underWay) {
      this.#forget(from);
      socket.destroy();
    }
  }

  #forget(from: string): void {
    this.#underWay.get(from)?.end();
    this.#underWay.delete(from);
  }
}

/** The reason to refuse a client after its handshake; undefined to accept it. */
function refusalOf(socket: TLSSocket): string | undefined {
  if (!socket.authorized) return `no valid certificate: ${socket.authorizationError}`;
  if (!socket.getPeerCertificate(true).raw) return "it has no certificate";
  // The certificate was checked when the session began, perhaps against roots that are no longer
  // trusted. Deno issues tickets whatever the options are, and accepts them after the context and
  // the ticket keys have changed.
  if (socket.isSessionReused()) {
    return "it resumes a session, but certificates are checked for each connection";
  }
  return undefined;
}

/** The plain socket below a TLS socket of a server. */
function parentOf(socket: TLSSocket): Socket | undefined {
  return (socket as { _parent?: Socket })._parent;
}

function contextOf(tls: TlsSource): object {
  const { chain, key, roots } = tls.current();
  return {
    cert: chain,
    key,
    ca: roots,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.3",
  };
}

function remoteOf(socket: Socket): Address {
  return { kind: "tls", host: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 };
}

function remoteText(socket: Socket): string {
  return formatAddressUrl(remoteOf(socket));
}

/**
 * A stream over a TLS socket after its handshake. Received data is buffered until it is read, up to
 * {@linkcode MAX_UNREAD}, because pausing the socket does not work: Deno 2.9 keeps reading, and
 * does not report an end that arrives meanwhile.
 */
class TlsStream implements ByteStream {
  /** See {@linkcode ByteStream.kind}. */
  readonly kind = "tls";
  /** See {@linkcode ByteStream.earlyMessages}. */
  readonly earlyMessages: number = EARLY_MESSAGES_TLS;
  /** The peer's certificate, DER (X.509). */
  readonly certificate: Uint8Array;
  /** See {@linkcode ByteStream.handshakeTime}. */
  readonly handshakeTime: number;
  readonly #socket: TLSSocket;
  readonly #chunks: Uint8Array[] = [];
  #unread = 0;
  #ended = false;
  #error: Error | undefined;
  #wake: () => void = () => {};

  /**
   * Takes over a socket, which must stay open for writing after the peer has closed its write side.
   */
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
    while (this.#unread === 0) {
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
    this.#unread -= filled;
    return filled;
  }

  /**
   * See {@linkcode ByteStream.write}. The promise resolves when the socket has taken all of the
   * bytes.
   */
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
    this.#unread += chunk.length;
    if (this.#unread > MAX_UNREAD) {
      this.#socket.destroy(new Error("too much data arrived without being read"));
    }
    this.#wake();
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
  }
}
