/**
 * `gxensemble ca setup`.
 *
 * @module
 */
import { parseServerId } from "../../runtime/actor/references.ts";
import { createAuthority, requireNoAuthority } from "../../runtime/pki/certificate_authority.ts";
import { issueCertificates } from "../../runtime/pki/certificate_issuing.ts";
import { DEFAULT_DAYS } from "../../runtime/pki/certificate_terms.ts";
import { authorityDirectory, authorityPaths, serverTlsPaths } from "../../runtime/home/paths.ts";
import { CONSOLE_ID } from "../../runtime/server/credentials.ts";
import { printNotice } from "../kit/output.ts";
import { askNewPassphrase, type PassphraseOptions } from "../kit/prompts.ts";

/** Options of {@linkcode caSetup}. */
export interface CaSetupOptions extends PassphraseOptions {
  /** The domain of the servers' names. */
  domain: string;
  /** Whether to replace an authority that exists. */
  force: boolean;
}

/** Generates the certificate authority of the ensemble, and the certificate of the commands on this host. */
export async function caSetup({ domain, force, ...options }: CaSetupOptions): Promise<void> {
  if (!force) await requireNoAuthority();
  const passphrase = await askNewPassphrase(
    "passphrase for the keys of the certificate authority:",
    options,
  );
  const issuing = await createAuthority({ domain, passphrase, force });
  printNotice(`the certificate authority of ${domain} is in ${authorityDirectory()}`);
  printNotice(`no command needs the root's key: keep ${authorityPaths().rootKey} elsewhere`);
  if (force) printNotice("every server now needs a new certificate, and the new root");
  const [console] = await issueCertificates([parseServerId(CONSOLE_ID)], {
    issuing,
    capabilities: [],
    hosts: [],
    days: DEFAULT_DAYS,
  });
  const { certificate } = serverTlsPaths(console!.id);
  printNotice(`the commands on this host have a certificate: ${certificate}`);
}
