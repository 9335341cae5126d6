/**
 * Identities by certificate.
 *
 * @module
 */
import type { ServerId } from "../actor/references.ts";
import { AuthenticationError } from "../errors.ts";
import type { TlsSource } from "../wire/tls_transport.ts";

/** Who a certificate says that its holder is. */
export interface Certified {
  /** The server id: its `srv:` URI. */
  readonly id: ServerId;
  /** What it may do in other servers: its `cap:` URIs. */
  readonly capabilities: readonly string[];
  /** The certificate's serial number, in hex. */
  readonly serial: string;
}

/** What a server needs for TLS. */
export interface TlsCredentials extends TlsSource {
  /**
   * Reads the certificate of a peer, whose chain and dates TLS has checked.
   *
   * @throws {AuthenticationError} when it is revoked, or names no server.
   */
  identify(certificate: Uint8Array): Certified;
}

/** The id under which commands are certified. Each adds a dash and what makes its own id unique. */
export const CONSOLE_ID = "console";

/** The id under which clients are certified: programs that are in the ensemble for a while, and add to it as commands do. */
export const CLIENT_ID = "client";

/** The id whose certificate a peer may have in place of one of its own; undefined for any but consoles and clients. */
export function sharedId(id: ServerId): ServerId | undefined {
  return [CONSOLE_ID, CLIENT_ID].find((shared): shared is ServerId => id.startsWith(`${shared}-`));
}

/**
 * Makes sure that a peer goes by the id that it is certified for.
 *
 * @throws {AuthenticationError} when it does not.
 */
export function requireCertified(peer: ServerId, { id }: Certified): void {
  if (peer === id || sharedId(peer) === id) return;
  throw new AuthenticationError(
    `the peer calls itself ${peer} and its certificate is that of ${id}`,
  );
}
