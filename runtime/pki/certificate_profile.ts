/**
 * The contents of an ensemble's certificates, for the root, the issuing authority and servers, and
 * of the revocation list.
 *
 * @see RFC 5280, 4.2 for the extensions
 * @module
 */
import { AsnConvert } from "npm:@peculiar/asn1-schema@^2.11.1";
import { CRLNumber, id_ce_cRLNumber } from "npm:@peculiar/asn1-x509@^2.11.1";
import { EnsembleError } from "../errors.ts";
import { AUTHORITY_DAYS, daysFromNow, type Host, startingNow } from "./certificate_terms.ts";
import { decodePem, encodePem } from "./pem.ts";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
  X509Crl,
  X509CrlGenerator,
  X509CrlReason,
} from "./x509.ts";

/**
 * The algorithm of all keys and signatures: ECDSA with P-256 and SHA-256, which every TLS 1.3
 * implementation supports.
 */
export const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A certificate and its private key. */
export interface CertifiedKey {
  /** The certificate. */
  readonly certificate: X509Certificate;
  /** Its private key. */
  readonly key: CryptoKey;
}

/** Options of {@linkcode createServerCertificate}. */
export interface ServerCertificateOptions {
  /** The server. */
  readonly id: string;
  /** Its capabilities in every other server. */
  readonly capabilities: readonly string[];
  /** The hosts that the certificate names. */
  readonly hosts: readonly Host[];
  /** The validity of the certificate in days, limited by that of the authority. */
  readonly days: number;
}

/** Creates the root, which signs only the issuing authority. */
export async function createRoot(domain: string): Promise<CertifiedKey> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    notBefore: startingNow(),
    notAfter: daysFromNow(AUTHORITY_DAYS),
    name: nameIn(domain, "gxensemble root CA"),
    keys,
    signingAlgorithm: KEY_ALGORITHM,
    extensions: [
      ...authorityExtensions({ pathLength: 1 }),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate, key: keys.privateKey };
}

/** Creates the issuing authority, which signs servers' certificates and the revocation list. */
export async function createIssuing(domain: string, root: CertifiedKey): Promise<CertifiedKey> {
  const keys = await generateKeys();
  return await certify(keys, root, {
    subject: nameIn(domain, "gxensemble issuing CA"),
    days: AUTHORITY_DAYS,
    extensions: authorityExtensions({ pathLength: 0 }),
  });
}

/** Creates the key and certificate of a server, for listening and connecting. */
export async function createServerCertificate(
  issuing: CertifiedKey,
  { id, capabilities, hosts, days }: ServerCertificateOptions,
): Promise<CertifiedKey> {
  const keys = await generateKeys();
  return await certify(keys, issuing, {
    subject: nameIn(domainOf(issuing.certificate), id),
    days,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([
        { type: "url", value: `srv:${id}` },
        ...new Set(capabilities).values().map(capabilityName),
        ...hosts,
      ]),
    ],
  });
}

/** Encodes a certificate as PEM. */
export function toPem({ certificate }: Pick<CertifiedKey, "certificate">): string {
  return encodePem("CERTIFICATE", certificate.rawData);
}

/** The domain that an authority was set up for. */
export function domainOf(authority: X509Certificate): string {
  return authority.subjectName.getField("DC").reverse().join(".");
}

async function certify(
  keys: CryptoKeyPair,
  issuer: CertifiedKey,
  { subject, days, extensions }: { subject: Name; days: number; extensions: Extension[] },
): Promise<CertifiedKey> {
  // A certificate must not be valid longer than the one that it is signed with.
  const end = Math.min(daysFromNow(days).getTime(), issuer.certificate.notAfter.getTime());
  const certificate = await X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject,
    issuer: issuer.certificate.subjectName,
    notBefore: startingNow(),
    notAfter: new Date(end),
    publicKey: keys.publicKey,
    signingKey: issuer.key,
    signingAlgorithm: KEY_ALGORITHM,
    extensions: [
      ...extensions,
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey),
    ],
  });
  return { certificate, key: keys.privateKey };
}

function capabilityName(capability: string): { type: "url"; value: string } {
  return { type: "url", value: `cap:${capability}` };
}

function authorityExtensions({ pathLength }: { pathLength: number }): Extension[] {
  return [
    new BasicConstraintsExtension(true, pathLength, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ];
}

async function generateKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
}

/** A name in a domain, whose labels become parts of the name, in reverse (RFC 2247). */
function nameIn(domain: string, commonName: string): Name {
  const labels = domain.split(".").reverse();
  return new Name([...labels.map((label) => ({ DC: [label] })), { CN: [commonName] }]);
}

/**
 * 16 bytes, 126 bits of them random. The first two bits are fixed, so that it is positive and of
 * constant length.
 */
function randomSerial(): string {
  const serial = crypto.getRandomValues(new Uint8Array(16));
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  return serial.toHex();
}

/** Options of {@linkcode createRevocationList}. */
export interface RevocationOptions {
  /** The previous list, PEM. Its revocations are kept. */
  readonly previous?: string;
  /** The serial numbers to revoke, in hexadecimal. */
  readonly serials?: readonly string[];
  /** The time from which it is out of date. */
  readonly nextUpdate: Date;
}

/** Creates a revocation list, PEM. */
export async function createRevocationList(
  issuing: CertifiedKey,
  { previous, serials = [], nextUpdate }: RevocationOptions,
): Promise<string> {
  const last = previous === undefined ? undefined : new X509Crl(decodePem("X509 CRL", previous));
  const number = last === undefined ? 1 : numberOf(last) + 1;
  const list = await X509CrlGenerator.create({
    issuer: issuing.certificate.subjectName,
    thisUpdate: startingNow(),
    nextUpdate,
    entries: [
      ...(last?.entries ?? []),
      // Always with a reason. Without one, @peculiar/x509 2.2 writes an empty list of extensions,
      // which is not allowed (RFC 5280, appendix A.1: SIZE (1..MAX)).
      ...serials.map((serialNumber) => ({
        serialNumber,
        revocationDate: new Date(),
        reason: X509CrlReason.privilegeWithdrawn,
      })),
    ],
    extensions: [
      await AuthorityKeyIdentifierExtension.create(issuing.certificate.publicKey),
      new Extension(id_ce_cRLNumber, false, AsnConvert.serialize(new CRLNumber(number))),
    ],
    signingKey: issuing.key,
    signingAlgorithm: KEY_ALGORITHM,
  });
  return encodePem("X509 CRL", list.rawData);
}

function numberOf(list: X509Crl): number {
  const { value } = list.getExtension(id_ce_cRLNumber) ?? {};
  if (value === undefined) throw new EnsembleError("the revocation list has no number");
  return AsnConvert.parse(value, CRLNumber).value;
}
