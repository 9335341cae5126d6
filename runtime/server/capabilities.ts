/**
 * Capabilities: what servers may do inside this one.
 *
 * Over tls a peer may do what its certificate says, and what it was given here besides. Over unix and tcp
 * there is nothing to enforce without an administrator's public key: whoever has the cookie may do everything.
 * With it, what is sensitive takes a capability there too. Actors of this server have them all.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Envelope } from "../actor/messaging.ts";
import { checkServerId } from "../actor/references.ts";
import { NotAuthorizedError } from "../errors.ts";
import type { LineLimit } from "../line_limit.ts";
import { shorten } from "../safe_text.ts";
import type { Address } from "../wire/address.ts";
import { checkCapabilities, parseCapability } from "./capability_names.ts";
import { type Bytes, type Certified, sameInstance, shortInstance } from "./credentials.ts";

const logger = getLogger(["gxensemble", "audit"]);

/** The capability that implies all others. */
export const ADMIN = "admin";

/** What is known of the peer of one connection, and what it has been allowed. */
export class Session {
  /** The peer's id. */
  readonly peer: string;
  /** The peer's instance. */
  readonly instance: Bytes;
  /** Where the peer was reached, or where it came from. */
  readonly address: Address;
  /** The same bytes at both ends of this connection, and at no other: SHA-256 of the handshake. */
  readonly binding: Bytes;
  /** What its certificate says, on a connection that has one. */
  readonly certified: Certified | undefined;
  /** What the peer may do besides what everybody may; it ends with the connection. */
  readonly capabilities: Set<string>;
  /** The fingerprint of the administrators' key, once the peer has proved that it has the private half. */
  administrator: string | undefined;
  /** Who the peer says is at work: `user@host`. Nothing proves it. */
  claimed: string | undefined;
  /** How often what it was allowed has been taken back. */
  retractions = 0;
  /** Whether the connection is over, and with it what the peer was allowed on it. */
  ended = false;
  /** Whether the peer has left the registry: its id may pass on though the connection still stands. */
  left = false;

  /** A session of a peer that may do what its certificate says. */
  constructor(
    options: {
      peer: string;
      instance: Bytes;
      certified: Certified | undefined;
      address: Address;
      binding: Bytes;
    },
  ) {
    this.peer = options.peer;
    this.instance = options.instance;
    this.certified = options.certified;
    this.capabilities = new Set(options.certified?.capabilities);
    this.address = options.address;
    this.binding = options.binding;
  }

  /** Takes back what was allowed. An elevation that began earlier must not complete after this. */
  retract(): void {
    this.capabilities.clear();
    this.administrator = undefined;
    this.retractions++;
  }
}

/** The session of the connection that an envelope came by; undefined when it is from an actor of this server. */
export function sessionOf({ session }: Pick<Envelope, "session">): Session | undefined {
  // Only connections set it.
  return session as Session | undefined;
}

/** Capabilities that were conferred to a server, until they are retracted or this server stops. */
export interface Delegation {
  /** The server. */
  readonly server: string;
  /** Its instance: after a restart it has to be authorised again, unless it has a certificate. */
  readonly instance: Bytes;
  /** What it may do, sorted. */
  readonly capabilities: readonly string[];
  /** Who conferred them, as the audit log names it: `admin:1f2e3d4c5b6a7988`. */
  readonly by: string;
  /** When, in ms since 1970. */
  readonly since: number;
}

/** What takes a capability. */
export interface PrivilegedAction {
  /** The capability. */
  readonly capability: string;
  /** The action, as the audit log calls it. */
  readonly what: string;
  /** What it is done to, in fields of the audit log. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The outcome of an action. */
type Outcome = "allowed" | "failed" | "refused";

/** The outcome of a retraction. */
export interface Retraction {
  /** The capabilities that the server had here, sorted. */
  readonly retracted: readonly string[];
  /** Those that its certificate gives back on its next connection, sorted. */
  readonly returning: readonly string[];
}

/** The capabilities inside one server. */
export class Capabilities {
  /** Whether anything is enforced on connections that certify nobody: those over unix and tcp. */
  readonly administered: boolean;
  readonly #self: { readonly id: string; readonly instance: Bytes };
  readonly #lines: LineLimit;
  readonly #delegations = new Map<string, Delegation>();
  /** What servers may do by their ids, whichever instance it is. */
  readonly #given = new Map<string, readonly string[]>();

  /**
   * The capabilities in a server.
   *
   * @param options.lines says which refusals are logged.
   * @param options.given what servers may do by their ids, until it is retracted.
   * @throws {InvalidInputError} when `given` holds what is no server id or no capability.
   */
  constructor(
    self: { readonly id: string; readonly instance: Bytes },
    { adminKey, lines, given = {} }: {
      adminKey: CryptoKey | undefined;
      lines: LineLimit;
      given?: Readonly<Record<string, readonly string[]>> | undefined;
    },
  ) {
    for (const [server, capabilities] of Object.entries(given)) {
      this.#given.set(checkServerId(server), checkCapabilities([...capabilities]));
    }
    this.#self = self;
    this.administered = adminKey !== undefined;
    this.#lines = lines;
  }

  /** Whether anything is enforced on what comes by the connection that an envelope came by. */
  enforces(envelope: Pick<Envelope, "session">): boolean {
    return this.administered || sessionOf(envelope)?.certified !== undefined;
  }

  /**
   * Whether the sender of an envelope may do what takes a capability, as of now: what has been retracted, or
   * ended with its connection, is not there any more for what was sent before.
   *
   * @throws {InvalidInputError} when it is no capability: one that is misspelt would be refused to everybody.
   */
  allows(envelope: Envelope, capability: string): boolean {
    parseCapability(capability);
    const session = sessionOf(envelope);
    if (!session || !this.enforces(envelope)) return true;
    return (!session.ended && has(session.capabilities, capability)) ||
      has(this.#delegated(session), capability);
  }

  /**
   * Makes sure that the sender of an envelope may do something, and notes it in the audit log, allowed or refused.
   *
   * @throws {NotAuthorizedError} when the sender may not.
   */
  require(envelope: Envelope, action: PrivilegedAction): void {
    this.attempt(envelope, { ...action, work: () => {} });
  }

  /**
   * The same for an action that may fail: it is noted once it is done, as allowed or as failed.
   *
   * @param options.failure says why the result of `work` is a failure; undefined when it is none.
   * @throws {NotAuthorizedError} when the sender may not; and what `work` throws.
   */
  attempt<Result>(
    envelope: Envelope,
    { work, failure, ...action }: PrivilegedAction & {
      readonly work: () => Result;
      readonly failure?: (result: Awaited<Result>) => string | undefined;
    },
  ): Result {
    const session = sessionOf(envelope);
    const { capability, what } = action;
    if (!this.allows(envelope, capability)) {
      this.note(session, "refused", action);
      const lack = this.administered ? "" : ", which its certificate does not give";
      throw new NotAuthorizedError(
        `${envelope.source.server} is not authorized for ${what} in ${this.#self.id}: it takes the ` +
          `capability ${capability}${lack}`,
      );
    }
    const noteFailure = (reason: string) =>
      this.note(session, "failed", { ...action, details: { ...action.details, reason } });
    const fail = (error: unknown): never => {
      noteFailure(error instanceof Error ? error.message : String(error));
      throw error;
    };
    const succeed = (value: Awaited<Result>) => {
      const reason = failure?.(value);
      if (reason === undefined) this.note(session, "allowed", action);
      else noteFailure(reason);
      return value;
    };
    let result: Result;
    try {
      result = work();
    } catch (error) {
      return fail(error);
    }
    if (result instanceof Promise) return result.then(succeed, fail) as Result;
    return succeed(result as Awaited<Result>);
  }

  /** Confers capabilities to the instance of a server, in place of those that it had. */
  delegate(delegation: Omit<Delegation, "since">): void {
    const capabilities = checkCapabilities(delegation.capabilities);
    this.#delegations.set(delegation.server, { ...delegation, capabilities, since: Date.now() });
  }

  /** Ends everything that a server may do here now: delegations, and what its current connection has. */
  retract(server: string, session: Session | undefined): Retraction {
    const conferred = [
      ...this.#delegations.get(server)?.capabilities ?? [],
      ...this.#given.get(server) ?? [],
    ];
    const retracted = [...new Set([...conferred, ...session?.capabilities ?? []])].sort();
    this.#delegations.delete(server);
    this.#given.delete(server);
    session?.retract();
    return { retracted, returning: [...session?.certified?.capabilities ?? []] };
  }

  /** What is conferred, sorted by server. */
  delegations(): Delegation[] {
    return [...this.#delegations.values()].sort((a, b) => a.server < b.server ? -1 : 1);
  }

  /**
   * Names who is at work, for {@linkcode Delegation.by} and the audit log, by the strongest proof that it gave: the
   * administrators' key, a certificate, or only that it is a running instance.
   */
  grantor(session: Session | undefined): string {
    if (!session) return `instance:${shortInstance(this.#self.instance)}`;
    const { administrator, certified, instance } = session;
    if (administrator !== undefined) return `admin:${administrator}`;
    return certified ? `certificate:${certified.id}` : `instance:${shortInstance(instance)}`;
  }

  #delegated({ peer, instance, certified }: Session): readonly string[] {
    const delegation = this.#delegations.get(peer);
    const given = this.#given.get(peer);
    if (!delegation && !given) return [];
    // The certificate of consoles is for many ids: it makes nobody the one of them that is meant.
    const isCertified = certified?.id === peer;
    const isSame = isCertified || delegation && sameInstance(delegation.instance, instance);
    return [
      ...isSame ? delegation?.capabilities ?? [] : [],
      ...isCertified || !certified ? given ?? [] : [],
    ];
  }

  /**
   * Notes the outcome of an action in the audit log, where anything is enforced.
   *
   * @internal
   */
  note(
    session: Session | undefined,
    result: Outcome,
    { what, details = {} }: Pick<PrivilegedAction, "what" | "details">,
  ): void {
    if (!this.enforces({ session })) return;
    const shortened = Object.entries(details).map(([key, value]) => [
      key,
      typeof value === "string" ? shorten(value) : value,
    ]);
    const properties = {
      ...this.#describe(session),
      what,
      result,
      ...Object.fromEntries(shortened),
    };
    if (result !== "refused") return logger.info("{what} {result}", properties);
    if (this.#lines.allows(properties.client, `refusals of ${what}`)) {
      logger.warn("{what} {result}", properties);
    }
  }

  /** Who is at work: what it has proved, the id that it goes by, who it says that it is, and how it came. */
  #describe(session: Session | undefined): { who: string; client: string; transport: string } {
    const who = this.grantor(session);
    if (!session) return { who, client: this.#self.id, transport: "local" };
    const { peer, claimed, address, certified } = session;
    return {
      who,
      client: peer,
      ...(claimed !== undefined && { claimed }),
      transport: address.kind,
      ...(certified && { certificate: certified.serial }),
    };
  }
}

function has(capabilities: Iterable<string>, capability: string): boolean {
  for (const each of capabilities) if (each === ADMIN || each === capability) return true;
  return false;
}
