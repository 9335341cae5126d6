/**
 * Whether certificates, keys and revocation lists belong together.
 *
 * @module
 */
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  verify,
  X509Certificate,
} from "node:crypto";
import { InvalidInputError } from "../errors.ts";
import type { RevocationList } from "../pki/revocation_list.ts";

/**
 * Makes sure that each certificate was issued by the one after it, and that all are valid now.
 *
 * @param chain DER; a server's certificate first, the root's last.
 * @throws {InvalidInputError} saying what is wrong.
 */
export function verifyChain(chain: Uint8Array[]): void {
  const certificates = chain.map((der) => new X509Certificate(der));
  for (const [index, certificate] of certificates.entries()) {
    const issuer = certificates[index + 1] ?? certificate;
    if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) {
      throw new InvalidInputError(
        `the certificate of ${nameOf(certificate)} was not issued by ${nameOf(issuer)}`,
      );
    }
    requireValidNow(certificate);
  }
}

/**
 * Makes sure that a private key is that of a certificate.
 *
 * @param key PKCS#8 PEM.
 * @throws {InvalidInputError} when it is not.
 */
export function verifyKey(certificate: Uint8Array, key: string): void {
  const spki = { type: "spki", format: "der" } as const;
  if (
    !publicKeyOf(key).export(spki).equals(new X509Certificate(certificate).publicKey.export(spki))
  ) {
    throw new InvalidInputError("it is not the key of the certificate");
  }
}

/**
 * Makes sure that a revocation list is that of an issuing authority, and not out of date.
 *
 * @throws {InvalidInputError} saying what is wrong.
 */
export function verifyRevocationList(list: RevocationList, issuer: Uint8Array): void {
  const certificate = new X509Certificate(issuer);
  if (!verify("sha256", list.signed, certificate.publicKey, list.signature)) {
    throw new InvalidInputError(`it was not signed by ${nameOf(certificate)}`);
  }
  if (list.nextUpdate.getTime() < Date.now()) {
    throw new InvalidInputError(`it is out of date since ${list.nextUpdate.toISOString()}`);
  }
}

function publicKeyOf(key: string): KeyObject {
  try {
    return createPublicKey(createPrivateKey(key));
  } catch (error) {
    throw new InvalidInputError("it is no private key, PKCS#8 PEM", { cause: error });
  }
}

function requireValidNow(certificate: X509Certificate): void {
  const { validFromDate, validToDate } = certificate;
  const now = Date.now();
  const name = nameOf(certificate);
  if (now < validFromDate.getTime()) {
    throw new InvalidInputError(
      `the certificate of ${name} is valid only from ${validFromDate.toISOString()} on: is the ` +
        `clock of this host right?`,
    );
  }
  if (now > validToDate.getTime()) {
    throw new InvalidInputError(
      `the certificate of ${name} expired at ${validToDate.toISOString()}`,
    );
  }
}

/** What a certificate calls its subject, on one line. */
function nameOf(certificate: X509Certificate): string {
  return certificate.subject.replaceAll("\n", ", ");
}
