/**
 * Reads the TLS files of this process's server, if it has any, and warns before they expire.
 *
 * The code that reads certificates takes 100 ms to load, and few servers and consoles need it. So
 * it is loaded only if there are files.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { isThere } from "../home/files.ts";
import type { Places } from "../home/paths.ts";
import { sharedId } from "../server/credentials.ts";
import { DAY } from "./certificate_terms.ts";
import type { CertificateTexts } from "./certificates.ts";
import type { TlsFiles, TlsIdentity } from "./tls_files.ts";

/**
 * Reads the TLS files of a server or, if it has none of its own, those shared with servers of its
 * kind.
 *
 * @returns undefined if there are none.
 * @throws {EnsembleError} as {@linkcode TlsFiles.read} does.
 */
export async function readOwnTls(
  id: string,
  places: Places,
): Promise<TlsFiles | undefined> {
  const { certificate, key } = places.serverTls(id);
  if (!await isThere(certificate) && !await isThere(key)) {
    const shared = sharedId(id);
    return shared === undefined ? undefined : await readOwnTls(shared, places);
  }
  const { TlsFiles } = await import("./tls_files.ts");
  return await TlsFiles.read(id, places);
}

/**
 * Creates the TLS credentials of a server from PEM text that a program passes.
 *
 * @throws {EnsembleError} as {@linkcode TlsFiles.read} does.
 */
export async function readGivenTls(id: string, texts: CertificateTexts): Promise<TlsFiles> {
  const { TlsFiles } = await import("./tls_files.ts");
  return TlsFiles.of(id, texts);
}

const logger = getLogger(["gxensemble", "server"]);

/** How long before the expiry warnings start, in ms. */
export const EXPIRY_NOTICE: number = 30 * DAY;

/** The expiry times of the TLS files. */
export type Expiring = {
  readonly certificate: Pick<TlsIdentity["certificate"], "id" | "notAfter">;
  readonly revocationList: Pick<TlsIdentity["revocationList"], "nextUpdate">;
};

/**
 * Warns at once and then daily if the certificate or the revocation list expires within 30 days,
 * until disposed. Peers refuse an expired certificate, and a server with an expired certificate or
 * list does not start again.
 *
 * @param current returns the files in use, which may have been read again meanwhile.
 */
export function warnOfExpiry(current: () => Expiring): Disposable {
  const warn = () => {
    const { certificate: { id, notAfter }, revocationList } = current();
    const server = id;
    const remedy =
      `make a new one with "gxensemble ca cert ${server}", copy it here and send SIGHUP`;
    warnOf(`the certificate of ${server}`, notAfter, remedy);
    warnOf(
      "the revocation list",
      revocationList.nextUpdate,
      "copy crl.pem from the host of the certificate authority, where ca cert and ca revoke renew it, and " +
        "send SIGHUP",
    );
  };
  warn();
  const timer = setInterval(warn, DAY);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function warnOf(what: string, end: Date, remedy: string): void {
  const left = end.getTime() - Date.now();
  if (left >= EXPIRY_NOTICE) return;
  const days = Math.floor(left / DAY);
  const when = left < 0
    ? `ended at ${end.toISOString()}`
    : `expires at ${end.toISOString()}, in ${days === 1 ? "1 day" : `${days} days`}`;
  logger.warn("{what} {when}: {remedy}", { what, when, remedy });
}
