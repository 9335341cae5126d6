/**
 * `gxensemble ca revoke`.
 *
 * @module
 */
import { formatServerId, type ServerId } from "../../runtime/actor/references.ts";
import { openIssuing } from "../../runtime/pki/certificate_authority.ts";
import { listRevocable, revokeCertificates } from "../../runtime/pki/certificate_issuing.ts";
import { authorityPaths } from "../../runtime/home/paths.ts";
import { printCertificates } from "../kit/listing.ts";
import type { OutputOptions } from "../kit/options.ts";
import { printNotice } from "../kit/output.ts";
import { askPassphrase, type PassphraseOptions } from "../kit/prompts.ts";

/** Options of {@linkcode caRevoke}. */
export interface CaRevokeOptions extends OutputOptions, PassphraseOptions {}

/** Revokes every certificate of a server that is still good, and prints those. */
export async function caRevoke(serverId: ServerId, options: CaRevokeOptions): Promise<void> {
  if ((await listRevocable(serverId)).length === 0) {
    printNotice(`${formatServerId(serverId)} has no certificate that is still good`);
    return printCertificates([], options);
  }
  const issuing = await openIssuing(() =>
    askPassphrase("passphrase of the certificate authority:", options)
  );
  const revoked = await revokeCertificates(serverId, { issuing });
  printNotice(`servers honour it once they have ${authorityPaths().crl} and have read it again`);
  printCertificates(revoked, options);
}
