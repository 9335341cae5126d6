/**
 * `gxensemble ca setup`.
 *
 * @module
 */
import {
  createAuthority,
  requireNoAuthority,
} from "../../runtime/ensemble/certificate_authority.ts";
import { authorityDirectory, authorityPaths } from "../../runtime/ensemble/paths.ts";
import { printNotice } from "../output.ts";
import { askNewPassphrase, type PassphraseOptions } from "../passphrase.ts";

/** Options of {@linkcode caSetup}. */
export interface CaSetupOptions extends PassphraseOptions {
  /** The domain of the servers' names. */
  domain: string;
  /** Whether to replace an authority that exists. */
  force: boolean;
}

/** Generates the certificate authority of the ensemble. */
export async function caSetup({ domain, force, ...options }: CaSetupOptions): Promise<void> {
  if (!force) await requireNoAuthority();
  const passphrase = await askNewPassphrase(
    "passphrase for the keys of the certificate authority:",
    options,
  );
  await createAuthority({ domain, passphrase, force });
  printNotice(`the certificate authority of ${domain} is in ${authorityDirectory()}`);
  printNotice(`no command needs the root's key: keep ${authorityPaths().rootKey} elsewhere`);
  if (force) printNotice("every server now needs a new certificate, and the new root");
}
