/**
 * Transports: streams of bytes to and from addresses.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import { type Address, formatAddressUrl, type InternetAddress, isLocal } from "./address.ts";
import { CONNECT_TIMEOUT } from "./limits.ts";
import { asStream, type ByteStream, type Listener, nextStream, reasonOf } from "./stream.ts";
import type { TlsSource } from "./tls_transport.ts";
import { directoryOf, requirePrivateDirectory } from "./socket_directory.ts";
import { listenUnix } from "./unix_listener.ts";

/** Thrown when no stream can be opened to an address. */
export class UnreachableError extends EnsembleError {
  /** What is known for sure: nobody listens there, or there is no such unix socket. */
  readonly why: "refused" | "no socket" | undefined;

  /** An error about an address. */
  constructor(address: Address, error: unknown, signal?: AbortSignal) {
    super(`${formatAddressUrl(address)}: ${reasonOf(error, signal)}`);
    const { code } = error as { code?: unknown };
    this.why = code === "ECONNREFUSED"
      ? "refused"
      : code === "ENOENT" && address.kind === "unix"
      ? "no socket"
      : undefined;
  }
}

/**
 * Opens a stream to an address. A UNIX socket counts only in a directory to which nobody but this user has access.
 *
 * @throws {UnreachableError} when it cannot be opened within {@linkcode CONNECT_TIMEOUT}, saying why.
 */
export async function connectTo(address: Address, tls?: TlsSource): Promise<ByteStream> {
  if (!isLocal(address)) {
    throw new EnsembleError(`${formatAddressUrl(address)} is a socket of another host`);
  }
  const signal = AbortSignal.timeout(CONNECT_TIMEOUT);
  try {
    switch (address.kind) {
      case "unix":
        // First: a directory that is wrong only because the path is must not be made private.
        requireSocket(address.path);
        requirePrivateDirectory(directoryOf(address.path));
        return asStream(await Deno.connect({ transport: "unix", path: address.path }), "unix");
      case "tcp": {
        const { host, port } = address;
        const stream = await Deno.connect({ hostname: host, port, signal });
        stream.setNoDelay(true);
        return asStream(stream, "tcp");
      }
      case "tls":
        if (!tls) throw new Error("this server has no certificate");
        return await (await import("./tls_transport.ts")).connectTls(address, { tls, signal });
    }
  } catch (error) {
    throw new UnreachableError(address, error, signal);
  }
}

function requireSocket(path: string): void {
  const { isSocket } = Deno.statSync(path);
  // It is null where the system does not tell.
  if (isSocket === false) throw new EnsembleError("it is no socket");
}

/** Options of {@linkcode listenAt}. */
export interface ListenOptions {
  /** What to show and trust on tls. */
  readonly tls?: TlsSource | undefined;
  /** Told when a UNIX socket has vanished, and what came of it. */
  readonly onWarning?: (message: string) => void;
  /** Told of each client that tls does not let in, and why. */
  readonly onRefused?: (from: string, reason: string) => void;
}

/**
 * Listens at an address.
 *
 * @throws {EnsembleError} when it cannot, saying why and what to do.
 */
export async function listenAt(
  address: Address,
  options: ListenOptions = {},
): Promise<Listener> {
  switch (address.kind) {
    case "unix":
      return await listenUnix(address, options);
    case "tcp":
      return listenTcp(address);
    case "tls":
      return await listenWithTls(address, options);
  }
}

async function listenWithTls(
  address: InternetAddress,
  { tls, onRefused = () => {} }: ListenOptions,
): Promise<Listener> {
  if (!tls) {
    throw new EnsembleError(
      `cannot listen at ${formatAddressUrl(address)}: this server has no certificate; make one ` +
        `with: gxensemble ca cert <server-id>`,
    );
  }
  return await (await import("./tls_transport.ts")).listenTls(address, { tls, onRefused });
}

function listenTcp(address: InternetAddress): Listener {
  let listener: Deno.TcpListener;
  try {
    listener = Deno.listen({ hostname: address.host, port: address.port });
  } catch (error) {
    throw new EnsembleError(`cannot listen at ${formatAddressUrl(address)}: ${reasonOf(error)}`);
  }
  return {
    address: { ...address, port: listener.addr.port },
    async accept() {
      const stream = await nextStream(listener);
      if (!stream) return undefined;
      stream.setNoDelay(true);
      const { hostname, port } = stream.remoteAddr;
      return { stream: asStream(stream, "tcp"), from: { kind: "tcp", host: hostname, port } };
    },
    close: () => Promise.resolve(listener.close()),
  };
}
