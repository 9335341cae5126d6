/**
 * Issuing certificates to servers, and revoking them.
 *
 * @module
 */
import type { ServerId } from "../actor/server_id.ts";
import { EnsembleError } from "../errors.ts";
import { openIssuing, readAuthorityFile } from "./certificate_authority.ts";
import { type CertifiedKey, createServerCertificate, domainOf } from "./certificate_profile.ts";
import { daysFromNow, DEFAULT_DAYS } from "./certificate_validity.ts";
import { withFileLock } from "./file_lock.ts";
import { type Host, hostsOf } from "./host_name.ts";
import {
  describeIssued,
  type IssuedCertificate,
  listIssued,
  listRevocable,
} from "./issued_certificates.ts";
import { authorityLockPath, authorityPaths, serverDirectory, serverTlsPaths } from "./paths.ts";
import { encodePem } from "./pem.ts";
import { createRevocationList } from "./certificate_profile.ts";
import { writeWhole } from "./whole_file.ts";

/** Options of {@linkcode issueCertificate}. */
export interface IssueCertificateOptions {
  /** What opens the key of the issuing authority. */
  passphrase: string;
  /** What the server may do in every other one. */
  capabilities: readonly string[];
  /** Where it is reached besides `<server-id>.<domain>` and its own host. */
  hosts: readonly Host[];
  /** For how many days the certificate is valid. */
  days: number;
}

/**
 * Issues a certificate to a server and puts it, with a new key, where the server reads both. One that it
 * had stays good until it expires or is revoked.
 *
 * The revocation list is made anew as well, so that it is good for as long as the certificate is.
 *
 * @throws {EnsembleError} when there is no authority, the passphrase is wrong, or a file cannot be
 * written.
 */
export async function issueCertificate(
  id: ServerId,
  { passphrase, capabilities, hosts, days }: IssueCertificateOptions,
): Promise<IssuedCertificate> {
  return await withFileLock(authorityLockPath(), async () => {
    const issuing = await openIssuing(passphrase);
    const server = await createServerCertificate(issuing, {
      id,
      capabilities,
      hosts: hostsOf(id, { domain: domainOf(issuing.certificate), hosts }),
      days,
    });
    const issued = describeIssued(server.certificate, new Set());
    // Before the server has it: a certificate that is not on record cannot be revoked.
    const record = `${authorityPaths().issued}/${issued.serial}.pem`;
    await writeWhole(record, toPem(server), { mode: 0o644, replace: false });
    await updateRevocationList(issuing, []);
    await writeServerFiles(id, server, issuing);
    return issued;
  });
}

/**
 * Revokes every certificate of a server that is still good.
 *
 * @returns those that it revoked.
 * @throws {EnsembleError} when none was ever issued to the server, there is no authority, the passphrase
 * is wrong, or the list cannot be written.
 */
export async function revokeCertificates(
  id: ServerId,
  { passphrase }: { passphrase: string },
): Promise<IssuedCertificate[]> {
  return await withFileLock(authorityLockPath(), async () => {
    const issuing = await openIssuing(passphrase);
    const revoked = await listRevocable(id);
    await updateRevocationList(issuing, revoked.map(({ serial }) => serial));
    return revoked.map((certificate) => ({ ...certificate, status: "revoked" }));
  });
}

/** Signs the list anew: good for as long as the certificates are that it could speak of. */
async function updateRevocationList(issuing: CertifiedKey, serials: string[]): Promise<void> {
  const { crl } = authorityPaths();
  const ends = (await listIssued()).map(({ notAfter }) => notAfter.getTime());
  const list = await createRevocationList(issuing, {
    previous: await readAuthorityFile(crl),
    serials,
    nextUpdate: new Date(Math.max(daysFromNow(DEFAULT_DAYS).getTime(), ...ends)),
  });
  await writeWhole(crl, list, { mode: 0o644, replace: true });
}

async function writeServerFiles(
  id: ServerId,
  server: CertifiedKey,
  issuing: CertifiedKey,
): Promise<void> {
  const paths = serverTlsPaths(id);
  const directory = `${serverDirectory(id)}/tls`;
  try {
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new EnsembleError(`cannot make ${directory}: ${(error as Error).message}`);
  }
  const key = encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", server.key));
  const chain = toPem(server) + toPem(issuing);
  await writeWhole(paths.key, key, { mode: 0o600, replace: true });
  await writeWhole(paths.certificate, chain, { mode: 0o644, replace: true });
}

function toPem({ certificate }: CertifiedKey): string {
  return encodePem("CERTIFICATE", certificate.rawData);
}
