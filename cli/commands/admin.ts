/**
 * `gxensemble admin`.
 *
 * @module
 */
import { createAdminKey, requireNoAdminKey } from "../../runtime/ensemble/admin_key.ts";
import { adminPrivateKeyPath, adminPublicKeyPath } from "../../runtime/ensemble/paths.ts";
import { printNotice } from "../output.ts";
import { askNewPassphrase, type PassphraseOptions } from "../passphrase.ts";

/** Options of {@linkcode admin}. */
export interface AdminOptions extends PassphraseOptions {
  /** Whether to replace a key pair that exists. */
  force: boolean;
}

/** Generates the key pair of the ensemble's administrators. */
export async function admin(options: AdminOptions): Promise<void> {
  if (!options.force) await requireNoAdminKey();
  const passphrase = await askNewPassphrase("passphrase for the administrator key:", options);
  await createAdminKey({ passphrase, force: options.force });
  printNotice(`the administrators' public key is in ${adminPublicKeyPath()}`);
  printNotice(`the private key is in ${adminPrivateKeyPath()}`);
  printNotice("servers enforce it when they are started again");
}
