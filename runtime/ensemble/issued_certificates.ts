/**
 * The certificates of servers that were issued, as they are on record.
 *
 * @module
 */
import { formatServerId, type ServerId } from "../actor/server_id.ts";
import { EnsembleError } from "../errors.ts";
import { fingerprintOf } from "../fingerprint.ts";
import { type CertificateIdentity, identityOf } from "../pki/certificate_identity.ts";
import { readRevocationList, type RevocationList } from "../pki/revocation_list.ts";
import { readAuthorityFile } from "./certificate_authority.ts";
import { authorityPaths } from "./paths.ts";
import { decodePem } from "./pem.ts";
import { readRegularFile } from "./regular_file.ts";
import { SubjectAlternativeNameExtension, X509Certificate } from "./x509.ts";

/** A certificate that was issued to a server. */
export interface IssuedCertificate extends CertificateIdentity {
  /** The names and addresses of hosts in it. */
  readonly hosts: readonly string[];
  /** The SHA-256 of its DER, in hex, as `openssl x509 -fingerprint -sha256` prints it. */
  readonly fingerprint: string;
  /** Whether it is good now. */
  readonly status: "valid" | "expired" | "revoked";
}

/**
 * Reads which certificates were issued, by server, each server's oldest first.
 *
 * @throws {EnsembleError} when there is no authority, or a file of it is damaged.
 */
export async function listIssued(): Promise<IssuedCertificate[]> {
  const { issued: directory } = authorityPaths();
  const { serials } = await readOwnRevocationList();
  const issued: IssuedCertificate[] = [];
  for (const name of await readNames(directory)) {
    issued.push(await readIssued(`${directory}/${name}`, serials));
  }
  return issued.sort((a, b) =>
    a.id < b.id ? -1 : a.id > b.id ? 1 : a.notBefore.getTime() - b.notBefore.getTime()
  );
}

/**
 * Reads the authority's revocation list.
 *
 * @throws {EnsembleError} when there is no authority, or the list is damaged.
 */
export async function readOwnRevocationList(): Promise<RevocationList> {
  const { crl } = authorityPaths();
  const pem = await readAuthorityFile(crl);
  try {
    return readRevocationList(decodePem("X509 CRL", pem));
  } catch (error) {
    throw new EnsembleError(`${crl} is no revocation list: ${(error as Error).message}`);
  }
}

/**
 * Reads which certificates of a server are still good.
 *
 * @throws {EnsembleError} when none was ever issued to it, or there is no authority.
 */
export async function listRevocable(id: ServerId): Promise<IssuedCertificate[]> {
  const own = (await listIssued()).filter((certificate) => certificate.id === id);
  if (own.length === 0) {
    throw new EnsembleError(
      `no certificate was issued to ${
        formatServerId(id)
      }: "gxensemble ca show" prints those that were`,
    );
  }
  return own.filter(({ status }) => status === "valid");
}

async function readNames(directory: string): Promise<string[]> {
  try {
    const files = await Array.fromAsync(Deno.readDir(directory));
    // Drafts of files have other endings.
    return files.map(({ name }) => name).filter((name) => name.endsWith(".pem"));
  } catch (error) {
    throw new EnsembleError(`cannot read ${directory}: ${(error as Error).message}`);
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
      `${path} is no certificate that was issued here: ${
        (error as Error).message
      }: move it away, ` +
        "or restore it from a backup",
      { cause: error },
    );
  }
}

/**
 * Says what a certificate is and whether it is good, given the serial numbers that are revoked.
 *
 * @throws {EnsembleError} when it is not one of a server.
 */
export async function describeIssued(
  certificate: X509Certificate,
  revoked: ReadonlySet<string>,
): Promise<IssuedCertificate> {
  const identity = identityOf(new Uint8Array(certificate.rawData));
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
