/**
 * Whether certificates, keys and revocation lists belong together, and how long they are good.
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
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { formatServerId } from "../actor/references.ts";
import { InvalidInputError } from "../errors.ts";
import type { RevocationList } from "./revocation_list.ts";
import type { TlsIdentity } from "./tls_files.ts";

/** A day, in ms. */
export const DAY = 24 * 60 * 60 * 1000;

/** How long the authority lasts, in days. Nothing that it signs lasts longer. */
export const AUTHORITY_DAYS = 3650;

/** How long a server's certificate lasts unless told otherwise, in days: a year, and a month to renew it in. */
export const DEFAULT_DAYS = 397;

/** How far before its making a certificate is valid, in ms, as Let's Encrypt does: the clocks of hosts differ. */
const CLOCK_SKEW = 60 * 60 * 1000;

/**
 * Reads a number of days.
 *
 * @throws {InvalidInputError} when it is no whole number from 1 to {@linkcode AUTHORITY_DAYS}.
 */
export function parseDays(text: string): number {
  const days = Number(text);
  if (!/^\d+$/.test(text) || days < 1 || days > AUTHORITY_DAYS) {
    throw new InvalidInputError(
      `not a number of days: ${JSON.stringify(text)}: it is a whole number from 1 to ` +
        `${AUTHORITY_DAYS}`,
    );
  }
  return days;
}

/** The moment some days from now. */
export function daysFromNow(days: number): Date {
  return new Date(Date.now() + days * DAY);
}

/** The moment from which on what is signed now holds. */
export function startingNow(): Date {
  return new Date(Date.now() - CLOCK_SKEW);
}

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

const logger = getLogger(["gxensemble", "server"]);

/** How long before the end a server begins to warn, in ms. */
const NOTICE = 30 * DAY;

/** What of a server's TLS files ends. */
export type Expiring = {
  readonly certificate: Pick<TlsIdentity["certificate"], "id" | "notAfter">;
  readonly revocationList: Pick<TlsIdentity["revocationList"], "nextUpdate">;
};

/**
 * Warns now and each day, until it is disposed of, while the certificate or the revocation list ends within 30 days.
 * Peers refuse a certificate that has ended; with either of them ended, the server does not start again.
 *
 * @param current gives what is in use: it may have been exchanged meanwhile.
 */
export function warnOfExpiry(current: () => Expiring): Disposable {
  const warn = () => {
    const { certificate: { id, notAfter }, revocationList } = current();
    const server = formatServerId(id);
    const remedy =
      `make a new one with "gxensemble ca cert ${server}", bring it here and send SIGHUP`;
    warnOf(`the certificate of ${server}`, notAfter, remedy);
    warnOf(
      "the revocation list",
      revocationList.nextUpdate,
      "copy crl.pem from the host of the certificate authority, where ca cert and ca revoke make a new one, and " +
        "send SIGHUP",
    );
  };
  warn();
  const timer = setInterval(warn, DAY);
  Deno.unrefTimer(timer as unknown as number);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function warnOf(what: string, end: Date, remedy: string): void {
  const left = end.getTime() - Date.now();
  if (left >= NOTICE) return;
  const days = Math.floor(left / DAY);
  const when = left < 0
    ? `ended at ${end.toISOString()}`
    : `ends at ${end.toISOString()}, in ${days === 1 ? "1 day" : `${days} days`}`;
  logger.warn("{what} {when}: {remedy}", { what, when, remedy });
}
