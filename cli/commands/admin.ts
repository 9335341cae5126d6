/**
 * `gxensemble admin`.
 *
 * @module
 */
import {
  createAdminKey,
  hasAdminPrivateKey,
  readAdminPublicKey,
  requireNoAdminKey,
} from "../../runtime/pki/admin_key.ts";
import { adminPrivateKeyPath, adminPublicKeyPath } from "../../runtime/home/paths.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { publicKeyFingerprint } from "../../runtime/fingerprint.ts";
import { formatNotation, keyword } from "../../runtime/notation.ts";
import type { OutputOptions } from "../kit/options.ts";
import { printJson, printLine, printNotice } from "../kit/output.ts";
import { askNewPassphrase, type PassphraseOptions } from "../kit/prompts.ts";

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

/**
 * Prints the fingerprint of the public key, whose first 16 digits are in the audit log, and where the halves of the
 * pair are: `(public-key: "9f86d0..." "/path")`, and `(private-key: "/path")` where this host has it.
 */
export async function viewAdmin(options: OutputOptions): Promise<void> {
  const key = await readAdminPublicKey();
  if (!key) {
    throw new EnsembleError(
      `there is no administrator key pair: no ${adminPublicKeyPath()}: make one with ` +
        `"gxensemble admin"`,
    );
  }
  const fingerprint = await publicKeyFingerprint(key);
  const publicKey = adminPublicKeyPath();
  const privateKey = await hasAdminPrivateKey() ? adminPrivateKeyPath() : null;
  if (options.json) return printJson({ fingerprint, publicKey, privateKey });
  printLine(formatNotation([keyword("public-key"), fingerprint, publicKey]));
  if (privateKey !== null) printLine(formatNotation([keyword("private-key"), privateKey]));
}
