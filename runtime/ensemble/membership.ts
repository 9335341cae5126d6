/**
 * What a process needs to be in the ensemble, from the files and the environment of its host: servers need it, and the
 * consoles of commands.
 *
 * @module
 */
import { readCookie } from "../home/cookie.ts";
import { locateServers } from "../home/known_servers.ts";
import type { Places } from "../home/paths.ts";
import { readAdminPublicKey } from "../pki/admin_key.ts";
import { readOwnTls } from "../pki/own_tls.ts";
import type { TlsFiles } from "../pki/tls_files.ts";
import type { ServerLocations } from "../server/address_book.ts";
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
  id: string,
  { places, registry = [] }: { places: Places; registry?: readonly Address[] | undefined },
): Promise<Membership> {
  const [cookie, adminKey, tls, locations] = await Promise.all([
    readCookie(places),
    readAdminPublicKey(places),
    readOwnTls(id, places),
    locateServers(places, registry),
  ]);
  return { cookie, adminKey, tls, ...locations };
}
