/**
 * What a server proves itself with: the instance key of each run, and a certificate; and the fingerprints by which people
 * tell keys, certificates and cookies from one another. A fingerprint reveals nothing of a secret.
 *
 * @module
 */
import { AuthenticationError } from "../errors.ts";
import type { TlsSource } from "../wire/tls_transport.ts";

/** Bytes over a buffer of their own, as WebCrypto wants them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** The length of an instance, in bytes: an Ed25519 public key (RFC 8032). */
export const INSTANCE_LENGTH = 32;

/** The length of a signature, in bytes. */
export const SIGNATURE_LENGTH = 64;

/** A running server's key pair: made when it starts, never stored. */
export class InstanceKey {
  /** The public half, which names the instance. */
  readonly publicKey: Bytes;
  readonly #privateKey: CryptoKey;

  private constructor(publicKey: Bytes, privateKey: CryptoKey) {
    this.publicKey = publicKey;
    this.#privateKey = privateKey;
  }

  /** Makes a new one. */
  static async generate(): Promise<InstanceKey> {
    const pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
    const { publicKey, privateKey } = pair as CryptoKeyPair;
    return new InstanceKey(
      new Uint8Array(await crypto.subtle.exportKey("raw", publicKey)),
      privateKey,
    );
  }

  /** Signs bytes. */
  async sign(bytes: Bytes): Promise<Bytes> {
    return new Uint8Array(await crypto.subtle.sign("Ed25519", this.#privateKey, bytes));
  }
}

/** Whether an instance made a signature of a text. */
export async function verifySignature(
  text: Bytes,
  { instance, signature }: { instance: Bytes; signature: Bytes },
): Promise<boolean> {
  try {
    const key = await crypto.subtle.importKey("raw", instance, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", key, signature, text);
  } catch {
    return false; // not a point on the curve
  }
}

/** Whether two instances are the same; they are public, so the time it takes tells nothing. */
export function sameInstance(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

/** The beginning of an instance in hex, for people: long enough that nobody makes another that begins so. */
export function shortInstance(instance: Uint8Array): string {
  return instance.subarray(0, 8).toHex();
}

/** Who a certificate says that its holder is. */
export interface Certified {
  /** The server id: its `srv:` URI. */
  readonly id: string;
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

/** Who a server is to others. */
export interface Credentials {
  /** Its id. */
  readonly id: string;
  /** Its instance. */
  readonly instance: InstanceKey;
  /** The ensemble's cookie, as a key for HMAC-SHA-256. */
  readonly cookie: CryptoKey;
  /** What it shows and trusts on tls. */
  readonly tls?: TlsCredentials | undefined;
}

/** Imports a cookie's bytes as the key of the proofs. */
export function importCookie(cookie: Uint8Array): Promise<CryptoKey> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", cookie as Bytes, algorithm, false, ["sign", "verify"]);
}

/** The id under which commands are certified. Each adds a dash and what makes its own id unique. */
export const CONSOLE_ID = "console";

/** The id under which clients are certified: programs that are in the ensemble for a while, and add to it as commands do. */
export const CLIENT_ID = "client";

/** The id whose certificate a peer may have in place of one of its own; undefined for any but consoles and clients. */
export function sharedId(id: string): string | undefined {
  return [CONSOLE_ID, CLIENT_ID].find((shared): shared is string => id.startsWith(`${shared}-`));
}

/**
 * Makes sure that a peer goes by the id that it is certified for.
 *
 * @throws {AuthenticationError} when it does not.
 */
export function requireCertified(peer: string, { id }: Certified): void {
  if (peer === id || sharedId(peer) === id) return;
  throw new AuthenticationError(
    `the peer calls itself ${peer} and its certificate is that of ${id}`,
  );
}

/** How many digits of a fingerprint are shown: too many for anyone to make another key with the same ones. */
const SHOWN_DIGITS = 16;

/** The fingerprint of bytes: their SHA-256, in hex. */
export async function fingerprintOf(bytes: BufferSource): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** The fingerprint of a public key: that of its SPKI DER, as `openssl pkey -pubin -outform DER | sha256sum` prints it. */
export async function publicKeyFingerprint(key: CryptoKey): Promise<string> {
  return await fingerprintOf(await crypto.subtle.exportKey("spki", key));
}

/** The beginning of a fingerprint, for people. */
export function shortFingerprint(fingerprint: string): string {
  return fingerprint.slice(0, SHOWN_DIGITS);
}
