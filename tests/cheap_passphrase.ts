/**
 * Passphrase files, and administrators' key pairs, that open at once.
 *
 * @module
 */
import { armor, Encrypter } from "npm:age-encryption@^0.3.1";
import { encodePem } from "../runtime/pki/pem.ts";

/** The passphrase where a test needs any. */
export const PASSPHRASE = "correct horse";

/**
 * Seals a text with a work factor that is far too low to protect anything: it is still what `age` makes and
 * opens, and costs a test a millisecond each time instead of more than a second.
 */
export async function sealCheaply(text: string, passphrase: string): Promise<string> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(8);
  return `${armor.encode(await encrypter.encrypt(text)).trimEnd()}\n`;
}

/** Has the code under test, in this thread, seal as cheaply as {@linkcode sealCheaply} does, until it is disposed of. */
export function cheapSeals(): Disposable {
  const { setPassphrase } = Encrypter.prototype;
  Encrypter.prototype.setPassphrase = function (passphrase) {
    setPassphrase.call(this, passphrase);
    this.setScryptWorkFactor(8);
  };
  return { [Symbol.dispose]: () => void (Encrypter.prototype.setPassphrase = setPassphrase) };
}

/** Makes a key pair: what belongs into `admin.pub`, and into `admin.priv`. */
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
