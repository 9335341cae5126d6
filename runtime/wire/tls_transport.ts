/**
 * Mutual TLS 1.3, on `node:tls`, which asks clients for their certificates.
 *
 * @module
 */
import { isIP, type Socket } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { EnsembleError } from "../errors.ts";
import { type Address, formatAddressUrl, type InternetAddress } from "./address.ts";
import { HANDSHAKE_TIMEOUT, MAX_HANDSHAKES } from "./limits.ts";
import type { Accepted, ByteStream, Listener } from "./stream.ts";

/** Keep reading after the write side is closed. */
const HALF_OPEN = { allowHalfOpen: true };

/**
 * The first Deno that refuses clients without a certificate: 2.7.12 asks none of them for one, and up to 2.8.0 those who
 * have none count as authorized.
 */
const FIRST_DENO = "2.8.1";

/**
 * Makes sure that this Deno asks clients for certificates.
 *
 * @param version that of Deno, such as `2.9.6` or `2.10.0-rc.1`.
 * @throws {EnsembleError} when it does not.
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

/** What a server shows and whom it trusts. The files may be read again while it runs. */
export interface TlsMaterial {
  /** Its certificate and those between it and the root, PEM. */
  readonly chain: string;
  /** Its private key, PEM. */
  readonly key: string;
  /** The certificates of the roots that it trusts, PEM. */
  readonly roots: string[];
}

/** Gives the material of now, and calls back when there is new. */
export interface TlsSource {
  /** The material to use for what is opened next. */
  current(): TlsMaterial;
  /** Calls back each time the material has changed. */
  onChange(callback: () => void): void;
}

/** Refuses an IPv6 address with a zone: `node:net` of Deno takes none. */
function refuseZone(host: string): void {
  if (!host.includes("%")) return;
  throw new EnsembleError("tls takes no address with a zone: use another address of the host");
}

/**
 * Opens a stream to an address; the peer's certificate must be good, and name the host.
 *
 * @throws {Error} when it cannot.
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
 * Listens at an address; clients without a good certificate do not get in. Of those that are still to show
 * theirs there are at most {@linkcode MAX_HANDSHAKES}: when more come, the oldest are closed.
 *
 * @param options.onRefused told of each client that does not get in, and why.
 * @throws {EnsembleError} when it cannot.
 */
export async function listenTls(
  address: InternetAddress,
  options: { tls: TlsSource; onRefused: (from: string, reason: string) => void },
): Promise<Listener> {
  const { tls, onRefused } = options;
  requireClientCertificates(Deno.version.deno);
  refuseZone(address.host);
  const server = createServer({
    ...contextOf(tls),
    ...HALF_OPEN,
    // Done below, where the refusal can be logged with its reason.
    rejectUnauthorized: false,
  });
  tls.onChange(() => server.setSecureContext(contextOf(tls)));
  const handshakes = new Handshakes(onRefused);
  const accepted: Accepted[] = [];
  let wake = () => {};
  let closed = false;
  server.on("connection", (socket: Socket) => handshakes.begin(socket));
  server.on("secureConnection", (socket) => {
    const handshakeTime = handshakes.end(socket)?.took;
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
    const from = handshakes.end(socket)?.from;
    // Node leaves what failed open (and Deno both of its sockets, for ever).
    socket.destroy();
    parentOf(socket)?.destroy();
    // A port scanner connects and hangs up: not worth a line in the log.
    if (from !== undefined && error.code !== "ECONNRESET") onRefused(from, error.message);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Also later ones: failing to accept one client must not end the process.
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
      handshakes.close();
      wake();
      return Promise.resolve();
    },
  };
}

/**
 * The TLS handshakes that are under way at one port, the oldest first. None takes longer than
 * {@linkcode HANDSHAKE_TIMEOUT}, and there are never more than {@linkcode MAX_HANDSHAKES}.
 */
class Handshakes {
  readonly #sockets = new Map<
    string,
    { socket: Socket; timer: ReturnType<typeof setTimeout>; began: number }
  >();
  readonly #addresses = new WeakMap<Socket, string>();
  readonly #onRefused: (from: string, reason: string) => void;

  /** Tells of those that are closed here. */
  constructor(onRefused: (from: string, reason: string) => void) {
    this.#onRefused = onRefused;
  }

  /** Notes one that begins; closes the oldest where there are too many. */
  begin(socket: Socket): void {
    // An honest one takes milliseconds: the oldest is the least likely to end well.
    const [oldest] = this.#sockets.size < MAX_HANDSHAKES ? [] : this.#sockets.keys();
    if (oldest !== undefined) this.#close(oldest, "too many handshakes at once");
    const from = remoteText(socket);
    const timer = setTimeout(() => {
      // A client that sent nothing in all that time only looked whether the port is open.
      const said = socket.bytesRead > 0;
      this.#close(from, said ? `no handshake within ${HANDSHAKE_TIMEOUT} ms` : undefined);
    }, HANDSHAKE_TIMEOUT);
    Deno.unrefTimer(timer as unknown as number);
    this.#addresses.set(socket, from);
    this.#sockets.set(from, { socket, timer, began: performance.now() });
    socket.once("close", () => this.#forget(from));
  }

  /** Notes that one is over; says where it came from and how long it took, in ms, unless it was closed here. */
  end(socket: TLSSocket): { from: string; took: number } | undefined {
    // By then its own socket has forgotten.
    const plain = parentOf(socket);
    const from = plain && this.#addresses.get(plain) || remoteText(socket);
    const began = this.#sockets.get(from)?.began;
    this.#forget(from);
    return began === undefined ? undefined : { from, took: performance.now() - began };
  }

  /** Closes all, and tells of none. */
  close(): void {
    for (const from of this.#sockets.keys()) this.#close(from, undefined);
  }

  #close(from: string, reason: string | undefined): void {
    const socket = this.#sockets.get(from)?.socket;
    this.#forget(from);
    socket?.destroy();
    if (reason !== undefined) this.#onRefused(from, reason);
  }

  #forget(from: string): void {
    clearTimeout(this.#sockets.get(from)?.timer);
    this.#sockets.delete(from);
  }
}

/** Why a client that has completed its handshake does not get in, if it does not. */
function refusalOf(socket: TLSSocket): string | undefined {
  if (!socket.authorized) return `no good certificate: ${socket.authorizationError}`;
  if (!socket.getPeerCertificate(true).raw) return "it shows no certificate";
  // Its certificate was checked when the session began, perhaps against roots that are trusted no more. Deno
  // issues tickets whatever the options say, and still accepts them after the context and the ticket keys have changed.
  if (socket.isSessionReused()) {
    return "it resumes a session, and certificates are checked anew each time";
  }
  return undefined;
}

/** The plain socket below one of TLS, on the side of the server. */
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
 * How many bytes may wait to be read here. Those who read keep up, and have to: Deno 2.9 takes no less from a
 * TLS socket that is paused, and does not tell of an end that comes meanwhile.
 */
const MAX_WAITING = 64 * 1024 * 1024;

/** A stream over a TLS socket whose handshake is done. */
class TlsStream implements ByteStream {
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
