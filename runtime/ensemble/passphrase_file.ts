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

/**
 * Decrypts what {@linkcode sealWithPassphrase}, or `age --passphrase --armor`, encrypted.
 *
 * @throws {EnsembleError} when the passphrase is another, or the text is no such file.
 */
export async function openWithPassphrase(sealed: string, passphrase: string): Promise<string> {
  const { armor, Decrypter } = await import("npm:age-encryption@^0.3.1");
  let bytes: Uint8Array;
  try {
    bytes = armor.decode(sealed);
  } catch (error) {
    throw new EnsembleError(`not an armoured age file: ${(error as Error).message}`);
  }
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  try {
    return await decrypter.decrypt(bytes, "text");
  } catch (error) {
    const reason = (error as Error).message;
    throw new EnsembleError(
      /identity matched|passphrase/i.test(reason) ? "the passphrase is wrong" : reason,
      { cause: error },
    );
  }
}
