/**
 * Reads and verifies the TLS files of a server, which `gxensemble ca cert` makes.
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
import { AuthenticationError, EnsembleError, InvalidInputError } from "../errors.ts";
import { readRegularFile, readSecretFile } from "../home/files.ts";
import type { Places } from "../home/paths.ts";
import type { Certified, TlsCredentials } from "../server/credentials.ts";
import {
  type CertificateIdentity,
  parseCertificate,
  parseRevocationList,
  type RevocationList,
} from "./certificate_parser.ts";
import type { TlsMaterial } from "../wire/tls_transport.ts";
import type { CertificateTexts } from "./certificates.ts";
import { decodePem, decodePemBlocks } from "./pem.ts";

/** A server's certificate, private key and trusted authorities. */
export interface TlsIdentity extends TlsMaterial {
  /** The contents of its own certificate. */
  readonly certificate: CertificateIdentity;
  /** The revocation list. */
  readonly revocationList: RevocationList;
}

/** The names of texts without a file, for errors. */
const TEXT_NAMES: CertificateTexts = {
  certificate: "certificates.certificate",
  key: "certificates.key",
  authority: "certificates.authority",
  revocations: "certificates.revocations",
};

/** The TLS files of a server, which can be reread while it runs. */
export class TlsFiles implements TlsCredentials {
  #identity: TlsIdentity;
  readonly #read: () => Promise<TlsIdentity>;
  readonly #callbacks: (() => void)[] = [];

  private constructor(identity: TlsIdentity, read: () => Promise<TlsIdentity>) {
    this.#identity = identity;
    this.#read = read;
  }

  /**
   * Reads the files of a server, and checks that they belong together and are valid now.
   *
   * @throws {EnsembleError} naming the file that is missing, damaged, out of date, readable by
   * other users, or does not belong to the others; also if the certificate is revoked, or another
   * server's.
   */
  static async read(id: string, places: Places): Promise<TlsFiles> {
    const read = () => readIdentity(id, places);
    return new TlsFiles(await read(), read);
  }

  /**
   * Uses texts in place of the files. Rereading them changes nothing.
   *
   * @throws {EnsembleError} as {@linkcode TlsFiles.read} does.
   */
  static of(id: string, texts: CertificateTexts): TlsFiles {
    const identity = identityOf(id, { texts, names: TEXT_NAMES });
    return new TlsFiles(identity, () => Promise.resolve(identity));
  }

  /**
   * Reads the files again. New connections use the new certificate and revocation list; open ones
   * stay.
   *
   * @throws {EnsembleError} as {@linkcode TlsFiles.read} does. The previous files then remain in
   * use.
   */
  async reread(): Promise<void> {
    this.#identity = await this.#read();
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
 * Reads the certificate of a peer. TLS has verified its chain and dates: it does so in a full
 * handshake only, and `tls_transport.ts` refuses resumed sessions. The dates are checked here as
 * well, so that they do not depend on that alone.
 *
 * @throws {InvalidInputError} if it names no server.
 * @throws {AuthenticationError} if it is revoked, or not valid now.
 */
export function certifiedBy(
  certificate: Uint8Array,
  revoked: Pick<RevocationList, "serials">,
): Certified {
  const { id, capabilities, serial, notBefore, notAfter } = parseCertificate(
    new Uint8Array(certificate),
  );
  const refuse = (why: string) =>
    new AuthenticationError(`the certificate of ${id} ${why} (serial ${serial})`);
  if (revoked.serials.has(serial)) throw refuse("was revoked");
  if (Date.now() < notBefore.getTime()) {
    throw refuse(`is not valid before ${notBefore.toISOString()}`);
  }
  if (Date.now() > notAfter.getTime()) throw refuse(`expired at ${notAfter.toISOString()}`);
  return { id, capabilities, serial };
}

async function readIdentity(id: string, places: Places): Promise<TlsIdentity> {
  const paths = { ...places.authority, ...places.serverTls(id) };
  const advice = adviceFor(id);
  const shared = "copy it from the host of the certificate authority";
  const texts = {
    certificate: await readText(paths.certificate, { advice }),
    key: await readText(paths.key, { advice, isSecret: true }),
    authority: await readText(paths.root, { advice: shared }),
    revocations: await readText(paths.crl, { advice: shared }),
  };
  const names = { ...paths, authority: paths.root, revocations: paths.crl };
  return identityOf(id, { texts, names });
}

/**
 * Checks that texts belong together and are valid now.
 *
 * @param options.names the name of each text, for errors.
 */
function identityOf(
  id: string,
  { texts, names }: { texts: CertificateTexts; names: CertificateTexts },
): TlsIdentity {
  const { certificate: chain, key, authority: rootPem, revocations: crl } = texts;
  const advice = adviceFor(id);
  const { own, issuing, certificate } = inFile(names.certificate, () => readChain(chain, id));
  const root = inFile(names.authority, () => decodePem("CERTIFICATE", rootPem));
  inFile(names.certificate, () => verifyChain([own, issuing, root]));
  inFile(names.key, () => {
    decodePemBlocks("PRIVATE KEY", key); // Throws if it was truncated.
    verifyKey(own, key);
  });
  const revocationList = inFile(names.revocations, () => {
    const list = parseRevocationList(decodePem("X509 CRL", crl));
    verifyRevocationList(list, issuing);
    return list;
  });
  inFile(names.certificate, () => {
    if (!revocationList.serials.has(certificate.serial)) return;
    throw new InvalidInputError(`the certificate was revoked: ${advice}`);
  });
  return { certificate, chain, key, roots: [rootPem], revocationList };
}

function adviceFor(id: string): string {
  return `make a new one with "gxensemble ca cert ${id}"`;
}

async function readText(
  path: string,
  { advice, isSecret = false }: { advice: string; isSecret?: boolean },
): Promise<string> {
  try {
    const bytes = await (isSecret ? readSecretFile(path, "private key") : readRegularFile(path));
    if (bytes.length === 0) throw new EnsembleError(`${path}: it is empty`);
    return new TextDecoder().decode(bytes);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new EnsembleError(`${path} does not exist, but TLS needs it: ${advice}`);
  }
}

function readChain(
  chain: string,
  id: string,
): { own: Uint8Array; issuing: Uint8Array; certificate: CertificateIdentity } {
  const [own, issuing] = decodePemBlocks("CERTIFICATE", chain);
  if (own === undefined || issuing === undefined) {
    throw new InvalidInputError(
      "it should contain the server's certificate and that of the issuing authority",
    );
  }
  const certificate = parseCertificate(own);
  if (certificate.id !== id) {
    throw new InvalidInputError(`it is the certificate of ${certificate.id}`);
  }
  return { own, issuing, certificate };
}

/** Adds the path of a file to errors about its contents. */
function inFile<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new EnsembleError(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Checks that each certificate of a chain was issued by the next one, and that all are valid now.
 *
 * @param chain DER, from the server's certificate to the root's.
 * @throws {InvalidInputError} with the reason.
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
 * Checks that a private key, PKCS#8 PEM, belongs to a certificate.
 *
 * @throws {InvalidInputError} if it does not.
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
 * Checks that a revocation list was signed by an issuing authority, and is not out of date.
 *
 * @throws {InvalidInputError} with the reason.
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
    throw new InvalidInputError("it is not a private key in PKCS#8 PEM", { cause: error });
  }
}

function requireValidNow(certificate: X509Certificate): void {
  const { validFromDate, validToDate } = certificate;
  const now = Date.now();
  const name = nameOf(certificate);
  if (now < validFromDate.getTime()) {
    throw new InvalidInputError(
      `the certificate of ${name} is not valid before ${validFromDate.toISOString()}: is the ` +
        `clock of this host right?`,
    );
  }
  if (now > validToDate.getTime()) {
    throw new InvalidInputError(
      `the certificate of ${name} expired at ${validToDate.toISOString()}`,
    );
  }
}

/** The subject of a certificate, on one line. */
function nameOf(certificate: X509Certificate): string {
  return certificate.subject.replaceAll("\n", ", ");
}
