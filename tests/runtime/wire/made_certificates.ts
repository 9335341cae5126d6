/**
 * Certificates of every kind, good and hostile, for tests.
 */
import {
  Extension,
  type JsonGeneralNames,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "../../../runtime/ensemble/x509.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";

export const SERIAL = "4F00112233445566778899AABBCCDDEE";

/** A self-signed certificate with these extensions. */
export async function certificateWith(extensions: Extension[]): Promise<X509Certificate> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  return await X509CertificateGenerator.createSelfSigned({
    serialNumber: SERIAL,
    name: "CN=mallory",
    notBefore: new Date("2026-01-02T03:04:05Z"),
    notAfter: new Date("2056-01-02T03:04:05Z"),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions,
  });
}

/** The DER of a self-signed certificate with these names. */
export async function certificateNaming(names: JsonGeneralNames): Promise<Uint8Array> {
  const certificate = await certificateWith([new SubjectAlternativeNameExtension(names)]);
  return new Uint8Array(certificate.rawData);
}

/** Names as URIs. */
export function uris(...values: string[]): JsonGeneralNames {
  return values.map((value) => ({ type: "url", value }));
}

/** The extension of names with any bytes for its value. */
export function rawNames(bytes: number[]): Extension {
  return new Extension(SUBJECT_ALTERNATIVE_NAME, false, new Uint8Array(bytes));
}
