/**
 * `gxensemble ca cert`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { readAuthority } from "../../runtime/ensemble/certificate_authority.ts";
import { issueCertificate } from "../../runtime/ensemble/certificate_issuing.ts";
import type { Host } from "../../runtime/ensemble/host_name.ts";
import { serverTlsPaths } from "../../runtime/ensemble/paths.ts";
import { printCertificates } from "../certificate_listing.ts";
import type { OutputOptions } from "../options.ts";
import { printNotice } from "../output.ts";
import { askPassphrase, type PassphraseOptions } from "../passphrase.ts";

/** Options of {@linkcode caCert}. */
export interface CaCertOptions extends OutputOptions, PassphraseOptions {
  /** What the server may do in every other server. */
  capabilities: string[];
  /** Where it is reached besides its own name. */
  host: Host[];
  /** For how many days the certificate is valid. */
  days: number;
}

/** Issues a certificate to a server, and prints it. */
export async function caCert(serverId: ServerId, options: CaCertOptions): Promise<void> {
  const { capabilities, host: hosts, days } = options;
  await readAuthority(); // Nobody is asked for a passphrase of what is not there.
  const passphrase = await askPassphrase("passphrase of the certificate authority:", options);
  const issued = await issueCertificate(serverId, { passphrase, capabilities, hosts, days });
  const { certificate, key } = serverTlsPaths(serverId);
  printNotice(`the certificate is in ${certificate}`);
  printNotice(`the private key is in ${key}`);
  printCertificates([issued], options);
}
