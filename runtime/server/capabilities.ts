/**
 * Capabilities: the permissions of other servers in this one.
 *
 * Over tls, a peer has the capabilities in its certificate, and those granted to it here. Over unix
 * and tcp, without an administrator's public key, every holder of the cookie may do everything.
 * With it, privileged actions require a capability there, too. Actors of this server have them all.
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

/** The capability to load and evaluate code. */
export const LOADER = "loader";

/** The capability to see what a server does: its state, its log, the messages of its actors. */
export const OBSERVER = "observer";

/** The authenticated peer of a connection, and its capabilities. */
export class Session {
  /** The peer's id. */
  readonly peer: string;
  /** The peer's instance. */
  readonly instance: Bytes;
  /** The address at which the peer was reached, or from which it connected. */
  readonly address: Address;
  /**
   * The SHA-256 of the handshake: the same bytes at both ends of this connection, and unique to it.
   */
  readonly binding: Bytes;
  /** The contents of its certificate, on a connection with one. */
  readonly certified: Certified | undefined;
  /** The id of the supervisor whose tunnel the connection goes through. */
  readonly via: string | undefined;
  /** Whether the peer did not have the newest cookie of this server when it connected. */
  readonly isBehind: boolean;
  /** Capabilities of the peer on this connection. */
  readonly capabilities: Set<string>;
  /**
   * The fingerprint of the administrators' key, after the peer has proved that it has the private
   * key.
   */
  administrator: string | undefined;
  /** The user according to the peer: `user@host`. It is not proved. */
  claimed: string | undefined;
  /** Those of its capabilities that it has only by elevation. */
  readonly #elevated = new Set<string>();
  /** Number of times its capabilities were revoked. */
  retractions = 0;
  /** Whether the connection has ended, and with it the peer's capabilities. */
  ended = false;
  /**
   * Whether the peer has left the registry: its id may pass to another although the connection is
   * still open.
   */
  left = false;

  /** Creates the session of a peer with the capabilities in its certificate. */
  constructor(
    options: {
      peer: string;
      instance: Bytes;
      certified: Certified | undefined;
      address: Address;
      binding: Bytes;
      via?: string | undefined;
      isBehind?: boolean;
    },
  ) {
    this.peer = options.peer;
    this.instance = options.instance;
    this.certified = options.certified;
    this.capabilities = new Set(options.certified?.capabilities);
    this.address = options.address;
    this.binding = options.binding;
    this.via = options.via;
    this.isBehind = options.isBehind ?? false;
  }

  /** Adds capabilities, which an administrator's key with this fingerprint gives. */
  elevate(capabilities: readonly string[], administrator: string): void {
    for (const capability of capabilities) {
      if (this.capabilities.has(capability)) continue;
      this.capabilities.add(capability);
      this.#elevated.add(capability);
    }
    this.administrator = administrator;
  }

  /** Revokes the capabilities that it has by elevation, because that key is no longer valid. */
  endElevation(): void {
    for (const capability of this.#elevated) this.capabilities.delete(capability);
    this.#elevated.clear();
    this.administrator = undefined;
    this.retractions++;
  }

  /** Revokes its capabilities. An elevation that began earlier must not complete after this. */
  retract(): void {
    this.capabilities.clear();
    this.#elevated.clear();
    this.administrator = undefined;
    this.retractions++;
  }
}

/**
 * The session of the connection that an envelope arrived on; undefined if it comes from an actor of
 * this server.
 */
export function sessionOf({ session }: Pick<Envelope, "session">): Session | undefined {
  // Only connections set it.
  return session as Session | undefined;
}

/** The grantor of capabilities that a server was started with. */
const BY_OPTIONS = "options";

/** Capabilities granted to a server, until they are retracted or this server stops. */
export interface Delegation {
  /** The server. */
  readonly server: string;
  /**
   * Its instance: after a restart it has to be authorized again, unless it has a certificate.
   * Absent for any instance.
   */
  readonly instance?: Bytes | undefined;
  /** The capabilities, sorted. */
  readonly capabilities: readonly string[];
  /** The grantor, as in the audit log: `admin:1f2e3d4c5b6a7988`; or {@linkcode BY_OPTIONS}. */
  readonly by: string;
  /** The time, in ms since 1970. */
  readonly since: number;
}

/** An action that requires a capability. */
export interface PrivilegedAction {
  /** The capability. */
  readonly capability: string;
  /** The name of the action in the audit log. */
  readonly what: string;
  /** The target of the action, as fields of the audit log. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The outcome of an action. */
type Outcome = "allowed" | "failed" | "refused";

/** The outcome of a retraction. */
export interface Retraction {
  /** The capabilities that were revoked, sorted. */
  readonly retracted: readonly string[];
  /** Those that its certificate grants again on its next connection, sorted. */
  readonly returning: readonly string[];
}

/** The capabilities inside one server. */
export class Capabilities {
  /** Whether capabilities are enforced on connections without certificates (unix, tcp). */
  readonly administered: boolean;
  readonly #self: { readonly id: string; readonly instance: Bytes };
  readonly #lines: LineLimit;
  readonly #delegations = new Map<string, Delegation>();
  /**
   * The capabilities that this server was started with, by server id: they are for any instance.
   */
  readonly #given = new Map<string, Delegation>();

  /**
   * Creates the capabilities in a server.
   *
   * @param options.administered whether there is an administrators' public key.
   * @param options.lines limits the refusals that are logged.
   * @param options.given the capabilities of servers by id, until they are retracted.
   * @throws {InvalidInputError} if `given` contains an invalid server id or capability.
   */
  constructor(
    self: { readonly id: string; readonly instance: Bytes },
    { administered, lines, given = {} }: {
      administered: boolean;
      lines: LineLimit;
      given?: Readonly<Record<string, readonly string[]>> | undefined;
    },
  ) {
    for (const [server, capabilities] of Object.entries(given)) {
      this.#given.set(checkServerId(server), {
        server,
        capabilities: checkCapabilities([...capabilities]),
        by: BY_OPTIONS,
        since: Date.now(),
      });
    }
    this.#self = self;
    this.administered = administered;
    this.#lines = lines;
  }

  /** Whether capabilities are enforced on the connection that an envelope arrived on. */
  enforces(envelope: Pick<Envelope, "session">): boolean {
    return this.administered || sessionOf(envelope)?.certified !== undefined;
  }

  /**
   * Whether the sender of an envelope has a capability now. Capabilities that were revoked, or
   * ended with the connection, do not count, even if the message was sent before.
   *
   * @throws {InvalidInputError} if it is not a capability, since a misspelled one would always be
   * refused.
   */
  allows(envelope: Envelope, capability: string): boolean {
    parseCapability(capability);
    const session = sessionOf(envelope);
    if (!session || !this.enforces(envelope)) return true;
    return (!session.ended && has(session.capabilities, capability)) ||
      has(this.#delegated(session), capability);
  }

  /**
   * Checks that the sender of an envelope has a capability, and writes the audit log, allowed or
   * refused.
   *
   * @throws {NotAuthorizedError} if it has not.
   */
  require(envelope: Envelope, action: PrivilegedAction): void {
    this.attempt(envelope, { ...action, work: () => {} });
  }

  /**
   * The same for an action that may fail: it is logged when done, as allowed or failed.
   *
   * @param options.failure returns why the result of `work` is a failure; undefined if it is not one.
   * @throws {NotAuthorizedError} if the sender lacks the capability; and whatever `work` throws.
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

  /** Grants capabilities to the instance of a server, in place of those that it had. */
  delegate(delegation: Omit<Delegation, "since"> & { readonly instance: Bytes }): void {
    const capabilities = checkCapabilities(delegation.capabilities);
    this.#delegations.set(delegation.server, { ...delegation, capabilities, since: Date.now() });
  }

  /**
   * Revokes everything that a server may do here now: delegations, and the capabilities of its
   * current connection.
   */
  retract(server: string, session: Session | undefined): Retraction {
    const conferred = [
      ...this.#delegations.get(server)?.capabilities ?? [],
      ...this.#given.get(server)?.capabilities ?? [],
    ];
    const retracted = [...new Set([...conferred, ...session?.capabilities ?? []])].sort();
    this.#delegations.delete(server);
    this.#given.delete(server);
    session?.retract();
    return { retracted, returning: [...session?.certified?.capabilities ?? []] };
  }

  /**
   * The granted capabilities, sorted by server. A server can have capabilities from the start, and
   * others granted later.
   */
  delegations(): Delegation[] {
    return [...this.#given.values(), ...this.#delegations.values()]
      .sort((a, b) => a.server < b.server ? -1 : a.server > b.server ? 1 : 0);
  }

  /**
   * Names the sender, for {@linkcode Delegation.by} and the audit log, by its strongest proof: the
   * administrators' key, a certificate, or only the instance key.
   */
  grantor(session: Session | undefined): string {
    if (!session) return `instance:${shortInstance(this.#self.instance)}`;
    const { administrator, certified, instance } = session;
    if (administrator !== undefined) return `admin:${administrator}`;
    return certified ? `certificate:${certified.id}` : `instance:${shortInstance(instance)}`;
  }

  #delegated({ peer, instance, certified, via }: Session): readonly string[] {
    // Nothing shows that the id is its own: it must be elevated on this connection.
    if (via !== undefined) return [];
    const delegation = this.#delegations.get(peer);
    const given = this.#given.get(peer);
    if (!delegation && !given) return [];
    // All consoles share a certificate, so it does not identify a server.
    const isCertified = certified?.id === peer;
    const isSame = isCertified ||
      delegation?.instance && sameInstance(delegation.instance, instance);
    return [
      ...isSame ? delegation?.capabilities ?? [] : [],
      ...isCertified || !certified ? given?.capabilities ?? [] : [],
    ];
  }

  /**
   * Writes the outcome of an action to the audit log, if capabilities are enforced.
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

  /** Describes the sender: its proof, id, claimed user and transport. */
  #describe(session: Session | undefined): {
    who: string;
    client: string;
    transport: string;
    via?: string;
  } {
    const who = this.grantor(session);
    if (!session) return { who, client: this.#self.id, transport: "local" };
    const { peer, claimed, address, certified, via } = session;
    return {
      who,
      client: peer,
      ...(claimed !== undefined && { claimed }),
      transport: address.kind,
      ...(via !== undefined && { via }),
      ...(certified && { certificate: certified.serial }),
    };
  }
}

function has(capabilities: Iterable<string>, capability: string): boolean {
  for (const each of capabilities) if (each === ADMIN || each === capability) return true;
  return false;
}
