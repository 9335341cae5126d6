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
import { type Accepted, type ByteStream, type Listener, reasonOf } from "./stream.ts";
import { TlsStream } from "./tls_stream.ts";

/** Who has said all still hears the other. */
const HALF_OPEN = { allowHalfOpen: true };

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

/**
 * Opens a stream to an address; the peer's certificate must be good, and name the host.
 *
 * @throws {Error} when it cannot.
 */
export function connectTls(
  { host, port }: InternetAddress,
  options: { tls: TlsSource; signal: AbortSignal },
): Promise<ByteStream> {
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
  const server = createServer({
    ...contextOf(tls),
    ...HALF_OPEN,
    // That is done below: otherwise nobody is told who was refused, or why.
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_TIMEOUT,
  });
  tls.onChange(() => server.setSecureContext(contextOf(tls)));
  const handshakes = new Handshakes();
  const accepted: Accepted[] = [];
  let wake = () => {};
  let closed = false;
  server.on("connection", (socket: Socket) => {
    const dropped = handshakes.add(socket);
    if (dropped) onRefused(dropped, "too many handshakes at once");
  });
  server.on("secureConnection", (socket) => {
    handshakes.finish(socket);
    if (!socket.authorized) {
      onRefused(remoteText(socket), `no good certificate: ${socket.authorizationError}`);
      socket.on("error", () => {});
      return void socket.destroy();
    }
    socket.setNoDelay(true);
    accepted.push({ stream: new TlsStream(socket), from: remoteOf(socket) });
    wake();
  });
  server.on("tlsClientError", (error: Error & { code?: string }, socket) => {
    const from = handshakes.addressOf(socket);
    // Whoever looks whether the port is open says nothing and hangs up: that is no news.
    if (!closed && error.code !== "ECONNRESET") onRefused(from, error.message);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Also later ones: failing to accept one client must not end the process.
  server.on("error", reject);
  server.listen(address.port, address.host, resolve);
  try {
    await promise;
  } catch (error) {
    const reason = (error as { code?: string }).code === "EADDRINUSE"
      ? "the address is in use"
      : reasonOf(error);
    throw new EnsembleError(`cannot listen at ${formatAddressUrl(address)}: ${reason}`);
  }
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

/** The TLS handshakes that are under way at one port, the oldest first. */
class Handshakes {
  readonly #sockets = new Map<string, Socket>();
  readonly #addresses = new WeakMap<Socket, string>();

  /** Notes one that begins; gives where the oldest came from when that had to be closed for it. */
  add(socket: Socket): string | undefined {
    const from = remoteText(socket);
    this.#addresses.set(socket, from);
    // An honest one takes milliseconds: the oldest is the least likely to end well.
    const [oldest] = this.#sockets.size < MAX_HANDSHAKES ? [] : this.#sockets.keys();
    if (oldest !== undefined) this.#sockets.get(oldest)!.destroy();
    if (oldest !== undefined) this.#sockets.delete(oldest);
    this.#sockets.set(from, socket);
    socket.once("close", () => {
      if (this.#sockets.get(from) === socket) this.#sockets.delete(from);
    });
    return oldest;
  }

  /** Notes that one is done. */
  finish(socket: TLSSocket): void {
    this.#sockets.delete(remoteText(socket));
  }

  /** Where the client of one that failed came from: its own socket has forgotten. */
  addressOf(socket: TLSSocket): string {
    const { _parent: plain } = socket as { _parent?: Socket };
    return plain && this.#addresses.get(plain) || remoteText(socket);
  }

  /** Closes all. */
  close(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#sockets.clear();
  }
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
