/**
 * Mutual TLS 1.3, on `node:tls`, which asks clients for their certificates.
 *
 * @module
 */
import { isIP } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { EnsembleError } from "../errors.ts";
import { type Address, formatAddressUrl, type InternetAddress } from "./address.ts";
import { HANDSHAKE_TIMEOUT } from "./limits.ts";
import { type Accepted, type ByteStream, type Listener, reasonOf } from "./stream.ts";
import { TlsStream } from "./tls_stream.ts";

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
 * Listens at an address; clients without a good certificate do not get in.
 *
 * @param options.onRefused told of each such client, and why.
 * @throws {EnsembleError} when it cannot.
 */
export async function listenTls(
  address: InternetAddress,
  options: { tls: TlsSource; onRefused: (from: string, reason: string) => void },
): Promise<Listener> {
  const { tls, onRefused } = options;
  const server = createServer({ ...contextOf(tls), handshakeTimeout: HANDSHAKE_TIMEOUT });
  tls.onChange(() => server.setSecureContext(contextOf(tls)));
  const accepted: Accepted[] = [];
  let wake = () => {};
  let closed = false;
  server.on("secureConnection", (socket) => {
    socket.setNoDelay(true);
    accepted.push({ stream: new TlsStream(socket), from: remoteOf(socket) });
    wake();
  });
  server.on("tlsClientError", (error, socket) => onRefused(remoteText(socket), error.message));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
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
      wake();
    },
  };
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

function remoteOf(socket: TLSSocket): Address {
  return { kind: "tls", host: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 };
}

function remoteText(socket: TLSSocket): string {
  return formatAddressUrl(remoteOf(socket));
}
