/**
 * `gxensemble ca show`.
 *
 * @module
 */
import { readAuthority } from "../../runtime/pki/certificate_authority.ts";
import { listIssued, readOwnRevocationList } from "../../runtime/pki/certificate_issuing.ts";
import { formatNotation, keyword } from "../../runtime/notation.ts";
import { certificateJson, printCertificates } from "../kit/listing.ts";
import type { OutputOptions } from "../kit/options.ts";
import { printJson, printLine } from "../kit/output.ts";

/**
 * Prints until when the root, the issuing authority and the revocation list are good,
 * `(root: "2036-01-02T03:04:05.000Z")`, and then every certificate issued.
 */
export async function caShow(options: OutputOptions): Promise<void> {
  const { domain, root, issuing } = await readAuthority();
  const { nextUpdate } = await readOwnRevocationList();
  const certificates = await listIssued();
  const ends = { root: root.notAfter, issuing: issuing.notAfter, crl: nextUpdate };
  if (options.json) {
    return printJson({ domain, ...ends, certificates: certificates.map(certificateJson) });
  }
  for (const [name, end] of Object.entries(ends)) {
    printLine(formatNotation([keyword(name), end.toISOString()]));
  }
  printCertificates(certificates, options);
}
