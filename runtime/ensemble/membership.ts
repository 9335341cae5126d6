/**
 * What a process needs to be in the ensemble, from the files and the environment of its host: servers need it, and the
 * consoles of commands.
 *
 * The code that reads certificates takes 100 ms to load, and few servers and consoles need it. So it is loaded only
 * where there are files.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { formatServerId, type ServerId } from "../actor/references.ts";
import { readCookie } from "../home/cookie.ts";
import { isThere } from "../home/files.ts";
import { locateServers } from "../home/known_servers.ts";
import { serverTlsPaths } from "../home/paths.ts";
import { readAdminPublicKey } from "../pki/admin_key.ts";
import { DAY } from "../pki/certificate_terms.ts";
import type { TlsFiles, TlsIdentity } from "../pki/tls_files.ts";
import type { ServerLocations } from "../server/address_book.ts";
import { sharedId } from "../server/credentials.ts";
import type { Address } from "../wire/address.ts";

/** What makes a process a member of the ensemble. */
export interface Membership extends ServerLocations {
  /** The ensemble's cookie. */
  readonly cookie: Uint8Array;
  /** The administrators' public key, where capabilities are enforced. */
  readonly adminKey: CryptoKey | undefined;
  /** Its certificate and what it trusts, where it has some. */
  readonly tls: TlsFiles | undefined;
}

/**
 * Reads what a server needs to be in the ensemble.
 *
 * @param registry where the registry is; without any address where {@linkcode locateServers} finds it.
 * @throws {EnsembleError} when there is no cookie, or a file cannot be read or is not good.
 */
export async function readMembership(
  id: ServerId,
  registry: readonly Address[] = [],
): Promise<Membership> {
  const [cookie, adminKey, tls, locations] = await Promise.all([
    readCookie(),
    readAdminPublicKey(),
    readOwnTls(id),
    locateServers(registry),
  ]);
  return { cookie, adminKey, tls, ...locations };
}

/**
 * Reads the TLS files of a server or, if it has none of its own, those that it shares with others of its kind.
 *
 * @returns undefined when there are none.
 * @throws {EnsembleError} as {@linkcode TlsFiles.read} does.
 */
export async function readOwnTls(id: ServerId): Promise<TlsFiles | undefined> {
  const { certificate, key } = serverTlsPaths(id);
  if (!await isThere(certificate) && !await isThere(key)) {
    const shared = sharedId(id);
    return shared && await readOwnTls(shared);
  }
  const { TlsFiles } = await import("../pki/tls_files.ts");
  return await TlsFiles.read(id);
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
    const server = formatServerId(id);
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
