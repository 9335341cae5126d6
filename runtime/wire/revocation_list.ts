/**
 * Certificate revocation lists: which certificates are no longer good, though they have not expired.
 *
 * @see RFC 5280, 5.1
 * @module
 */
import {
  type DerElement,
  expectTag,
  readBits,
  readDer,
  readInside,
  readSerial,
  readTime,
  Tag,
} from "./der.ts";

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
  const [signed, , signature] = readInside(der, Tag.SEQUENCE);
  const fields = readDer(expectTag(signed, Tag.SEQUENCE).content);
  // version, signature algorithm, issuer, thisUpdate, nextUpdate, then perhaps the entries.
  expectTag(fields[0], Tag.INTEGER);
  const entries = fields[5]?.tag === Tag.SEQUENCE ? readDer(fields[5].content) : [];
  return {
    serials: new Set(entries.map(readEntry)),
    thisUpdate: readTime(fields[3]),
    nextUpdate: readTime(fields[4]),
    signed: signed!.encoded,
    signature: readBits(signature),
  };
}

function readEntry(entry: DerElement): string {
  return readSerial(readDer(expectTag(entry, Tag.SEQUENCE).content)[0]);
}
