/**
 * PEM text for keys and certificates (RFC 7468), and private keys encrypted with a passphrase.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";

/** Encodes DER under a label, such as `PUBLIC KEY`. */
export function encodePem(label: string, der: ArrayBuffer | Uint8Array): string {
  const base64 = new Uint8Array(der).toBase64();
  const lines = base64.match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

/**
 * Decodes the first block with a label.
 *
 * @returns DER.
 * @throws {EnsembleError} if there is none, or it is damaged.
 */
export function decodePem(label: string, text: string): Uint8Array<ArrayBuffer> {
  const [first] = decodePemBlocks(label, text);
  if (first !== undefined) return first;
  throw new EnsembleError(text.trim() === "" ? "it is empty" : `no PEM block "${label}"`);
}

/**
 * Decodes all blocks with a label, in order. Other blocks and the text around them are skipped.
 *
 * @returns the DER of each.
 * @throws {EnsembleError} if a block is damaged.
 */
export function decodePemBlocks(label: string, text: string): Uint8Array<ArrayBuffer>[] {
  const blocks: Uint8Array<ArrayBuffer>[] = [];
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  for (let at = text.indexOf(begin); at >= 0; at = text.indexOf(begin, at)) {
    const start = at + begin.length;
    at = text.indexOf(end, start);
    if (at < 0) {
      throw new EnsembleError(`the PEM block "${label}" has no end: the file was truncated`);
    }
    try {
      blocks.push(Uint8Array.fromBase64(text.slice(start, at).replaceAll(/\s/g, "")));
    } catch {
      throw new EnsembleError(`the PEM block "${label}" is damaged`);
    }
  }
  return blocks;
}

/**
 * Encrypts a private key with a passphrase: PKCS#8 PEM in an armored age file. Opening it takes
 * about a second, with age's default work factor.
 *
 * @param key an extractable key.
 * @see https://age-encryption.org/v1
 */
export async function sealPrivateKey(key: CryptoKey, passphrase: string): Promise<string> {
  const { armor, Encrypter } = await import("npm:age-encryption@^0.3.1");
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  const pem = encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", key));
  return `${armor.encode(await encrypter.encrypt(pem)).trimEnd()}\n`;
}

/** A key to open, for {@linkcode openPrivateKey}. */
export interface SealedKey {
  /** The path of its file, for errors. */
  readonly path: string;
  /** The contents of the file. */
  readonly text: string;
  /** The algorithm of the key. */
  readonly algorithm: { readonly name: string; readonly namedCurve?: string };
  /** Asks for the passphrase. It is not called for a file that no passphrase can open. */
  readonly passphrase: () => Promise<string>;
}

/**
 * Opens a private key encrypted by {@linkcode sealPrivateKey}, or by `age --passphrase --armor`.
 *
 * @returns the key, for signing.
 * @throws {EnsembleError} if the passphrase is wrong, or the file does not contain such a key.
 */
export async function openPrivateKey(sealed: SealedKey): Promise<CryptoKey> {
  const { path, algorithm } = sealed;
  const pem = await decrypt(sealed);
  try {
    const der = decodePem("PRIVATE KEY", pem);
    return await crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
  } catch (error) {
    const { message } = error as Error;
    throw new EnsembleError(`${path} is not a private key for ${algorithm.name}: ${message}`);
  }
}

async function decrypt({ path, text, passphrase }: SealedKey): Promise<string> {
  if (text.trim() === "") throw new EnsembleError(`${path} is empty`);
  const { armor, Decrypter } = await import("npm:age-encryption@^0.3.1");
  let bytes: Uint8Array;
  try {
    bytes = armor.decode(text);
  } catch (error) {
    throw new EnsembleError(
      `${path} is not an armored age file, or was truncated: ${(error as Error).message}`,
      { cause: error },
    );
  }
  const decrypter = new Decrypter();
  decrypter.addPassphrase(await passphrase());
  try {
    return await decrypter.decrypt(bytes, "text");
  } catch (error) {
    const { message } = error as Error;
    throw new EnsembleError(
      /identity matched|passphrase/i.test(message)
        ? "the passphrase is wrong"
        : `cannot open ${path}: ${message}`,
      { cause: error },
    );
  }
}
