/**
 * `gxensemble ca --view`.
 *
 * @module
 */
import { readAuthority } from "../../runtime/pki/certificate_authority.ts";
import { listIssued, readOwnRevocationList } from "../../runtime/pki/certificate_issuing.ts";
import type { X509Certificate } from "../../runtime/pki/x509.ts";
import { fingerprintOf } from "../../runtime/fingerprint.ts";
import { formatNotation, keyword, symbol } from "../../runtime/notation.ts";
import { certificateJson } from "../kit/listing.ts";
import type { OutputOptions } from "../kit/options.ts";
import { printJson, printLine } from "../kit/output.ts";

/**
 * Prints the authority and its certificates: the dates between which each is good, and the SHA-256 of its DER,
 * `(root: "2026-01-02T03:04:05.000Z" "2036-01-02T03:04:05.000Z" "9f86d0...")`; of a certificate also what its server
 * may do.
 */
export async function caView(options: OutputOptions): Promise<void> {
  const { domain, root, issuing } = await readAuthority();
  const { nextUpdate } = await readOwnRevocationList();
  const certificates = await listIssued();
  const authority = { root: await describe(root), issuing: await describe(issuing) };
  if (options.json) {
    return printJson({
      domain,
      ...authority,
      crl: { nextUpdate },
      certificates: certificates.map(certificateJson),
    });
  }
  for (const [name, { notBefore, notAfter, fingerprint }] of Object.entries(authority)) {
    const times = [notBefore.toISOString(), notAfter.toISOString()];
    printLine(formatNotation([keyword(name), ...times, fingerprint]));
  }
  printLine(formatNotation([keyword("crl"), nextUpdate.toISOString()]));
  for (const { id, capabilities, notBefore, notAfter, status, fingerprint } of certificates) {
    printLine(formatNotation([
      symbol(id),
      capabilities.map(symbol),
      notBefore.toISOString(),
      notAfter.toISOString(),
      symbol(status),
      fingerprint,
    ]));
  }
}

async function describe(
  { notBefore, notAfter, rawData }: X509Certificate,
): Promise<{ notBefore: Date; notAfter: Date; fingerprint: string }> {
  return { notBefore, notAfter, fingerprint: await fingerprintOf(rawData) };
}
