/**
 * Strict parsing of certificates and revocation lists, since the bytes may come from an attacker.
 *
 * A certificate names a server and its capabilities in other servers. Both are URIs among its
 * subject alternative names: `srv:httpd1`, `cap:shutdown`.
 *
 * @see RFC 5280, 4.1, 4.2.1.6 and 5.1; ITU-T X.690 for DER
 * @module
 */
import { AsnConvert, AsnSerializer } from "npm:@peculiar/asn1-schema@^2.11.1";
import {
  Certificate,
  CertificateList,
  type Extension,
  id_ce_subjectAltName,
  SubjectAlternativeName,
} from "npm:@peculiar/asn1-x509@^2.11.1";
import { parseCapabilities } from "../server/capability_names.ts";
import { checkServerId } from "../actor/references.ts";
import { InvalidInputError } from "../errors.ts";
import type { Certified } from "../server/credentials.ts";

/** The server and capabilities in a certificate. */
export interface CertificateIdentity extends Certified {
  /** The time from which it is valid. */
  readonly notBefore: Date;
  /** The time at which it expires. */
  readonly notAfter: Date;
}

/**
 * Parses a server's certificate, without verifying it; TLS has done so before.
 *
 * @param der any bytes.
 * @throws {InvalidInputError} if they are not an X.509 certificate, or it names no server or
 * several, or has a malformed `srv:` or `cap:` URI. Other names are ignored.
 */
export function parseCertificate(der: Uint8Array): CertificateIdentity {
  const { serialNumber, validity, extensions } = parseDer(der, Certificate).tbsCertificate;
  const serial = formatSerial(serialNumber);
  const uris = readUris(extensions ?? []);
  const servers = withScheme(uris, "srv:");
  if (servers.length !== 1) {
    throw new InvalidInputError(
      `the certificate ${serial} names ${servers.length} servers instead of one: ` +
        `it was not issued with "gxensemble ca cert"`,
    );
  }
  return {
    id: checkServerId(servers[0]!),
    capabilities: parseCapabilities(withScheme(uris, "cap:")),
    serial,
    notBefore: validity.notBefore.getTime(),
    notAfter: validity.notAfter.getTime(),
  };
}

function readUris(extensions: Iterable<Extension>): string[] {
  const [names, ...others] = [...extensions].filter(({ extnID }) =>
    extnID === id_ce_subjectAltName
  );
  if (names === undefined) return [];
  if (others.length > 0) throw new InvalidInputError("the certificate has its names twice");
  const value = new Uint8Array(names.extnValue.buffer);
  return [...parseDer(value, SubjectAlternativeName)]
    .map(({ uniformResourceIdentifier }) => uniformResourceIdentifier)
    .filter((uri) => uri !== undefined)
    .map(requireAscii);
}

function requireAscii(uri: string): string {
  // deno-lint-ignore no-control-regex -- all of ASCII
  if (!/^[\x00-\x7f]*$/.test(uri)) throw new InvalidInputError("a name is not ASCII");
  return uri;
}

function withScheme(uris: string[], scheme: string): string[] {
  return uris.filter((uri) => uri.startsWith(scheme)).map((uri) => uri.slice(scheme.length));
}

/** The contents of a revocation list. */
export interface RevocationList {
  /** The serial numbers of the revoked certificates, in capital hexadecimal digits. */
  readonly serials: ReadonlySet<string>;
  /** The time at which it was made. */
  readonly thisUpdate: Date;
  /** The time from which it is out of date. */
  readonly nextUpdate: Date;
  /** The bytes that the issuing authority signed. */
  readonly signed: Uint8Array;
  /** Its signature, DER. */
  readonly signature: Uint8Array;
}

/**
 * Parses a revocation list of version 2, without verifying the signature.
 *
 * @throws {InvalidInputError} if the bytes are not one.
 */
export function parseRevocationList(der: Uint8Array): RevocationList {
  const { tbsCertList: list, tbsCertListRaw: signed, signature } = parseDer(der, CertificateList);
  if (list.version === undefined) {
    throw new InvalidInputError("the revocation list is of version 1");
  }
  if (list.nextUpdate === undefined) {
    throw new InvalidInputError("the revocation list has no nextUpdate");
  }
  const revoked = list.revokedCertificates ?? [];
  return {
    serials: new Set(revoked.map(({ userCertificate }) => formatSerial(userCertificate))),
    thisUpdate: list.thisUpdate.getTime(),
    nextUpdate: list.nextUpdate.getTime(),
    signed: new Uint8Array(signed!),
    signature: new Uint8Array(signature),
  };
}

/**
 * Parses a value of an ASN.1 type. The bytes must be the DER form of the value, so that no
 * certificate has two forms.
 *
 * @throws {InvalidInputError} if they are not.
 */
function parseDer<Value>(bytes: Uint8Array, type: new () => Value): Value {
  let value: Value;
  let again: Uint8Array;
  try {
    value = AsnConvert.parse(bytes, type);
    again = new Uint8Array(AsnSerializer.serialize(value));
  } catch (error) {
    throw new InvalidInputError(`malformed DER: ${(error as Error).message}`, { cause: error });
  }
  if (again.length !== bytes.length || again.some((byte, index) => byte !== bytes[index])) {
    throw new InvalidInputError("malformed DER: it is not in its shortest form");
  }
  return value;
}

/**
 * Formats a serial number as openssl does: in capital hexadecimal digits, two per byte.
 *
 * @param content the bytes of an ASN.1 integer.
 * @throws {InvalidInputError} if it is not a valid serial number: a positive integer of at most 20
 * bytes (RFC 5280, 4.1.2.2).
 */
function formatSerial(content: ArrayBuffer): string {
  const bytes = new Uint8Array(content);
  const digits = bytes[0] === 0 && bytes.length > 1 ? bytes.subarray(1) : bytes;
  if (bytes.length === 0 || bytes[0]! >= 0x80 || digits.length > 20) {
    throw new InvalidInputError("the serial number is not a positive number of at most 20 bytes");
  }
  return digits.toHex().toUpperCase();
}
