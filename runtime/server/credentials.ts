/**
 * A server's credentials: its instance key, new at each start, and its certificate; and
 * fingerprints, with which people compare keys, certificates and cookies. A fingerprint reveals
 * nothing about a secret.
 *
 * @module
 */
import { AuthenticationError } from "../errors.ts";
import type { TlsSource } from "../wire/tls_transport.ts";
import type { CookieKeys } from "./cookie_keys.ts";

/** Bytes with their own buffer, as WebCrypto requires. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** The length of an instance, in bytes: an Ed25519 public key (RFC 8032). */
export const INSTANCE_LENGTH = 32;

/** The length of a signature, in bytes. */
export const SIGNATURE_LENGTH = 64;

/** A running server's key pair, created at its start and never stored. */
export class InstanceKey {
  /** The public key, which identifies the instance. */
  readonly publicKey: Bytes;
  readonly #privateKey: CryptoKey;

  private constructor(publicKey: Bytes, privateKey: CryptoKey) {
    this.publicKey = publicKey;
    this.#privateKey = privateKey;
  }

  /** Creates a new one. */
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

/** Verifies an instance's signature of a text. */
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

/** Compares two instances. They are public, so it need not take constant time. */
export function sameInstance(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

/**
 * The first 16 hex digits of an instance key, for display. Too long to forge a second key with the
 * same ones.
 */
export function shortInstance(instance: Uint8Array): string {
  return instance.subarray(0, 8).toHex();
}

/** The identity in a certificate. */
export interface Certified {
  /** The server id: its `srv:` URI. */
  readonly id: string;
  /** Its capabilities in other servers: its `cap:` URIs. */
  readonly capabilities: readonly string[];
  /** The certificate's serial number, in hex. */
  readonly serial: string;
}

/** The TLS credentials of a server. */
export interface TlsCredentials extends TlsSource {
  /**
   * Reads the certificate of a peer. TLS has checked its chain and dates.
   *
   * @throws {InvalidInputError} if it names no server.
   * @throws {AuthenticationError} if it was revoked, or is not valid now.
   */
  identify(certificate: Uint8Array): Certified;
}

/** The identity that a server presents in handshakes. */
export interface Credentials {
  /** Its id. */
  readonly id: string;
  /** Its instance. */
  readonly instance: InstanceKey;
  /** Its cookies: that of the ensemble, and the next one while that is being rotated. */
  readonly cookies: CookieKeys;
  /** Its certificate, and the authorities it trusts. */
  readonly tls?: TlsCredentials | undefined;
}

/** The keys that authenticate a server. */
export type ServerKeys = Pick<Credentials, "instance" | "cookies">;

/**
 * The id in the certificate of commands. Each command appends a dash and a random text to get its
 * own id.
 */
export const CONSOLE_ID = "console";

/**
 * The id in the certificate of clients, the transient servers of programs. Each client appends a
 * dash and a random text to get its own id.
 */
export const CLIENT_ID = "client";

/**
 * The certified id that a peer may use in place of its own; undefined except for consoles and
 * clients.
 */
export function sharedId(id: string): string | undefined {
  return [CONSOLE_ID, CLIENT_ID].find((shared): shared is string => id.startsWith(`${shared}-`));
}

/**
 * Checks that a peer's id is the certified one.
 *
 * @throws {AuthenticationError} if it is not.
 */
export function requireCertified(peer: string, { id }: Certified): void {
  if (peer === id || sharedId(peer) === id) return;
  throw new AuthenticationError(
    `the peer claims the id ${peer}, but its certificate is for ${id}`,
  );
}

/**
 * The number of displayed digits of a fingerprint: too many to forge another key with the same
 * ones.
 */
const SHOWN_DIGITS = 16;

/** The fingerprint of bytes: their SHA-256, in hex. */
export async function fingerprintOf(bytes: BufferSource): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/**
 * The fingerprint of a public key: that of its SPKI DER, as `openssl pkey -pubin -outform DER |
 * sha256sum` prints it.
 */
export async function publicKeyFingerprint(key: CryptoKey): Promise<string> {
  return await fingerprintOf(await crypto.subtle.exportKey("spki", key));
}

/** The beginning of a fingerprint, for display. */
export function shortFingerprint(fingerprint: string): string {
  return fingerprint.slice(0, SHOWN_DIGITS);
}
