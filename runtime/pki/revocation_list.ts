/**
 * Certificate revocation lists: which certificates are no longer good, though they have not expired.
 *
 * @see RFC 5280, 5.1
 * @module
 */
import { CertificateList } from "npm:@peculiar/asn1-x509@^2.11.1";
import { InvalidInputError } from "../errors.ts";
import { formatSerial, parseDer } from "./der.ts";

/** What a revocation list says. */
export interface RevocationList {
  /** The serial numbers of the certificates revoked, in capital hexadecimal digits. */
  readonly serials: ReadonlySet<string>;
  /** When it was made. */
  readonly thisUpdate: Date;
  /** From when on it says nothing: a newer one should be there by then. */
  readonly nextUpdate: Date;
  /** The bytes that the issuing authority signed. */
  readonly signed: Uint8Array;
  /** Its signature, DER. */
  readonly signature: Uint8Array;
}

/**
 * Reads a revocation list of version 2. It does not verify the signature.
 *
 * @throws {InvalidInputError} when it is none.
 */
export function readRevocationList(der: Uint8Array): RevocationList {
  const { tbsCertList: list, tbsCertListRaw: signed, signature } = parseDer(der, CertificateList);
  if (list.version === undefined) {
    throw new InvalidInputError("the revocation list is of version 1");
  }
  if (list.nextUpdate === undefined) throw new InvalidInputError("the revocation list has no end");
  const revoked = list.revokedCertificates ?? [];
  return {
    serials: new Set(revoked.map(({ userCertificate }) => formatSerial(userCertificate))),
    thisUpdate: list.thisUpdate.getTime(),
    nextUpdate: list.nextUpdate.getTime(),
    signed: new Uint8Array(signed!),
    signature: new Uint8Array(signature),
  };
}
