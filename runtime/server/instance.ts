/**
 * Instances: what tells one run of a server from all others, of its own id too.
 *
 * @module
 */

/** The length of an instance, in bytes: an Ed25519 public key (RFC 8032). */
export const INSTANCE_LENGTH = 32;

/** The length of a signature, in bytes. */
export const SIGNATURE_LENGTH = 64;

/** A running server's key pair: made when it starts, never stored. */
export class Instance {
  /** The public half, which names the instance. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly #privateKey: CryptoKey;

  private constructor(publicKey: Uint8Array<ArrayBuffer>, privateKey: CryptoKey) {
    this.publicKey = publicKey;
    this.#privateKey = privateKey;
  }

  /** Makes a new one. */
  static async generate(): Promise<Instance> {
    const pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
    const { publicKey, privateKey } = pair as CryptoKeyPair;
    return new Instance(
      new Uint8Array(await crypto.subtle.exportKey("raw", publicKey)),
      privateKey,
    );
  }

  /** Signs bytes. */
  async sign(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await crypto.subtle.sign("Ed25519", this.#privateKey, bytes));
  }
}

/** Whether an instance made a signature of the bytes. */
export async function verifySignature(
  instance: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  try {
    const key = await crypto.subtle.importKey("raw", instance, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", key, signature, bytes);
  } catch {
    return false; // not a point on the curve
  }
}

/** Whether two instances are the same; they are public, so the time it takes tells nothing. */
export function sameInstance(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

/** The beginning of an instance in hex, for people: long enough that nobody makes another that begins so. */
export function fingerprint(instance: Uint8Array): string {
  return instance.subarray(0, 8).toHex();
}
