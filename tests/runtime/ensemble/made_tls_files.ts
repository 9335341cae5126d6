/**
 * The TLS files of a server, made for tests without the command line and its passphrases.
 */
import {
  type CertifiedKey,
  createIssuing,
  createRevocationList,
  createRoot,
  createServerCertificate,
} from "../../../runtime/pki/certificate_profile.ts";
import { daysFromNow } from "../../../runtime/pki/certificate_terms.ts";
import { encodePem } from "../../../runtime/pki/pem.ts";

/** A root and the issuing authority below it. */
export interface TestAuthority {
  root: CertifiedKey;
  issuing: CertifiedKey;
}

/** Makes an authority. */
export async function createTestAuthority(): Promise<TestAuthority> {
  const root = await createRoot("ensemble.internal");
  return { root, issuing: await createIssuing("ensemble.internal", root) };
}

/**
 * Makes the certificate of `httpd1` or another server. A negative number of days makes an expired
 * one.
 */
export async function certify(
  { issuing }: TestAuthority,
  { id = "httpd1", days = 30 }: { id?: string; days?: number } = {},
): Promise<CertifiedKey> {
  const options = { capabilities: ["shutdown"], hosts: [], days };
  return await createServerCertificate(issuing, { id: id, ...options });
}

/** Makes a revocation list. A negative number of days makes one that is out of date. */
export async function revocationList(
  { issuing }: TestAuthority,
  { serials = [], days = 30 }: { serials?: string[]; days?: number } = {},
): Promise<string> {
  return await createRevocationList(issuing, { serials, nextUpdate: daysFromNow(days) });
}

/** A certificate, PEM. */
export function certificatePem({ certificate }: CertifiedKey): string {
  return encodePem("CERTIFICATE", certificate.rawData);
}

/** A private key, PEM. */
export async function keyPem({ key }: CertifiedKey): Promise<string> {
  return encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", key));
}

/** Writes files of the ensemble, below its directory; private keys for their owner only. */
export async function writeFiles(
  { directory }: { directory: string },
  files: Record<string, string>,
): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = `${directory}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(path, text, { mode: name.endsWith("key.pem") ? 0o600 : 0o644 });
  }
}
