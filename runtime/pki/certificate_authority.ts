/**
 * The ensemble's certificate authority: a root, which servers trust, and an issuing authority below
 * it, which signs their certificates.
 *
 * Its files are changed under a lock, so that two revocations at once both count.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import {
  isThere,
  readRegularFile,
  readSecretFile,
  syncDirectoryOf,
  withFileLock,
  writeWhole,
} from "../home/files.ts";
import { authorityPaths, type Places } from "../home/paths.ts";
import { daysFromNow, DEFAULT_DAYS } from "./certificate_terms.ts";
import {
  type CertifiedKey,
  createIssuing,
  createRevocationList,
  createRoot,
  domainOf,
  KEY_ALGORITHM,
  toPem,
} from "./certificate_profile.ts";
import { decodePem, openPrivateKey, sealPrivateKey } from "./pem.ts";
import { X509Certificate } from "./x509.ts";

/**
 * Checks that there is no authority yet.
 *
 * @throws {EnsembleError} if there is one.
 */
export async function requireNoAuthority(places: Places): Promise<void> {
  const { root } = places.authority;
  if (await isThere(root)) throw authorityExists(places);
}

/** Options of {@linkcode createAuthority}. */
export interface CreateAuthorityOptions {
  /** The DNS domain of the servers' names. */
  domain: string;
  /** The passphrase that encrypts both private keys. */
  passphrase: string;
  /** Whether to replace an existing authority. Then its certificates are no longer trusted. */
  force?: boolean;
}

/**
 * Creates the authority: two certificates, their keys (see {@linkcode sealPrivateKey}) and an empty
 * revocation list. Either all of it is written, or nothing.
 *
 * @returns the issuing authority, opened.
 * @throws {EnsembleError} if there is one already, or it cannot be written.
 */
export async function createAuthority(
  places: Places,
  options: CreateAuthorityOptions,
): Promise<CertifiedKey> {
  const { domain, passphrase, force = false } = options;
  const root = await createRoot(domain);
  const issuing = await createIssuing(domain, root);
  const crl = await createRevocationList(issuing, { nextUpdate: daysFromNow(DEFAULT_DAYS) });
  const draft = `${places.authorityDirectory}.${crypto.randomUUID()}`;
  try {
    await Deno.mkdir(places.directory, { recursive: true, mode: 0o700 });
    await Deno.mkdir(draft, { mode: 0o700 });
    const paths = authorityPaths(draft);
    await Deno.mkdir(paths.issued, { mode: 0o700 });
    await writeNew(paths.rootKey, await sealPrivateKey(root.key, passphrase), 0o600);
    await writeNew(paths.issuingKey, await sealPrivateKey(issuing.key, passphrase), 0o600);
    await writeNew(paths.root, toPem(root), 0o644);
    await writeNew(paths.issuing, toPem(issuing), 0o644);
    await writeNew(paths.crl, crl, 0o644);
    await withFileLock(places.authorityLock, () => install(draft, { places, replace: force }));
    return issuing;
  } catch (error) {
    if (error instanceof EnsembleError) throw error;
    const { message } = error as Error;
    throw new EnsembleError(`cannot write ${places.authorityDirectory}: ${message}`, {
      cause: error,
    });
  } finally {
    await Deno.remove(draft, { recursive: true }).catch(() => {}); // It no longer exists if it was installed.
  }
}

/** The certificates of the authority. */
export interface Authority {
  /** The DNS domain of the servers' names. */
  readonly domain: string;
  /** The certificate of the root. */
  readonly root: X509Certificate;
  /** The certificate of the issuing authority. */
  readonly issuing: X509Certificate;
}

/**
 * Reads the certificates of the authority.
 *
 * @throws {EnsembleError} if there is none on this host.
 */
export async function readAuthority(places: Places): Promise<Authority> {
  const paths = places.authority;
  const issuing = await readCertificate(paths.issuing);
  return { domain: domainOf(issuing), root: await readCertificate(paths.root), issuing };
}

/**
 * Opens the key of the issuing authority.
 *
 * @param passphrase asks for the passphrase. It is not called for a key that no passphrase can
 * open.
 * @throws {EnsembleError} if there is none on this host, it is damaged, or the passphrase is wrong.
 */
export async function openIssuing(
  places: Places,
  passphrase: () => Promise<string>,
): Promise<CertifiedKey> {
  const { issuing, issuingKey } = places.authority;
  const certificate = await readCertificate(issuing);
  const text = await readAuthorityFile(issuingKey, { secret: "issuing authority's private key" });
  const sealed = { path: issuingKey, text, algorithm: KEY_ALGORITHM, passphrase };
  return { certificate, key: await openPrivateKey(sealed) };
}

/**
 * Reads a file of the authority.
 *
 * @param options.secret the kind of secret, if it contains one.
 * @throws {EnsembleError} if it cannot be read, or if there is no authority, with how to set one
 * up.
 */
export async function readAuthorityFile(
  path: string,
  { secret }: { secret?: string } = {},
): Promise<string> {
  try {
    const bytes = secret === undefined
      ? await readRegularFile(path)
      : await readSecretFile(path, secret);
    return new TextDecoder().decode(bytes);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new EnsembleError(
      `there is no certificate authority on this host: ${path} does not exist; set one up with ` +
        `"gxensemble ca setup", or use the host that has it`,
      { cause: error },
    );
  }
}

async function readCertificate(path: string): Promise<X509Certificate> {
  const pem = await readAuthorityFile(path);
  try {
    return new X509Certificate(decodePem("CERTIFICATE", pem));
  } catch (error) {
    throw new EnsembleError(`${path} is not a certificate: ${(error as Error).message}`);
  }
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  await writeWhole(path, text, { mode, replace: false });
}

/** Moves a complete directory to the place of the authority. */
async function install(
  draft: string,
  { places, replace }: { places: Places; replace: boolean },
): Promise<void> {
  const directory = places.authorityDirectory;
  const replaced = `${directory}.${crypto.randomUUID()}`;
  try {
    if (replace) await Deno.rename(directory, replaced).catch(ignoreNotFound);
    await Deno.rename(draft, directory);
    await syncDirectoryOf(directory);
    if (replace) await Deno.remove(replaced, { recursive: true }).catch(ignoreNotFound);
  } catch (error) {
    const { code } = error as { code?: string };
    throw code === "ENOTEMPTY" || code === "EEXIST" ? authorityExists(places) : error;
  }
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

function authorityExists(places: Places): EnsembleError {
  return new EnsembleError(
    `a certificate authority, or its files for servers, exist already: ` +
      `${places.authorityDirectory}: to replace them, run "gxensemble ca setup -f"; every server then needs a ` +
      `new certificate and the new root`,
  );
}
