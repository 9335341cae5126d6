/**
 * Passphrase files and administrators' key pairs that open at once.
 *
 * @module
 */
import { armor, Encrypter } from "npm:age-encryption@^0.3.1";
import { encodePem } from "../runtime/pki/pem.ts";

/** The passphrase of tests for which any will do. */
export const PASSPHRASE = "correct horse";

/**
 * Seals a text with a work factor that is far too low to protect anything. `age` still reads the
 * format, and opening it takes a millisecond instead of more than a second.
 */
export async function sealCheaply(text: string, passphrase: string): Promise<string> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(8);
  return `${armor.encode(await encrypter.encrypt(text)).trimEnd()}\n`;
}

/**
 * Makes the code under test, in this thread, seal as cheaply as {@linkcode sealCheaply} until
 * disposed.
 */
export function cheapSeals(): Disposable {
  const { setPassphrase } = Encrypter.prototype;
  Encrypter.prototype.setPassphrase = function (passphrase) {
    setPassphrase.call(this, passphrase);
    this.setScryptWorkFactor(8);
  };
  return { [Symbol.dispose]: () => void (Encrypter.prototype.setPassphrase = setPassphrase) };
}

/** Makes a key pair: the contents of `admin.pub` and of `admin.priv`. */
export async function generatePair(passphrase: string): Promise<{ open: string; sealed: string }> {
  const { privateKey, publicKey } = await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ]) as CryptoKeyPair;
  const secret = encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", privateKey));
  return {
    open: encodePem("PUBLIC KEY", await crypto.subtle.exportKey("spki", publicKey)),
    sealed: await sealCheaply(secret, passphrase),
  };
}
