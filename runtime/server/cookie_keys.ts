/**
 * The cookies of a running server: that of the ensemble and, while it is being rotated, the next
 * one, too.
 *
 * @module
 */
import { type Bytes, fingerprintOf } from "./credentials.ts";

/** The maximum number of cookies that a server has at once. */
export const MAX_COOKIES = 2;

/** A cookie as a key for HMAC-SHA-256, and its fingerprint. */
interface CookieKey {
  readonly key: CryptoKey;
  readonly fingerprint: string;
}

/** The cookies of a server. It proves, and accepts, each of them. */
export class CookieKeys {
  #all: readonly CookieKey[];

  private constructor(all: readonly CookieKey[]) {
    this.#all = all;
  }

  /**
   * Imports cookies.
   *
   * @param cookies one, or the next and the current one.
   */
  static async import(cookies: readonly Uint8Array[]): Promise<CookieKeys> {
    return new CookieKeys(await importAll(cookies));
  }

  /** Takes other cookies in place of those it has, for handshakes that begin from now on. */
  async replace(cookies: readonly Uint8Array[]): Promise<void> {
    this.#all = await importAll(cookies);
  }

  /** The keys, the newest first. */
  get keys(): readonly CryptoKey[] {
    return this.#all.map(({ key }) => key);
  }

  /** The fingerprints, the newest first. */
  get fingerprints(): readonly string[] {
    return this.#all.map(({ fingerprint }) => fingerprint);
  }
}

async function importAll(cookies: readonly Uint8Array[]): Promise<CookieKey[]> {
  const imported = await Promise.all(cookies.map(async (cookie) => {
    const bytes = cookie as Bytes;
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const [key, fingerprint] = await Promise.all([
      crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign", "verify"]),
      fingerprintOf(bytes),
    ]);
    return { key, fingerprint };
  }));
  // At the end of a rotation, both files have the same cookie.
  const distinct = new Map(imported.map((each) => [each.fingerprint, each]));
  return [...distinct.values()].slice(0, MAX_COOKIES);
}
