/**
 * The data that a process needs to join the ensemble, from its host's files and environment, for
 * servers and for consoles.
 *
 * @module
 */
import { checkServerId } from "../actor/references.ts";
import { cookieFrom, readCookies } from "../home/cookie.ts";
import type { KnownServers } from "../home/known_servers.ts";
import { locateServers } from "../home/server_locations.ts";
import type { Places } from "../home/paths.ts";
import { importAdminPublicKey, readAdminPublicKeys } from "../pki/admin_key.ts";
import { readGivenTls, readOwnTls } from "../pki/own_tls.ts";
import type { TlsFiles } from "../pki/tls_files.ts";
import type { ServerLocations } from "../server/address_book.ts";
import { type Address, readAddresses } from "../wire/address.ts";
import type { StartServerOptions } from "./start_options.ts";

/** The data that makes a process a member of the ensemble. */
export interface Membership extends ServerLocations {
  /** The ensemble's cookie; while it is being rotated, the next one and that. */
  readonly cookies: readonly Uint8Array[];
  /** The administrators' public keys, if capabilities are enforced. */
  readonly adminKeys: readonly CryptoKey[];
  /** Reads the cookies again; undefined if the options gave the cookie. */
  readonly readCookies: (() => Promise<Uint8Array[]>) | undefined;
  /** Reads the administrators' public keys again; undefined if the options gave the key. */
  readonly readAdminKeys: (() => Promise<CryptoKey[]>) | undefined;
  /** Its certificate and trusted roots, if any. */
  readonly tls: TlsFiles | undefined;
}

/**
 * Makes the id of a transient server: `console-7f3a...`. It is random, so that any number of them
 * can run at once.
 */
export function transientId(kind: string): string {
  return `${kind}-${crypto.randomUUID().slice(0, 13)}`;
}

/** The options that replace files. */
export type MembershipOptions =
  & Pick<
    StartServerOptions,
    "cookie" | "certificates" | "adminKey" | "knownServers"
  >
  & { readonly registry?: readonly (Address | string)[] | undefined };

/**
 * Reads what a server needs to join the ensemble: from the options, or else from the files of the
 * host.
 *
 * @param options.registry the registry's addresses; if empty, those found by {@linkcode
 * locateServers}.
 * @throws {EnsembleError} if there is no cookie, or a file cannot be read or is not valid.
 * @throws {InvalidInputError} if an option is not valid.
 */
export async function readMembership(
  id: string,
  places: Places,
  options: MembershipOptions,
): Promise<Membership> {
  const { certificates } = options;
  const { cookie, adminKey } = options;
  const ofFile = {
    readCookies: cookie === undefined ? () => readCookies(places) : undefined,
    readAdminKeys: adminKey === undefined ? () => readAdminPublicKeys(places) : undefined,
  };
  const [cookies, adminKeys, tls, locations] = await Promise.all([
    cookie === undefined ? readCookies(places) : [cookieFrom(cookie)],
    adminKey === undefined ? readAdminPublicKeys(places) : givenAdminKeys(adminKey),
    certificates ? readGivenTls(id, certificates) : readOwnTls(id, places),
    locateServers(places, {
      registry: readAddresses(options.registry),
      known: options.knownServers && readKnownServers(options.knownServers),
    }),
  ]);
  return { cookies, adminKeys, ...ofFile, tls, ...locations };
}

async function givenAdminKeys(given: string | false): Promise<CryptoKey[]> {
  return given === false ? [] : [await importAdminPublicKey(given)];
}

function readKnownServers(servers: Readonly<Record<string, readonly string[]>>): KnownServers {
  return new Map(
    Object.entries(servers).map(([id, addresses]) => [checkServerId(id), readAddresses(addresses)]),
  );
}
