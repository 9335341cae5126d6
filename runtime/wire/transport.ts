/**
 * Transports: streams of bytes to and from addresses.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import {
  type Address,
  formatAddressUrl,
  hostName,
  type InternetAddress,
  isLocal,
  type UnixAddress,
} from "./address.ts";
import { CONNECT_TIMEOUT } from "./limits.ts";
import { asStream, type ByteStream, type Listener, nextStream, reasonOf } from "./stream.ts";
import type { TlsSource } from "./tls_transport.ts";
import {
  directoryOf,
  fileAt,
  listenUnix,
  requirePrivateDirectory,
  sameFile,
} from "./unix_transport.ts";

/** Thrown when no stream can be opened to an address. */
export class UnreachableError extends EnsembleError {
  /**
   * What is known for sure: nobody listens there, there is no such unix socket, or its queue is full since nobody
   * accepts connections.
   */
  readonly why: "refused" | "no socket" | "full" | undefined;

  /** An error about an address. */
  constructor(address: Address, error: unknown, signal?: AbortSignal) {
    super(`${formatAddressUrl(address)}: ${reasonOf(error, signal)}`);
    const { code } = error as { code?: unknown };
    this.why = code === "ECONNREFUSED"
      ? "refused"
      : code === "ENOENT" && address.kind === "unix"
      ? "no socket"
      : error instanceof Deno.errors.WouldBlock
      ? "full"
      : undefined;
  }
}

/**
 * Opens a stream to an address. A UNIX socket counts only in a directory to which nobody but this user has access, and
 * only when it is the one that was announced, whatever the host is called; where nothing is known of its file, only
 * on the host of that name.
 *
 * @throws {UnreachableError} when it cannot be opened within {@linkcode CONNECT_TIMEOUT}, saying why.
 */
export async function connectTo(address: Address, tls?: TlsSource): Promise<ByteStream> {
  if (address.kind === "unix" && !isLocal(address) && !isFoundHere(address)) {
    throw new EnsembleError(
      `${
        formatAddressUrl(address)
      } is a socket of host ${address.host}, and is not there on this host, ` +
        `${hostName()}: a server is reached from other hosts at tcp or tls`,
    );
  }
  const signal = AbortSignal.timeout(CONNECT_TIMEOUT);
  try {
    switch (address.kind) {
      case "unix":
        // First: a directory that is wrong only because the path is must not be made private.
        requireSocket(address);
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

/** Whether the very socket that was announced is at its path here: the host has another name, or shares its directory. */
export function isFoundHere({ path, file }: UnixAddress): boolean {
  if (!file) return false;
  try {
    return sameFile(fileAt(path), file);
  } catch {
    return false;
  }
}

function requireSocket({ path, file, host }: UnixAddress): void {
  const { isSocket } = Deno.statSync(path);
  // It is null where the system does not tell.
  if (isSocket === false) throw new EnsembleError("it is no socket");
  if (!file || sameFile(fileAt(path), file)) return;
  throw new EnsembleError(
    `another socket is there on this host, ${hostName()}, than the one announced on host ${host}`,
  );
}

/** Options of {@linkcode listenAt}. */
export interface ListenOptions {
  /** What to show and trust on tls. */
  readonly tls?: TlsSource | undefined;
  /** Told when a UNIX socket has vanished, and what came of it. */
  readonly onWarning?: (message: string) => void;
  /** Called when a UNIX socket was made again, and the listener's address has another file. */
  readonly onMoved?: () => void;
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
