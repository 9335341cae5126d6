/**
 * Issuing certificates to servers, listing and revoking them.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import { fingerprintOf } from "../server/credentials.ts";
import { readRegularFile, unreadable, withFileLock, writeWhole } from "../home/files.ts";
import type { Places } from "../home/paths.ts";
import { readAuthority, readAuthorityFile } from "./certificate_authority.ts";
import { daysFromNow, DEFAULT_DAYS, type Host, hostsOf } from "./certificate_terms.ts";
import {
  type CertificateIdentity,
  parseCertificate,
  parseRevocationList,
  type RevocationList,
} from "./certificate_parser.ts";
import {
  type CertifiedKey,
  createRevocationList,
  createServerCertificate,
  domainOf,
  toPem,
} from "./certificate_profile.ts";
import { decodePem, encodePem } from "./pem.ts";
import { SubjectAlternativeNameExtension, X509Certificate } from "./x509.ts";

/** Options of {@linkcode issueCertificates}. */
export interface IssueCertificatesOptions {
  /** The files of the authority and of the servers. */
  places: Places;
  /** The issuing authority, see `openIssuing`. */
  issuing: CertifiedKey;
  /** The servers' capabilities in every other server. */
  capabilities: readonly string[];
  /** The servers' hosts, besides `<server-id>.<domain>` and loopback. */
  hosts: readonly Host[];
  /** How many days the certificates are valid. */
  days: number;
}

/**
 * Issues certificates to servers, and writes each with its new key to the place from which its
 * server reads them. Earlier certificates stay valid until they expire or are revoked. If one
 * cannot be written, none is issued.
 *
 * The revocation list is signed again, too, so that it is valid for as long as the certificates.
 *
 * @throws {EnsembleError} if there is no authority, it was replaced meanwhile, or a file cannot be
 * written.
 */
export async function issueCertificates(
  ids: readonly string[],
  { places, issuing, capabilities, hosts, days }: IssueCertificatesOptions,
): Promise<IssuedCertificate[]> {
  return await withFileLock(places.authorityLock, async () => {
    await requireCurrent(issuing, places);
    const domain = domainOf(issuing.certificate);
    const made = await Promise.all([...new Set(ids)].map(async (id) => {
      const names = hostsOf(id, { domain, hosts });
      const options = { id, capabilities, hosts: names, days };
      const server = await createServerCertificate(issuing, options);
      return { id, server, issued: await describeIssued(server.certificate, new Set()) };
    }));
    const undo = new AsyncDisposableStack();
    try {
      for (const { id } of made) await makeServerDirectory(id, places);
      // Recorded before the servers have them, because a certificate without a record cannot be
      // revoked.
      for (const { server, issued } of made) {
        const record = `${places.authority.issued}/${issued.serial}.pem`;
        await writeWhole(record, toPem(server), { mode: 0o644, replace: false });
        undo.defer(() => Deno.remove(record));
      }
      await updateRevocationList(issuing, { places, serials: [] });
      for (const { id, server } of made) {
        await writeServerFiles(id, { places, server, issuing, undo });
      }
    } catch (error) {
      await undo.disposeAsync().catch(() => {}); // The error below has the reason.
      throw new EnsembleError(`${(error as Error).message}; no certificate was issued`, {
        cause: error,
      });
    }
    return made.map(({ issued }) => issued);
  });
}

/**
 * Revokes all valid certificates of a server.
 *
 * @returns the revoked certificates.
 * @throws {EnsembleError} if none was ever issued to the server, there is no authority, it was
 * replaced meanwhile, or the list cannot be written.
 */
export async function revokeCertificates(
  id: string,
  { places, issuing }: { places: Places; issuing: CertifiedKey },
): Promise<IssuedCertificate[]> {
  return await withFileLock(places.authorityLock, async () => {
    await requireCurrent(issuing, places);
    const revoked = await listRevocable(id, places);
    const serials = revoked.map(({ serial }) => serial);
    await updateRevocationList(issuing, { places, serials });
    return revoked.map((certificate) => ({ ...certificate, status: "revoked" }));
  });
}

/** Checks that the authority was not replaced while the user typed the passphrase. */
async function requireCurrent({ certificate }: CertifiedKey, places: Places): Promise<void> {
  const { issuing } = await readAuthority(places);
  if (issuing.serialNumber === certificate.serialNumber) return;
  throw new EnsembleError("the certificate authority was replaced meanwhile: try again");
}

/** Signs the revocation list again, valid as long as the certificates it covers. */
async function updateRevocationList(
  issuing: CertifiedKey,
  { places, serials }: { places: Places; serials: string[] },
): Promise<void> {
  const { crl } = places.authority;
  const ends = (await listIssued(places)).map(({ notAfter }) => notAfter.getTime());
  const list = await createRevocationList(issuing, {
    previous: await readAuthorityFile(crl),
    serials,
    nextUpdate: new Date(Math.max(daysFromNow(DEFAULT_DAYS).getTime(), ...ends)),
  });
  await writeWhole(crl, list, { mode: 0o644, replace: true });
}

async function makeServerDirectory(id: string, places: Places): Promise<void> {
  const directory = `${places.server(id)}/tls`;
  try {
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new EnsembleError(`cannot make ${directory}: ${(error as Error).message}`);
  }
}

async function writeServerFiles(
  id: string,
  { places, server, issuing, undo }: {
    places: Places;
    server: CertifiedKey;
    issuing: CertifiedKey;
    undo: AsyncDisposableStack;
  },
): Promise<void> {
  const paths = places.serverTls(id);
  const key = encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", server.key));
  const chain = toPem(server) + toPem(issuing);
  await replace(paths.key, key, { mode: 0o600, undo });
  await replace(paths.certificate, chain, { mode: 0o644, undo });
}

/** Replaces a file; `undo` restores it. */
async function replace(
  path: string,
  text: string,
  { mode, undo }: { mode: number; undo: AsyncDisposableStack },
): Promise<void> {
  const before = await readRegularFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
  await writeWhole(path, text, { mode, replace: true });
  undo.defer(() => before ? writeWhole(path, before, { mode, replace: true }) : Deno.remove(path));
}

/** A certificate that was issued to a server. */
export interface IssuedCertificate extends CertificateIdentity {
  /** The names and addresses of hosts that it names. */
  readonly hosts: readonly string[];
  /** The SHA-256 of its DER, in hex, as `openssl x509 -fingerprint -sha256` prints it. */
  readonly fingerprint: string;
  /** Whether it is valid now. */
  readonly status: "valid" | "expired" | "revoked";
}

/**
 * Lists the certificates that were issued, by server, and those of a server from the oldest to the
 * newest.
 *
 * @throws {EnsembleError} if there is no authority, or one of its files is damaged.
 */
export async function listIssued(places: Places): Promise<IssuedCertificate[]> {
  const { issued: directory } = places.authority;
  const { serials } = await readOwnRevocationList(places);
  const issued: IssuedCertificate[] = [];
  for (const name of await readNames(directory)) {
    issued.push(await readIssued(`${directory}/${name}`, serials));
  }
  return issued.sort((a, b) =>
    a.id < b.id ? -1 : a.id > b.id ? 1 : a.notBefore.getTime() - b.notBefore.getTime()
  );
}

/**
 * Reads the revocation list of the authority.
 *
 * @throws {EnsembleError} if there is no authority, or the list is damaged.
 */
export async function readOwnRevocationList(places: Places): Promise<RevocationList> {
  const { crl } = places.authority;
  const pem = await readAuthorityFile(crl);
  try {
    return parseRevocationList(decodePem("X509 CRL", pem));
  } catch (error) {
    throw new EnsembleError(`${crl} is not a revocation list: ${(error as Error).message}`);
  }
}

/**
 * Lists the valid certificates of a server.
 *
 * @throws {EnsembleError} if none was ever issued to it, or there is no authority.
 */
export async function listRevocable(
  id: string,
  places: Places,
): Promise<IssuedCertificate[]> {
  const own = (await listIssued(places)).filter((certificate) => certificate.id === id);
  if (own.length === 0) {
    throw new EnsembleError(
      `no certificate was issued to ${id}: "gxensemble ca show" prints those that were`,
    );
  }
  return own.filter(({ status }) => status === "valid");
}

async function readNames(directory: string): Promise<string[]> {
  try {
    const files = await Array.fromAsync(Deno.readDir(directory));
    // Drafts have other endings.
    return files.map(({ name }) => name).filter((name) => name.endsWith(".pem"));
  } catch (error) {
    throw unreadable(directory, error);
  }
}

async function readIssued(
  path: string,
  revoked: ReadonlySet<string>,
): Promise<IssuedCertificate> {
  const bytes = await readRegularFile(path);
  try {
    const der = decodePem("CERTIFICATE", new TextDecoder().decode(bytes));
    return await describeIssued(new X509Certificate(der), revoked);
  } catch (error) {
    throw new EnsembleError(
      `${path} is not a certificate issued here: ${(error as Error).message}: move it away, ` +
        "or restore it from a backup",
      { cause: error },
    );
  }
}

/** Describes a certificate of a server, given the serial numbers that are revoked. */
async function describeIssued(
  certificate: X509Certificate,
  revoked: ReadonlySet<string>,
): Promise<IssuedCertificate> {
  const identity = parseCertificate(new Uint8Array(certificate.rawData));
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.items ?? [];
  return {
    ...identity,
    hosts: names.filter(({ type }) => type === "dns" || type === "ip").map(({ value }) => value),
    fingerprint: await fingerprintOf(certificate.rawData),
    status: revoked.has(identity.serial)
      ? "revoked"
      : identity.notAfter.getTime() < Date.now()
      ? "expired"
      : "valid",
  };
}
