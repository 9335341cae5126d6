/**
 * The ensemble's certificate authority: a root, which servers trust, and an issuing authority below it,
 * which signs their certificates.
 *
 * What changes its files holds a lock, so that of two revocations at once neither is lost.
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
import {
  authorityDirectory,
  authorityLockPath,
  authorityPaths,
  ensembleDirectory,
} from "../home/paths.ts";
import { daysFromNow, DEFAULT_DAYS } from "./certificate_terms.ts";
import {
  type CertifiedKey,
  createIssuing,
  createRevocationList,
  createRoot,
  domainOf,
  KEY_ALGORITHM,
} from "./certificate_profile.ts";
import { decodePem, encodePem, openWithPassphrase, sealWithPassphrase } from "./pem.ts";
import { X509Certificate } from "./x509.ts";

/**
 * Makes sure that there is no authority yet.
 *
 * @throws {EnsembleError} when there is.
 */
export async function requireNoAuthority(): Promise<void> {
  const { root } = authorityPaths();
  if (await isThere(root)) throw authorityExists();
}

/** Options of {@linkcode createAuthority}. */
export interface CreateAuthorityOptions {
  /** The DNS domain that the servers' names are in. */
  domain: string;
  /** What both private keys are encrypted under. */
  passphrase: string;
  /** Whether to replace an authority that exists. Certificates of the old one are worth nothing then. */
  force?: boolean;
}

/**
 * Makes the authority: two certificates, their keys as PKCS#8 PEM in armoured age passphrase files, and
 * an empty revocation list. All of it is there, or nothing.
 *
 * @returns the issuing authority, opened.
 * @throws {EnsembleError} when there is one already, or it cannot be written.
 */
export async function createAuthority(options: CreateAuthorityOptions): Promise<CertifiedKey> {
  const { domain, passphrase, force = false } = options;
  const root = await createRoot(domain);
  const issuing = await createIssuing(domain, root);
  const crl = await createRevocationList(issuing, { nextUpdate: daysFromNow(DEFAULT_DAYS) });
  const draft = `${authorityDirectory()}.${crypto.randomUUID()}`;
  try {
    await Deno.mkdir(ensembleDirectory(), { recursive: true, mode: 0o700 });
    await Deno.mkdir(draft, { mode: 0o700 });
    const paths = authorityPaths(draft);
    await Deno.mkdir(paths.issued, { mode: 0o700 });
    await writeSealedKey(paths.rootKey, root.key, passphrase);
    await writeSealedKey(paths.issuingKey, issuing.key, passphrase);
    await writePublic(paths.root, encodePem("CERTIFICATE", root.certificate.rawData));
    await writePublic(paths.issuing, encodePem("CERTIFICATE", issuing.certificate.rawData));
    await writePublic(paths.crl, crl);
    await withFileLock(authorityLockPath(), () => install(draft, { replace: force }));
    return issuing;
  } catch (error) {
    if (error instanceof EnsembleError) throw error;
    const reason = (error as Error).message;
    throw new EnsembleError(`cannot write ${authorityDirectory()}: ${reason}`, { cause: error });
  } finally {
    await Deno.remove(draft, { recursive: true }).catch(() => {}); // One that was installed is gone.
  }
}

/** The authority as its certificates describe it. */
export interface Authority {
  /** The DNS domain that the servers' names are in. */
  readonly domain: string;
  /** The root's certificate. */
  readonly root: X509Certificate;
  /** The issuing authority's certificate. */
  readonly issuing: X509Certificate;
}

/**
 * Reads the authority.
 *
 * @throws {EnsembleError} when there is none on this host.
 */
export async function readAuthority(): Promise<Authority> {
  const paths = authorityPaths();
  const issuing = await readCertificate(paths.issuing);
  return { domain: domainOf(issuing), root: await readCertificate(paths.root), issuing };
}

/**
 * Opens the key of the issuing authority.
 *
 * @param passphrase gives the passphrase; not called for a key that cannot be opened with any.
 * @throws {EnsembleError} when there is none on this host, it is damaged, or the passphrase is wrong.
 */
export async function openIssuing(passphrase: () => Promise<string>): Promise<CertifiedKey> {
  const { issuing, issuingKey } = authorityPaths();
  const certificate = await readCertificate(issuing);
  const text = await readAuthorityFile(issuingKey, { secret: "issuing authority's private key" });
  const pem = await openWithPassphrase({ path: issuingKey, text }, passphrase);
  try {
    const der = decodePem("PRIVATE KEY", pem);
    const key = await crypto.subtle.importKey("pkcs8", der, KEY_ALGORITHM, false, ["sign"]);
    return { certificate, key };
  } catch (error) {
    throw new EnsembleError(`${issuingKey} is no private key: ${(error as Error).message}`);
  }
}

/**
 * Reads a file of the authority.
 *
 * @param options.secret what it is, where it holds a secret.
 * @throws {EnsembleError} when it cannot, saying how an authority is set up where there is none.
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
      `there is no certificate authority on this host: no ${path}: set one up with ` +
        `"gxensemble ca setup", or go to the host that has it`,
      { cause: error },
    );
  }
}

async function readCertificate(path: string): Promise<X509Certificate> {
  const pem = await readAuthorityFile(path);
  try {
    return new X509Certificate(decodePem("CERTIFICATE", pem));
  } catch (error) {
    throw new EnsembleError(`${path} is no certificate: ${(error as Error).message}`);
  }
}

async function writeSealedKey(path: string, key: CryptoKey, passphrase: string): Promise<void> {
  const pem = encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", key));
  await writeWhole(path, await sealWithPassphrase(pem, passphrase), {
    mode: 0o600,
    replace: false,
  });
}

async function writePublic(path: string, pem: string): Promise<void> {
  await writeWhole(path, pem, { mode: 0o644, replace: false });
}

/** Puts a directory that is complete in the place of the authority's. */
async function install(draft: string, { replace }: { replace: boolean }): Promise<void> {
  const directory = authorityDirectory();
  const replaced = `${directory}.${crypto.randomUUID()}`;
  try {
    if (replace) await Deno.rename(directory, replaced).catch(ignoreNotFound);
    await Deno.rename(draft, directory);
    await syncDirectoryOf(directory);
    if (replace) await Deno.remove(replaced, { recursive: true }).catch(ignoreNotFound);
  } catch (error) {
    const { code } = error as { code?: string };
    throw code === "ENOTEMPTY" || code === "EEXIST" ? authorityExists() : error;
  }
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

function authorityExists(): EnsembleError {
  return new EnsembleError(
    `there is a certificate authority already, or what a server needs of one: ` +
      `${authorityDirectory()}: replace it with "gxensemble ca setup -f"; every server then needs a ` +
      `new certificate and the new root`,
  );
}
