/**
 * What an actor server is told when it starts, and what can be added while it runs.
 *
 * @module
 */
import type { MailboxOptions } from "../actor/mailbox.ts";
import type { Address } from "../wire/address.ts";
import type { ActorServer } from "./actor_server.ts";
import type { ServerLocations } from "./address_book.ts";
import type { Heartbeat } from "./connection.ts";
import type { TlsCredentials } from "./credentials.ts";

/** Options of {@linkcode ActorServer.start}. */
export interface ActorServerOptions extends ServerLocations {
  /** Its id. */
  readonly id: string;
  /** The ensemble's cookie; while it is being rotated, the next one and that. */
  readonly cookies: readonly Uint8Array[];
  /** The addresses to listen on. A server without any can still connect. */
  readonly listen: readonly Address[];
  /** Addresses to announce to the registry. Default: the addresses it listens on. */
  readonly announce?: readonly Address[] | undefined;
  /** Its roles. */
  readonly roles: readonly string[];
  /** Its certificate and trusted roots. Without them, it cannot use tls. */
  readonly tls?: TlsCredentials | undefined;
  /**
   * The administrators' public key; while the pair is being rotated, the next one and that. With
   * any, capabilities are enforced.
   */
  readonly adminKeys?: readonly CryptoKey[] | undefined;
  /** Reads its cookies again. Without it, they stay as they are. */
  readonly readCookies?: (() => Promise<readonly Uint8Array[]>) | undefined;
  /** Reads the administrators' public keys again. Without it, they stay as they are. */
  readonly readAdminKeys?: (() => Promise<readonly CryptoKey[]>) | undefined;
  /** Capabilities of other servers in this one, by server id, if they are enforced. */
  readonly capabilities?: Readonly<Record<string, readonly string[]>> | undefined;
  /** Whether to add it to the registry. */
  readonly register: boolean;
  /**
   * Whether it starts without the registry, if that cannot be reached or refuses it, and registers
   * as soon as it can.
   */
  readonly registerLater?: boolean | undefined;
  /** Whether it stays `starting` in the registry until {@linkcode ActorServer.ready} is called. */
  readonly holdReady?: boolean | undefined;
  /** Time that its actors have to shut down before they are ended, in ms. Default: 3000. */
  readonly grace?: number | undefined;
  /** Default timeout of asks, in ms. Default: 5000. */
  readonly askTimeout?: number | undefined;
  /** The bound of mailboxes without their own. Default: none. */
  readonly mailbox?: MailboxOptions | undefined;
  /** Heartbeat of its connections. Default: every 15 s, and closed after 60 s of silence. */
  readonly heartbeat?: Heartbeat | undefined;
  /** Cancels the start. Ignored once the server has started. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called when the server listens but accepts nothing yet, to start its permanent actors. They end
   * with the server, and cannot be shut down separately from other servers.
   */
  prepare?(server: ActorServer): void | Promise<void>;
}

/** Additions to a running server. */
export interface ServerExtension {
  /** Additional addresses to listen on. */
  readonly listen: readonly Address[];
  /** Additional roles. */
  readonly roles: readonly string[];
  /** Addresses to announce, in place of those announced before. */
  readonly announce?: readonly Address[] | undefined;
  /** The minimum time that its actors have to shut down, in ms. */
  readonly grace: number;
}
