/**
 * The TLS files of the server that starts here, if it has any: reading them, and warning before they expire.
 *
 * The code that reads certificates takes 100 ms to load, and few servers and consoles need it. So it is loaded only
 * where there are files.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { isThere } from "../home/files.ts";
import type { Places } from "../home/paths.ts";
import { sharedId } from "../server/credentials.ts";
import { DAY } from "./certificate_terms.ts";
import type { TlsFiles, TlsIdentity, TlsTexts } from "./tls_files.ts";

/**
 * Reads the TLS files of a server or, if it has none of its own, those that it shares with others of its kind.
 *
 * @returns undefined when there are none.
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
 * Makes the credentials of a server of certificates that a program gives as text.
 *
 * @throws {EnsembleError} as {@linkcode TlsFiles.read} does.
 */
export async function readGivenTls(id: string, texts: TlsTexts): Promise<TlsFiles> {
  const { TlsFiles } = await import("./tls_files.ts");
  return TlsFiles.of(id, texts);
}

const logger = getLogger(["gxensemble", "server"]);

/** How long before the end to start warning, in ms. */
const NOTICE = 30 * DAY;

/** The TLS files that expire, and when. */
export type Expiring = {
  readonly certificate: Pick<TlsIdentity["certificate"], "id" | "notAfter">;
  readonly revocationList: Pick<TlsIdentity["revocationList"], "nextUpdate">;
};

/**
 * Warns now and once a day while the certificate or the revocation list expires within 30 days, until it is disposed
 * of. Peers refuse an expired certificate, and with an expired certificate or list the server does not start again.
 *
 * @param current returns the files in use, which may have been read again meanwhile.
 */
export function warnOfExpiry(current: () => Expiring): Disposable {
  const warn = () => {
    const { certificate: { id, notAfter }, revocationList } = current();
    const server = id;
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
