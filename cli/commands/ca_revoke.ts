/**
 * `gxensemble ca revoke`.
 *
 * @module
 */
import { formatServerId, type ServerId } from "../../runtime/actor/server_id.ts";
import { openIssuing } from "../../runtime/ensemble/certificate_authority.ts";
import { revokeCertificates } from "../../runtime/ensemble/certificate_issuing.ts";
import { listRevocable } from "../../runtime/ensemble/issued_certificates.ts";
import { authorityPaths } from "../../runtime/ensemble/paths.ts";
import { printCertificates } from "../certificate_listing.ts";
import type { OutputOptions } from "../options.ts";
import { printNotice } from "../output.ts";
import { askPassphrase, type PassphraseOptions } from "../passphrase.ts";

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
