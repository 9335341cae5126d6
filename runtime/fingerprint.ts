/**
 * Fingerprints of keys, secrets and certificates: they tell one from another and reveal nothing of it.
 *
 * @module
 */

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
