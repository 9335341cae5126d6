/**
 * Secrets in files: encrypted under a passphrase, in the age format, armoured.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";

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
