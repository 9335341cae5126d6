/**
 * How certificates are printed.
 *
 * @module
 */
import { formatServerId } from "../runtime/actor/server_id.ts";
import type { IssuedCertificate } from "../runtime/ensemble/issued_certificates.ts";
import { formatNotation, symbol } from "../runtime/wire/notation.ts";
import { printJson, printLine } from "./output.ts";

/**
 * Prints certificates, one a line:
 * `(httpd1 (shutdown) ("httpd1.ensemble.internal") "2027-01-02T03:04:05.000Z" valid "4F...")`.
 */
export function printCertificates(
  certificates: IssuedCertificate[],
  { json }: { json: boolean },
): void {
  if (json) return printJson(certificates.map(certificateJson));
  for (const { id, capabilities, hosts, notAfter, status, serial } of certificates) {
    printLine(formatNotation([
      symbol(formatServerId(id)),
      capabilities.map(symbol),
      hosts,
      notAfter.toISOString(),
      symbol(status),
      serial,
    ]));
  }
}

/** A certificate as JSON has it. */
export function certificateJson(certificate: IssuedCertificate): object {
  const { id, capabilities, hosts, notBefore, notAfter, status, serial, fingerprint } = certificate;
  return { server: id, capabilities, hosts, notBefore, notAfter, status, serial, fingerprint };
}
