/**
 * Transports: opening streams to addresses, and listening at addresses.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import { type Address, formatAddressUrl, type InternetAddress } from "./address.ts";
import { CONNECT_TIMEOUT } from "./limits.ts";
import { asStream, type ByteStream, type Listener, nextStream } from "./stream.ts";
import { codeOf, messageOf } from "./system_errors.ts";
import type { TlsSource } from "./tls_transport.ts";
import { connectUnix, listenUnix, requireFoundHere } from "./unix_transport.ts";

/** Thrown when no stream can be opened to an address. */
export class UnreachableError extends EnsembleError {
  /**
   * The definite failures: no process listens there, there is no such unix socket, or its queue is
   * full because nothing accepts.
   */
  readonly why: "refused" | "no socket" | "full" | undefined;

  /** Makes the error of an attempt to connect; `signal` has ended it if it timed out. */
  constructor(address: Address, error: unknown, signal: AbortSignal) {
    const message = signal.aborted ? "no answer in time" : messageOf(error);
    super(`${formatAddressUrl(address)}: ${message}`);
    const code = codeOf(error);
    if (code === "ECONNREFUSED") this.why = "refused";
    else if (code === "ENOENT" && address.kind === "unix") this.why = "no socket";
    else if (code === "EAGAIN") this.why = "full";
  }
}

/**
 * Opens a stream to an address.
 *
 * A UNIX socket must be in a directory that only this user can enter. If the file of the socket is
 * known, it must be that file, whatever the host's name; if not, it must be on a host with this
 * name.
 *
 * @param options.tls the certificate and trusted roots for tls.
 * @param options.timeout how long it may take, in ms. Default: {@linkcode CONNECT_TIMEOUT}.
 * @throws {UnreachableError} if no stream could be opened in that time, with the reason.
 * @throws {EnsembleError} if a UNIX socket is on another host.
 */
export async function connectTo(
  address: Address,
  { tls, timeout = CONNECT_TIMEOUT }: {
    tls?: TlsSource | undefined;
    timeout?: number | undefined;
  } = {},
): Promise<ByteStream> {
  if (address.kind === "unix") requireFoundHere(address);
  const signal = AbortSignal.timeout(timeout);
  try {
    switch (address.kind) {
      case "unix":
        return await connectUnix(address);
      case "tcp":
        return await connectTcp(address, signal);
      case "tls":
        if (!tls) throw new Error("this server has no certificate");
        return await (await import("./tls_transport.ts")).connectTls(address, { tls, signal });
    }
  } catch (error) {
    throw new UnreachableError(address, error, signal);
  }
}

async function connectTcp(
  { host, port }: InternetAddress,
  signal: AbortSignal,
): Promise<ByteStream> {
  const stream = await Deno.connect({ hostname: host, port, signal });
  stream.setNoDelay(true);
  return asStream(stream, "tcp");
}

/** Options of {@linkcode listenAt}. */
export interface ListenOptions {
  /** The certificate and trusted roots for tls. */
  readonly tls?: TlsSource | undefined;
  /** Called when a UNIX socket has vanished, with the action taken. */
  readonly onWarning?: (message: string) => void;
  /** Called when a UNIX socket was created again, and the listener's address has another file. */
  readonly onMoved?: () => void;
  /** Called for each client that tls refuses, with its address and the reason. */
  readonly onRefused?: (from: string, message: string) => void;
}

/**
 * Listens at an address.
 *
 * @throws {EnsembleError} if it cannot, with the reason and what to do.
 */
export async function listenAt(
  address: Address,
  options: ListenOptions = {},
): Promise<Listener> {
  try {
    switch (address.kind) {
      case "unix":
        return await listenUnix(address, options);
      case "tcp":
        return listenTcp(address);
      case "tls":
        return await listenWithTls(address, options);
    }
  } catch (error) {
    const code = error instanceof Deno.errors.AddrInUse
      ? "ADDRESS_IN_USE"
      : error instanceof EnsembleError
      ? error.code
      : undefined;
    throw new EnsembleError(`cannot listen at ${formatAddressUrl(address)}: ${messageOf(error)}`, {
      code,
    });
  }
}

async function listenWithTls(
  address: InternetAddress,
  { tls, onRefused = () => {} }: ListenOptions,
): Promise<Listener> {
  if (!tls) {
    throw new EnsembleError(
      "this server has no certificate; make one with: gxensemble ca cert <server-id>",
    );
  }
  return await (await import("./tls_transport.ts")).listenTls(address, { tls, onRefused });
}

function listenTcp(address: InternetAddress): Listener {
  const listener = Deno.listen({ hostname: address.host, port: address.port });
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
