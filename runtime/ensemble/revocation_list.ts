/**
 * Making the revocation list.
 *
 * @see RFC 5280, 5
 * @module
 */
import { EnsembleError } from "../errors.ts";
import { expectTag, readDer, Tag } from "../wire/der.ts";
import { type CertifiedKey, KEY_ALGORITHM } from "./certificate_profile.ts";
import { startingNow } from "./certificate_validity.ts";
import { decodePem, encodePem } from "./pem.ts";
import {
  AuthorityKeyIdentifierExtension,
  Extension,
  X509Crl,
  X509CrlGenerator,
  X509CrlReason,
} from "./x509.ts";

/** The object identifier of a list's number. */
const CRL_NUMBER = "2.5.29.20";

/** What a new revocation list is to say. */
export interface RevocationOptions {
  /** The list that it replaces, PEM: what that revokes stays revoked. */
  readonly previous?: string;
  /** The serial numbers to revoke besides, in hexadecimal digits. */
  readonly serials?: readonly string[];
  /** Until when it is good. */
  readonly nextUpdate: Date;
}

/** Makes a revocation list, PEM. */
export async function createRevocationList(
  issuing: CertifiedKey,
  { previous, serials = [], nextUpdate }: RevocationOptions,
): Promise<string> {
  const last = previous === undefined ? undefined : new X509Crl(decodePem("X509 CRL", previous));
  const list = await X509CrlGenerator.create({
    issuer: issuing.certificate.subjectName,
    thisUpdate: startingNow(),
    nextUpdate,
    entries: [
      ...(last?.entries ?? []),
      // The reason is always given: without one, @peculiar/x509 2.2 writes an empty list of extensions,
      // which DER does not allow (RFC 5280, appendix A.1: SIZE (1..MAX)).
      ...serials.map((serialNumber) => ({
        serialNumber,
        revocationDate: new Date(),
        reason: X509CrlReason.privilegeWithdrawn,
      })),
    ],
    extensions: [
      await AuthorityKeyIdentifierExtension.create(issuing.certificate.publicKey),
      encodeNumber(last === undefined ? 1n : numberOf(last) + 1n),
    ],
    signingKey: issuing.key,
    signingAlgorithm: KEY_ALGORITHM,
  });
  return encodePem("X509 CRL", list.rawData);
}

function numberOf(list: X509Crl): bigint {
  const { value } = list.getExtension(CRL_NUMBER) ?? {};
  if (value === undefined) throw new EnsembleError("the revocation list has no number");
  const [number] = readDer(new Uint8Array(value));
  return BigInt(`0x${expectTag(number, Tag.INTEGER).content.toHex()}`);
}

function encodeNumber(number: bigint): Extension {
  const digits = number.toString(16);
  // Two digits for a byte; the first bit is the sign.
  const hex = digits.length % 2 === 1 ? `0${digits}` : digits >= "8" ? `00${digits}` : digits;
  const content = Uint8Array.fromHex(hex);
  return new Extension(
    CRL_NUMBER,
    false,
    new Uint8Array([Tag.INTEGER, content.length, ...content]),
  );
}
