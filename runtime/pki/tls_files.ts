/**
 * What a server speaks TLS with: the files that `gxensemble ca cert` made for it.
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
import { formatServerId, type ServerId } from "../actor/references.ts";
import { AuthenticationError, EnsembleError, InvalidInputError } from "../errors.ts";
import { readRegularFile, readSecretFile } from "../home/files.ts";
import {
  type AuthorityPaths,
  authorityPaths,
  type ServerTlsPaths,
  serverTlsPaths,
} from "../home/paths.ts";
import type { Certified, TlsCredentials } from "../server/credentials.ts";
import {
  type CertificateIdentity,
  identityOf,
  readRevocationList,
  type RevocationList,
} from "./certificate_parser.ts";
import { decodePem, decodePemBlocks, encodePem } from "./pem.ts";

/** Who a server is over TLS, what it proves it with, and whom it trusts. */
export interface TlsIdentity {
  /** What its own certificate says. */
  readonly certificate: CertificateIdentity;
  /** Its certificate, then that of the issuing authority, PEM. */
  readonly chain: string;
  /** Its private key, PKCS#8 PEM. */
  readonly key: string;
  /** The roots that peers' certificates must lead to, PEM. */
  readonly roots: string[];
  /** The certificate of the issuing authority, PEM. */
  readonly issuing: string;
  /** The revocation list as it is in its file, PEM. */
  readonly crl: string;
  /** What the revocation list says. */
  readonly revocationList: RevocationList;
}

/**
 * Reads the TLS files of a server, and makes sure that they belong together and are good now.
 *
 * @returns undefined when it has none.
 * @throws {EnsembleError} naming the file that is missing, damaged, out of date, readable by others, or
 * does not belong to the others; and when the certificate is another server's, or revoked.
 */
export async function readTlsIdentity(id: ServerId): Promise<TlsIdentity | undefined> {
  const paths = { ...authorityPaths(), ...serverTlsPaths(id) };
  const files = await readFiles(paths, id);
  if (files === undefined) return undefined;
  const { own, issuing, certificate } = about(paths.certificate, () => readChain(files.chain, id));
  const root = about(paths.root, () => decodePem("CERTIFICATE", files.root));
  about(paths.certificate, () => verifyChain([own, issuing, root]));
  about(paths.key, () => {
    decodePemBlocks("PRIVATE KEY", files.key); // Says that it was cut off.
    verifyKey(own, files.key);
  });
  const revocationList = about(paths.crl, () => {
    const list = readRevocationList(decodePem("X509 CRL", files.crl));
    verifyRevocationList(list, issuing);
    return list;
  });
  about(paths.certificate, () => {
    if (!revocationList.serials.has(certificate.serial)) return;
    throw new InvalidInputError(`the certificate was revoked: ${reissue(id)}`);
  });
  return {
    certificate,
    chain: files.chain,
    key: files.key,
    roots: [files.root],
    issuing: encodePem("CERTIFICATE", issuing),
    crl: files.crl,
    revocationList,
  };
}

type TlsPaths = ServerTlsPaths & AuthorityPaths;

/** The texts of the files that a server needs; undefined when it has none of its own. */
async function readFiles(
  paths: TlsPaths,
  id: ServerId,
): Promise<Record<"chain" | "key" | "root" | "crl", string> | undefined> {
  const chain = await readIfThere(paths.certificate);
  const key = await readIfThere(paths.key, { secret: true });
  if (chain === undefined && key === undefined) return undefined;
  if (chain === undefined) throw missing(paths.certificate, reissue(id));
  if (key === undefined) throw missing(paths.key, reissue(id));
  const advice = "copy it there from the host of the certificate authority";
  const root = await readIfThere(paths.root);
  if (root === undefined) throw missing(paths.root, advice);
  const crl = await readIfThere(paths.crl);
  if (crl === undefined) throw missing(paths.crl, advice);
  return { chain, key, root, crl };
}

async function readIfThere(path: string, { secret = false } = {}): Promise<string | undefined> {
  try {
    const bytes = await (secret ? readSecretFile(path, "private key") : readRegularFile(path));
    if (bytes.length === 0) throw new EnsembleError(`${path}: it is empty`);
    return new TextDecoder().decode(bytes);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function readChain(
  chain: string,
  id: ServerId,
): { own: Uint8Array; issuing: Uint8Array; certificate: CertificateIdentity } {
  const [own, issuing] = decodePemBlocks("CERTIFICATE", chain);
  if (own === undefined || issuing === undefined) {
    throw new InvalidInputError(
      "it should hold the server's certificate and that of the issuing authority",
    );
  }
  const certificate = identityOf(own);
  if (certificate.id !== id) {
    throw new InvalidInputError(`it is the certificate of ${formatServerId(certificate.id)}`);
  }
  return { own, issuing, certificate };
}

/** Names the file that a refusal is about. */
function about<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new EnsembleError(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

function missing(path: string, advice: string): EnsembleError {
  return new EnsembleError(`there is no ${path}, which TLS needs: ${advice}`);
}

function reissue(id: ServerId): string {
  return `make a new one with "gxensemble ca cert ${formatServerId(id)}"`;
}

/**
 * Makes sure that each certificate was issued by the one after it, and that all are valid now.
 *
 * @param chain DER; a server's certificate first, the root's last.
 * @throws {InvalidInputError} saying what is wrong.
 */
function verifyChain(chain: Uint8Array[]): void {
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
function verifyKey(certificate: Uint8Array, key: string): void {
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
function verifyRevocationList(list: RevocationList, issuer: Uint8Array): void {
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

/** What a server shows and trusts on tls, from files that can be read again while it runs. */
export class TlsFiles implements TlsCredentials {
  #identity: TlsIdentity;
  readonly #callbacks: (() => void)[] = [];

  private constructor(identity: TlsIdentity) {
    this.#identity = identity;
  }

  /**
   * Reads the files of a server; see {@linkcode readTlsIdentity}.
   *
   * @returns undefined when it has none.
   */
  static async read(id: ServerId): Promise<TlsFiles | undefined> {
    const identity = await readTlsIdentity(id);
    return identity && new TlsFiles(identity);
  }

  /**
   * Reads the files again: certificates and the revocation list hold for all connections from now on, and
   * those that stand are left alone.
   *
   * @throws {EnsembleError} when they are not good; what was read before stays in use.
   */
  async reread(): Promise<void> {
    const { id } = this.#identity.certificate;
    const identity = await readTlsIdentity(id);
    if (!identity) throw new EnsembleError(`the certificate of ${id} is not there any more`);
    this.#identity = identity;
    for (const callback of this.#callbacks) callback();
  }

  /** See `TlsSource.current`. */
  current(): TlsIdentity {
    return this.#identity;
  }

  /** See `TlsSource.onChange`. */
  onChange(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  /** See {@linkcode TlsCredentials.identify}. */
  identify(certificate: Uint8Array): Certified {
    return certifiedBy(certificate, this.#identity.revocationList);
  }
}

/**
 * Reads the certificate of a peer, whose chain TLS has checked. Its dates are looked at again: TLS does not,
 * where a client resumes what an earlier connection agreed on.
 *
 * @throws {InvalidInputError} when it names no server.
 * @throws {AuthenticationError} when it is revoked, or not valid now.
 */
export function certifiedBy(
  certificate: Uint8Array,
  revoked: Pick<RevocationList, "serials">,
): Certified {
  const { id, capabilities, serial, notBefore, notAfter } = identityOf(new Uint8Array(certificate));
  const refuse = (why: string) =>
    new AuthenticationError(`the certificate of ${id} ${why} (serial ${serial})`);
  if (revoked.serials.has(serial)) throw refuse("was revoked");
  if (Date.now() < notBefore.getTime()) throw refuse(`is valid from ${notBefore.toISOString()} on`);
  if (Date.now() > notAfter.getTime()) throw refuse(`expired at ${notAfter.toISOString()}`);
  return { id, capabilities, serial };
}
