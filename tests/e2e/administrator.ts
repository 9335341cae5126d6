/**
 * The administrator of a running ensemble.
 *
 * @module
 */
import { encodePem } from "../../runtime/ensemble/pem.ts";
import { sealCheaply } from "../cheap_passphrase.ts";
import type { RunningEnsemble } from "./running_ensemble.ts";

/** What the private key of {@linkcode installAdministrator} is encrypted under. */
export const PASSPHRASE = "correct horse";

const pair = await generatePair();

/** Makes the pair that all ensembles of a test file share, with a work factor that costs no time. */
async function generatePair(): Promise<{ open: string; sealed: string }> {
  const { privateKey, publicKey } = await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ]) as CryptoKeyPair;
  const secret = encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", privateKey));
  return {
    open: encodePem("PUBLIC KEY", await crypto.subtle.exportKey("spki", publicKey)),
    sealed: await sealCheaply(secret, PASSPHRASE),
  };
}

/** Gives an ensemble an administrator, for the servers that are started from now on. */
export async function installAdministrator(ensemble: RunningEnsemble): Promise<{
  /** The options of a command that knows the passphrase. */
  right: string[];
  /** The options of a command that does not. */
  wrong: string[];
}> {
  const directory = `${ensemble.places.gerbilPath}/ensemble`;
  await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(`${directory}/admin.priv`, pair.sealed, { mode: 0o600 });
  await Deno.writeTextFile(`${directory}/admin.pub`, pair.open);
  return {
    right: ["--passphrase-file", await ensemble.write("right", `${PASSPHRASE}\n`, { mode: 0o600 })],
    wrong: [
      "--passphrase-file",
      await ensemble.write("wrong", "battery staple\n", { mode: 0o600 }),
    ],
  };
}
