/**
 * The shared secrets that a running server can exchange: the cookies, and the administrators' public
 * keys by which it elevates.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import type { ActorServerOptions } from "./actor_server_options.ts";
import type { Session } from "./capabilities.ts";
import type { CookieKeys } from "./cookie_keys.ts";
import type { Elevations } from "./elevation.ts";

/** The secrets that a server uses now. */
export interface SecretsInUse {
  /** The fingerprints of its cookies, the newest first. */
  readonly cookies: readonly string[];
  /** The fingerprints of the administrators' public keys, the newest first; none if it enforces no capabilities. */
  readonly adminKeys: readonly string[];
  /** Those that its program gives, so that it does not read them from files. */
  readonly given: readonly ("cookie" | "adminKey")[];
  /** The connected peers that did not have its newest cookie when they connected, sorted. */
  readonly behind: readonly string[];
}

/** How often the cookies are read again because a handshake has failed, in ms. */
const RECHECK_INTERVAL = 10_000;

/** The parts of a server that use its secrets. */
interface Users {
  readonly cookies: CookieKeys;
  readonly elevations: Elevations;
  readonly router: { sessions(): readonly Session[]; onRefused(): Promise<boolean> };
}

/** The secrets of a server. */
export class ServerSecrets {
  readonly #options: Pick<ActorServerOptions, "id" | "readCookies" | "readAdminKeys">;
  readonly #users: Users;
  #rereading: Promise<unknown> = Promise.resolve();
  #recheckedAt = -Infinity;

  /** Those of a server with these options. */
  constructor(
    options: Pick<ActorServerOptions, "id" | "readCookies" | "readAdminKeys">,
    users: Users,
  ) {
    this.#options = options;
    this.#users = users;
    users.router.onRefused = () => this.#recheck();
  }

  /** Those that it uses now. */
  async inUse(): Promise<SecretsInUse> {
    const { readCookies, readAdminKeys } = this.#options;
    const { cookies, elevations, router } = this.#users;
    return {
      cookies: cookies.fingerprints,
      adminKeys: await elevations.fingerprints(),
      given: [
        ...readCookies ? [] : ["cookie" as const],
        ...readAdminKeys ? [] : ["adminKey" as const],
      ],
      behind: router.sessions().flatMap(({ isBehind, peer }) => isBehind ? peer : []).sort(),
    };
  }

  /**
   * Reads them again. They apply to new connections and elevations. Whether capabilities are
   * enforced stays as it was at the start.
   *
   * @throws {EnsembleError} if a file cannot be read or is not valid; then all stay in use.
   */
  reread(): Promise<SecretsInUse> {
    // One after the other, so that the last one reads what is there after all requests.
    const reread = this.#rereading.then(() => this.#reread());
    this.#rereading = reread.catch(() => {});
    return reread;
  }

  /**
   * Reads the cookies again after a handshake has failed: they may have been replaced without this
   * server being told, as one that is in no registry. Resolves to whether they were.
   */
  async #recheck(): Promise<boolean> {
    const { readCookies } = this.#options;
    const { cookies } = this.#users;
    // Peers cause this, so it must cost nothing.
    if (!readCookies || performance.now() < this.#recheckedAt + RECHECK_INTERVAL) return false;
    this.#recheckedAt = performance.now();
    const before = cookies.fingerprints.join();
    const recheck = this.#rereading.then(async () => await cookies.replace(await readCookies()));
    this.#rereading = recheck.catch(() => {});
    try {
      await recheck;
      return cookies.fingerprints.join() !== before;
    } catch {
      return false;
    }
  }

  async #reread(): Promise<SecretsInUse> {
    const { id, readCookies, readAdminKeys } = this.#options;
    const { cookies, elevations, router } = this.#users;
    const [readAgain, adminKeys] = await Promise.all([readCookies?.(), readAdminKeys?.()]);
    if (adminKeys?.length === 0 && elevations.administered) {
      throw new EnsembleError(
        `the administrators' public key is gone from the host of ${id}: it keeps the one that it has; copy ` +
          `admin.pub there again`,
      );
    }
    if (readAgain) await cookies.replace(readAgain);
    if (adminKeys && elevations.administered) {
      await elevations.replaceKeys(adminKeys, router.sessions());
    }
    return await this.inUse();
  }
}
