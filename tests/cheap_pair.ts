/**
 * Administrators' key pairs that open at once.
 *
 * @module
 */
import { encodePem } from "../runtime/pki/pem.ts";
import { sealCheaply } from "./cheap_passphrase.ts";

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
