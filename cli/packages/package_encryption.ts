/**
 * Encrypting a package with a passphrase, as an age file: `age --decrypt` opens it, too.
 *
 * @see https://age-encryption.org/v1
 *
 * @module
 */
import { EnsembleError } from "../../runtime/errors.ts";

/** How an age file begins. */
const INTRODUCTION = new TextEncoder().encode("age-encryption.org/v1\n");

/** Whether an archive is encrypted. */
export function isEncrypted(archive: Uint8Array): boolean {
  return INTRODUCTION.every((byte, at) => archive[at] === byte);
}

/** Encrypts an archive with a passphrase. */
export async function encryptArchive(
  archive: Uint8Array<ArrayBuffer>,
  passphrase: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const { Encrypter } = await import("npm:age-encryption@^0.3.1");
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  return new Uint8Array(await encrypter.encrypt(archive));
}

/**
 * Decrypts an archive.
 *
 * @throws {EnsembleError} if the passphrase is wrong, or the file was changed or truncated.
 */
export async function decryptArchive(
  archive: Uint8Array<ArrayBuffer>,
  passphrase: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const { Decrypter } = await import("npm:age-encryption@^0.3.1");
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  try {
    return new Uint8Array(await decrypter.decrypt(archive));
  } catch (error) {
    const { message } = error as Error;
    throw new EnsembleError(
      /identity matched|passphrase/i.test(message)
        ? "the passphrase is wrong"
        : `cannot decrypt the package: it was changed or truncated: ${message}`,
      { cause: error },
    );
  }
}
