/**
 * `gxensemble ca cert`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/references.ts";
import { openIssuing, readAuthority } from "../../runtime/pki/certificate_authority.ts";
import { issueCertificates } from "../../runtime/pki/certificate_issuing.ts";
import type { Host } from "../../runtime/pki/certificate_terms.ts";
import { serverTlsPaths } from "../../runtime/home/paths.ts";
import { printCertificates } from "../kit/listing.ts";
import type { OutputOptions } from "../kit/options.ts";
import { printNotice } from "../kit/output.ts";
import { askPassphrase, type PassphraseOptions } from "../kit/prompts.ts";

/** Options of {@linkcode caCert}. */
export interface CaCertOptions extends OutputOptions, PassphraseOptions {
  /** What the server may do in every other server. */
  capabilities: string[];
  /** Where it is reached besides its own name. */
  host: Host[];
  /** For how many days the certificate is valid. */
  days: number;
}

/** Issues certificates to servers, to all or to none, and prints them. */
export async function caCert(serverIds: ServerId[], options: CaCertOptions): Promise<void> {
  const { capabilities, host: hosts, days } = options;
  await readAuthority(); // Nobody is asked for a passphrase of what is not there.
  const issuing = await openIssuing(() =>
    askPassphrase("passphrase of the certificate authority:", options)
  );
  const issued = await issueCertificates(serverIds, { issuing, capabilities, hosts, days });
  for (const { id } of issued) {
    const { certificate, key } = serverTlsPaths(id);
    const whose = issued.length > 1 ? ` of ${id}` : "";
    printNotice(`the certificate${whose} is in ${certificate}`);
    printNotice(`the private key${whose} is in ${key}`);
  }
  printCertificates(issued, options);
}
