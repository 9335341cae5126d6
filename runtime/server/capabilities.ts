/**
 * Capabilities: what servers may do inside this one.
 *
 * Without an administrator's public key there is nothing to enforce: whoever has the cookie may do
 * everything. With it, what is sensitive takes a capability. Actors of this server have them all.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { parseCapability } from "../actor/capability.ts";
import type { Envelope } from "../actor/envelope.ts";
import type { ServerId } from "../actor/server_id.ts";
import { AuthorizationError, InvalidInputError } from "../errors.ts";
import { type Elevation, elevationText } from "./elevation_text.ts";
import type { Bytes } from "./handshake_messages.ts";
import { sameInstance, SIGNATURE_LENGTH } from "./instance.ts";
import { Session } from "./session.ts";

const logger = getLogger(["gxensemble", "audit"]);

/** The capability that implies all others. */
export const ADMIN = "admin";

/** How long a refused elevation is kept waiting, in ms: doubled with each that the session was refused. */
const FIRST_PENALTY = 250;
const LONGEST_PENALTY = 8_000;

/** How many capabilities can be asked for or conferred at once. */
const MOST_CAPABILITIES = 32;

/** How much of a text from outside is kept in the audit log, in characters. */
const LONGEST_DETAIL = 256;

/** Capabilities that were conferred to a server, until they are retracted or this server stops. */
export interface Delegation {
  /** The server. */
  readonly server: ServerId;
  /** Its instance: after a restart it has to be authorised again, unless it has a certificate. */
  readonly instance: Bytes;
  /** What it may do, sorted. */
  readonly capabilities: readonly string[];
  /** The server that conferred them. */
  readonly by: ServerId;
  /** When, in ms since 1970. */
  readonly since: number;
}

/** What a session was asked, and how often it failed. */
interface Challenged {
  pending: Pick<Elevation, "capabilities" | "nonce"> | undefined;
  failures: number;
}

/** The capabilities inside one server. */
export class Capabilities {
  readonly #adminKey: CryptoKey | undefined;
  readonly #self: { readonly id: ServerId; readonly instance: Bytes };
  readonly #challenged = new WeakMap<Session, Challenged>();
  readonly #delegations = new Map<ServerId, Delegation>();

  /** The capabilities in a server; nothing is enforced without a key. */
  constructor(
    self: { readonly id: ServerId; readonly instance: Bytes },
    adminKey: CryptoKey | undefined,
  ) {
    this.#self = self;
    this.#adminKey = adminKey;
  }

  /** Whether anything is enforced. */
  get enforced(): boolean {
    return this.#adminKey !== undefined;
  }

  /**
   * Whether whoever sent an envelope may do what takes a capability, as of now: what has been retracted, or
   * ended with its connection, is not there any more for what was sent before.
   */
  allows({ session }: Envelope, capability: string): boolean {
    if (!this.#adminKey || session === undefined) return true;
    if (!(session instanceof Session)) return false;
    return (!session.ended && has(session.capabilities, capability)) ||
      has(this.#delegated(session), capability);
  }

  /**
   * Makes sure of it, and notes the action, allowed or refused, in the audit log. `what` is the action,
   * `details` what it is done to.
   *
   * @throws {AuthorizationError} when the sender may not.
   */
  require(
    envelope: Envelope,
    capability: string,
    what: string,
    details: Record<string, unknown> = {},
  ): void {
    const allowed = this.allows(envelope, capability);
    this.#note(envelope.session, what, allowed ? "allowed" : "refused", details);
    if (!allowed) {
      throw new AuthorizationError(
        `${envelope.source.server} is not authorized for ${what} in ${this.#self.id}: it takes the ` +
          `capability ${capability}`,
      );
    }
  }

  /** Starts an elevation: gives the nonce that the administrator's signature has to cover. */
  challenge({ session }: Envelope, capabilities: string[]): Bytes {
    const sorted = checkCapabilities(capabilities);
    const nonce = crypto.getRandomValues(new Uint8Array(32));
    if (session instanceof Session) {
      this.#challengedOf(session).pending = { capabilities: sorted, nonce };
    }
    return nonce;
  }

  /**
   * Ends an elevation: with the administrator's signature the session has the capabilities that the
   * challenge was for, as long as it lasts. A challenge can be answered once.
   *
   * @throws {AuthorizationError} when the signature is not that, after a pause that grows.
   */
  async elevate({ session, source }: Envelope, signature: Uint8Array): Promise<void> {
    if (!this.#adminKey || !(session instanceof Session)) return;
    const challenged = this.#challengedOf(session);
    const { pending } = challenged;
    challenged.pending = undefined;
    const capabilities = pending?.capabilities ?? [];
    // Of the right size first: what came over the wire may be anything, and a number would be taken for one.
    const isSignature = signature instanceof Uint8Array && signature.length === SIGNATURE_LENGTH;
    if (pending && isSignature && await this.#isSigned(session, pending, signature)) {
      for (const capability of pending.capabilities) session.capabilities.add(capability);
      this.#note(session, "elevation", "allowed", { capabilities });
      return;
    }
    const penalty = Math.min(FIRST_PENALTY * 2 ** challenged.failures++, LONGEST_PENALTY);
    this.#note(session, "elevation", "refused", { capabilities });
    await new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, penalty) as never));
    throw new AuthorizationError(
      `${this.#self.id} refuses to elevate ${source.server}: no valid signature of the administrator`,
    );
  }

  /** Confers capabilities to the instance of a server, in place of those that it had. */
  delegate(delegation: Omit<Delegation, "since">): void {
    const capabilities = checkCapabilities(delegation.capabilities);
    this.#delegations.set(delegation.server, { ...delegation, capabilities, since: Date.now() });
  }

  /** Takes back what was conferred to a server; says whether there was anything. */
  retract(server: ServerId): boolean {
    return this.#delegations.delete(server);
  }

  /** What is conferred, sorted by server. */
  delegations(): Delegation[] {
    return [...this.#delegations.values()].sort((a, b) => a.server < b.server ? -1 : 1);
  }

  #delegated({ peer, instance, certified }: Session): readonly string[] {
    const delegation = this.#delegations.get(peer);
    if (!delegation) return [];
    // The certificate of consoles is for many ids: it makes nobody the one of them that is meant.
    const same = certified?.id === peer || sameInstance(delegation.instance, instance);
    return same ? delegation.capabilities : [];
  }

  #challengedOf(session: Session): Challenged {
    let challenged = this.#challenged.get(session);
    if (!challenged) {
      this.#challenged.set(session, challenged = { pending: undefined, failures: 0 });
    }
    return challenged;
  }

  async #isSigned(
    session: Session,
    { capabilities, nonce }: Pick<Elevation, "capabilities" | "nonce">,
    signature: Uint8Array,
  ): Promise<boolean> {
    const text = elevationText({
      server: this.#self.id,
      serverInstance: this.#self.instance,
      client: session.peer,
      clientInstance: session.instance,
      capabilities,
      nonce,
      binding: session.binding,
    });
    // A copy: what came over the wire may be a view of something larger.
    const bytes = new Uint8Array(signature);
    return await crypto.subtle.verify("Ed25519", this.#adminKey!, bytes, text);
  }

  #note(
    session: object | undefined,
    what: string,
    result: "allowed" | "refused",
    details: Record<string, unknown>,
  ): void {
    if (!this.#adminKey) return;
    const who = session instanceof Session
      ? {
        who: session.peer,
        transport: session.address.kind,
        ...(session.certified && { certificate: session.certified.serial }),
      }
      : { who: this.#self.id, transport: "local" };
    const shortened = Object.entries(details).map(([key, value]) => [key, shorten(value)]);
    const properties = { ...who, what, result, ...Object.fromEntries(shortened) };
    if (result === "refused") logger.warn("{what} {result}", properties);
    else logger.info("{what} {result}", properties);
  }
}

function has(capabilities: Iterable<string>, capability: string): boolean {
  for (const each of capabilities) if (each === ADMIN || each === capability) return true;
  return false;
}

/**
 * Makes sure that these are capabilities; gives them without repetition and sorted, so that both sides of an
 * elevation write them the same.
 *
 * @throws {InvalidInputError} when they are not.
 */
export function checkCapabilities(capabilities: unknown): string[] {
  if (!Array.isArray(capabilities) || capabilities.length === 0) {
    throw new InvalidInputError("no capabilities are given");
  }
  if (capabilities.length > MOST_CAPABILITIES) {
    throw new InvalidInputError(
      `${capabilities.length} capabilities are too many: up to ${MOST_CAPABILITIES} are taken`,
    );
  }
  return [...new Set(capabilities.map(parseCapability))].sort();
}

/** What a peer sends is not to fill the log. */
function shorten(value: unknown): unknown {
  return typeof value === "string" && value.length > LONGEST_DETAIL
    ? `${value.slice(0, LONGEST_DETAIL)}...`
    : value;
}
