/**
 * Elevation: a client proves that it has the administrators' key, and gets capabilities in this
 * server.
 *
 * The server sends a challenge. The administrator signs it together with its context, so that the
 * signature is useless elsewhere or later. The capabilities end with the connection.
 *
 * @module
 */
import type { Envelope } from "../actor/messaging.ts";
import { NotAuthorizedError } from "../errors.ts";
import { publicKeyFingerprint, shortFingerprint } from "./credentials.ts";
import { type Capabilities, type Session, sessionOf } from "./capabilities.ts";
import { checkCapabilities, MAX_CAPABILITIES } from "./capability_names.ts";
import type { Bytes } from "./credentials.ts";

/**
 * The delay of the first refused elevation, in ms. It doubles with each further refusal of the
 * session.
 */
const FIRST_PENALTY = 250;
const LONGEST_PENALTY = 8_000;

/** The refusal of a server that has no administrators' key. */
const GOES_BY_CERTIFICATES =
  "it has no administrators' public key, and accepts only certificates: use one with the " +
  "capability (gxensemble ca cert --capabilities), or set an administrator up";

/** The length of a challenge, in bytes. */
export const CHALLENGE_LENGTH = 32;

/** The challenge of a session, and its number of failures. */
interface Challenged {
  pending: Pick<Elevation, "capabilities" | "nonce"> & { readonly retractions: number } | undefined;
  failures: number;
  /** Whether an attempt is pending: its signature is being checked, or its refusal delayed. */
  busy: boolean;
}

/** The elevations in a server. */
export class Elevations {
  readonly #self: { readonly id: string; readonly instance: Bytes };
  #adminKeys: readonly CryptoKey[];
  readonly #capabilities: Capabilities;
  readonly #challenged = new WeakMap<Session, Challenged>();

  /**
   * Creates them for a server with these administrators' public keys: two while the pair is being
   * rotated.
   */
  constructor(
    self: { readonly id: string; readonly instance: Bytes },
    { adminKeys, capabilities }: {
      adminKeys: readonly CryptoKey[];
      capabilities: Capabilities;
    },
  ) {
    this.#self = self;
    this.#adminKeys = adminKeys;
    this.#capabilities = capabilities;
  }

  /** Whether there are administrators. */
  get administered(): boolean {
    return this.#adminKeys.length > 0;
  }

  /** The fingerprints of the administrators' public keys, the newest first. */
  async fingerprints(): Promise<string[]> {
    return await Promise.all(this.#adminKeys.map(publicKeyFingerprint));
  }

  /**
   * Takes other public keys in place of those it has. What sessions have by a key that is no longer
   * among them ends.
   */
  async replaceKeys(
    adminKeys: readonly CryptoKey[],
    sessions: readonly Session[],
  ): Promise<void> {
    const valid = (await Promise.all(adminKeys.map(publicKeyFingerprint))).map(shortFingerprint);
    this.#adminKeys = adminKeys;
    for (const session of sessions) {
      const { administrator } = session;
      if (administrator !== undefined && !valid.includes(administrator)) session.endElevation();
    }
  }

  /**
   * Starts an elevation. Returns the nonce to sign, or no bytes if the client has the capabilities
   * already.
   *
   * @param request.claimed the user according to the client; the audit log marks it as a claim.
   * @throws {NotAuthorizedError} if this server accepts only certificates.
   */
  challenge(
    envelope: Envelope,
    request: { readonly capabilities: readonly string[]; readonly claimed?: string | undefined },
  ): Bytes {
    const session = sessionOf(envelope);
    const capabilities = checkCapabilities(request.capabilities);
    if (!session) return new Uint8Array();
    if (request.claimed !== undefined) session.claimed = request.claimed;
    if (capabilities.every((capability) => this.#capabilities.allows(envelope, capability))) {
      return new Uint8Array();
    }
    if (!this.administered) {
      this.#capabilities.note(session, "refused", { what: "elevation", details: { capabilities } });
      throw this.#refusal(session, GOES_BY_CERTIFICATES);
    }
    const nonce = crypto.getRandomValues(new Uint8Array(CHALLENGE_LENGTH));
    this.#challengedOf(session).pending = { capabilities, nonce, retractions: session.retractions };
    return nonce;
  }

  /**
   * Ends an elevation: with a valid signature, the session has the requested capabilities until it
   * ends. A challenge can be answered once.
   *
   * @throws {NotAuthorizedError} if the signature is not valid, after a growing delay.
   */
  async elevate(envelope: Envelope, signature: Bytes): Promise<void> {
    const session = sessionOf(envelope);
    if (!session || !this.#capabilities.enforces(envelope)) return;
    const refuse = (reason: string) => this.#refusal(session, reason);
    if (!this.administered) throw refuse(GOES_BY_CERTIFICATES);
    const challenged = this.#challengedOf(session);
    // The delay must also apply to the next attempt, not only to this answer.
    if (challenged.busy) throw refuse("another attempt is still pending");
    challenged.busy = true;
    try {
      const { pending: last } = challenged;
      const pending = last?.retractions === session.retractions ? last : undefined;
      challenged.pending = undefined;
      const capabilities = pending?.capabilities ?? [];
      const signer = pending && await this.#signerOf(session, pending, signature);
      if (pending && signer) {
        const administrator = shortFingerprint(await publicKeyFingerprint(signer));
        if (!this.#adminKeys.includes(signer)) throw refuse("its key was replaced meanwhile");
        // Retracted while the signature was checked.
        if (session.retractions !== pending.retractions) {
          throw refuse("its capabilities were revoked meanwhile");
        }
        const all = session.capabilities.union(new Set(capabilities));
        if (all.size > MAX_CAPABILITIES) throw refuse(`it would have ${all.size} capabilities`);
        session.elevate(capabilities, administrator);
        this.#capabilities.note(session, "allowed", {
          what: "elevation",
          details: { capabilities },
        });
        return;
      }
      const penalty = Math.min(FIRST_PENALTY * 2 ** challenged.failures++, LONGEST_PENALTY);
      this.#capabilities.note(session, "refused", { what: "elevation", details: { capabilities } });
      await new Promise((resolve) => setTimeout(resolve, penalty).unref());
      throw refuse("not a valid signature by an administrator");
    } finally {
      challenged.busy = false;
    }
  }

  #refusal({ peer }: Session, reason: string): NotAuthorizedError {
    return new NotAuthorizedError(`${this.#self.id} refuses to elevate ${peer}: ${reason}`);
  }

  #challengedOf(session: Session): Challenged {
    let challenged = this.#challenged.get(session);
    if (!challenged) {
      challenged = { pending: undefined, failures: 0, busy: false };
      this.#challenged.set(session, challenged);
    }
    return challenged;
  }

  /** The administrators' key that an elevation is signed with; undefined if it is none of them. */
  async #signerOf(
    session: Session,
    { capabilities, nonce }: Pick<Elevation, "capabilities" | "nonce">,
    signature: Bytes,
  ): Promise<CryptoKey | undefined> {
    const text = elevationText({
      server: this.#self.id,
      serverInstance: this.#self.instance,
      client: session.peer,
      clientInstance: session.instance,
      capabilities,
      nonce,
      binding: session.binding,
    });
    const keys = this.#adminKeys;
    const signed = await Promise.all(
      keys.map((key) => crypto.subtle.verify("Ed25519", key, signature, text)),
    );
    return keys.find((_, at) => signed[at]);
  }
}

/** The data that an elevation signs, so that the signature cannot be reused elsewhere. */
export interface Elevation {
  /** The server. */
  readonly server: string;
  /** Its instance. */
  readonly serverInstance: Bytes;
  /** The client. */
  readonly client: string;
  /** Its instance. */
  readonly clientInstance: Bytes;
  /** The requested capabilities, sorted. */
  readonly capabilities: readonly string[];
  /** The server's challenge: 32 fresh bytes. */
  readonly nonce: Bytes;
  /** The binding of the connection. */
  readonly binding: Bytes;
}

const LABEL = "gxensemble 1 elevation";

/**
 * The signed bytes: each part with its length before it, so that no two elevations have the same
 * bytes.
 */
export function elevationText(elevation: Elevation): Bytes {
  const encoder = new TextEncoder();
  const parts = [
    encoder.encode(LABEL),
    encoder.encode(elevation.server),
    elevation.serverInstance,
    encoder.encode(elevation.client),
    elevation.clientInstance,
    encoder.encode(elevation.capabilities.join(" ")),
    elevation.nonce,
    elevation.binding,
  ];
  const text = new Uint8Array(parts.reduce((sum, { length }) => sum + 4 + length, 0));
  const view = new DataView(text.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length);
    text.set(part, at + 4);
    at += 4 + part.length;
  }
  return text;
}
