/**
 * How keys and certificates stand in files: as PEM (RFC 7468), and private keys encrypted under a passphrase.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";

/** Writes DER under a label, such as `PUBLIC KEY`. */
export function encodePem(label: string, der: ArrayBuffer | Uint8Array): string {
  const base64 = new Uint8Array(der).toBase64();
  const lines = base64.match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

/**
 * Reads the DER under a label, the first where there are several.
 *
 * @throws {EnsembleError} when there is none.
 */
export function decodePem(label: string, text: string): Uint8Array<ArrayBuffer> {
  const [first] = decodePemBlocks(label, text);
  if (first !== undefined) return first;
  throw new EnsembleError(text.trim() === "" ? "it is empty" : `no PEM block "${label}"`);
}

/**
 * Reads the DER of every block of a label, in order. Other blocks, and text around them, are passed over.
 *
 * @throws {EnsembleError} when a block is damaged.
 */
export function decodePemBlocks(label: string, text: string): Uint8Array<ArrayBuffer>[] {
  const blocks: Uint8Array<ArrayBuffer>[] = [];
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  for (let at = text.indexOf(begin); at >= 0; at = text.indexOf(begin, at)) {
    const start = at + begin.length;
    at = text.indexOf(end, start);
    if (at < 0) {
      throw new EnsembleError(`the PEM block "${label}" has no end: the file was cut off`);
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
 * Encrypts a text under a passphrase, with age's default work factor: about a second to open.
 *
 * @see https://age-encryption.org/v1
 */
export async function sealWithPassphrase(text: string, passphrase: string): Promise<string> {
  const { armor, Encrypter } = await import("npm:age-encryption@^0.3.1");
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  return `${armor.encode(await encrypter.encrypt(text)).trimEnd()}\n`;
}

/** A secret in a file. */
export interface SealedFile {
  /** Where it is, for errors. */
  readonly path: string;
  /** What is in the file. */
  readonly text: string;
}

/**
 * Decrypts what {@linkcode sealWithPassphrase}, or `age --passphrase --armor`, encrypted.
 *
 * @param passphrase gives the passphrase; not called for a file that cannot be opened with any.
 * @throws {EnsembleError} when the passphrase is another, or the text is no such file.
 */
export async function openWithPassphrase(
  { path, text }: SealedFile,
  passphrase: () => Promise<string>,
): Promise<string> {
  if (text.trim() === "") throw new EnsembleError(`${path} is empty`);
  const { armor, Decrypter } = await import("npm:age-encryption@^0.3.1");
  let bytes: Uint8Array;
  try {
    bytes = armor.decode(text);
  } catch (error) {
    throw new EnsembleError(
      `${path} is not an armoured age file, or was cut off: ${(error as Error).message}`,
      { cause: error },
    );
  }
  const decrypter = new Decrypter();
  decrypter.addPassphrase(await passphrase());
  try {
    return await decrypter.decrypt(bytes, "text");
  } catch (error) {
    const reason = (error as Error).message;
    throw new EnsembleError(
      /identity matched|passphrase/i.test(reason)
        ? "the passphrase is wrong"
        : `cannot open ${path}: ${reason}`,
      { cause: error },
    );
  }
}
