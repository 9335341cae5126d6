/**
 * Certificates of every kind, good and hostile, for tests.
 */
import {
  Extension,
  type JsonGeneralNames,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "../../../runtime/pki/x509.ts";

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

/** URIs as alternative names. */
export function uris(...values: string[]): JsonGeneralNames {
  return values.map((value) => ({ type: "url", value }));
}

/** The name extension with arbitrary bytes as its value. */
export function rawNames(bytes: number[]): Extension {
  return new Extension(SUBJECT_ALTERNATIVE_NAME, false, new Uint8Array(bytes));
}

/** The number of elements in DER, at all depths. */
export function countElements(der: Uint8Array): number {
  return encodeAgain(der, { longer: -1 }).count;
}

/** DER in which the length of one element, counted in order, takes one byte more than needed. */
export function withLongerLength(der: Uint8Array, element: number): Uint8Array {
  return new Uint8Array(encodeAgain(der, { longer: element }).bytes);
}

/** Encodes elements again, with a longer length for one of them. */
function encodeAgain(
  der: Uint8Array,
  { longer, from = 0 }: { longer: number; from?: number },
): { bytes: number[]; count: number } {
  const bytes: number[] = [];
  let count = 0;
  for (let at = 0; at < der.length;) {
    const tag = der[at]!;
    const isShort = der[at + 1]! < 0x80;
    const start = isShort ? at + 2 : at + 2 + (der[at + 1]! & 0x7f);
    const length = isShort ? der[at + 1]! : Number(`0x${der.subarray(at + 2, start).toHex()}`);
    const content = der.subarray(start, start + length);
    const own = from + count++;
    const inside = (tag & 0x20) !== 0
      ? encodeAgain(content, { longer, from: own + 1 })
      : { bytes: [...content], count: 0 };
    count += inside.count;
    bytes.push(tag, ...encodeLength(inside.bytes.length, own === longer), ...inside.bytes);
    at = start + length;
  }
  return { bytes, count };
}

function encodeLength(length: number, isLonger: boolean): number[] {
  const hex = length.toString(16);
  const digits = [...Uint8Array.fromHex(hex.padStart(hex.length + hex.length % 2, "0"))];
  if (isLonger) return length < 0x80 ? [0x81, length] : [0x81 + digits.length, 0, ...digits];
  return length < 0x80 ? [length] : [0x80 + digits.length, ...digits];
}
