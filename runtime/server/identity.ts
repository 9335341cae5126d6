/**
 * Identity: decides which instance owns a server id over transports without certificates (unix and
 * tcp), and whether a registered instance still runs.
 *
 * The cookie proves that a peer is a member, and its signature proves its instance. Neither proves
 * that its id is its own. If capabilities are enforced, the registry decides: the id of a
 * registered server belongs to the registered instance.
 *
 * The registry gives an id to another instance at once if the registered one has left, or if its
 * connection broke and its addresses refuse connections. Otherwise it does so when the lease of that
 * instance has run out and no connection of it is open; the heartbeat closes the connection of a
 * silent peer.
 *
 * @module
 */
import { REGISTRY_ID } from "../actor/references.ts";
import type { Client } from "../actor/service.ts";
import { AuthenticationError } from "../errors.ts";
import type { Address } from "../wire/address.ts";
import type { ByteStream } from "../wire/stream.ts";
import { connectTo } from "../wire/transport.ts";
import { type Bytes, type Credentials, sameInstance, shortInstance } from "./credentials.ts";
import { clientHandshake } from "./handshake.ts";
import { lookFor, type Presence, type Sign, signOfError } from "./presence.ts";
import {
  describeServer,
  type Holder,
  idTaken,
  type RegistryEntry,
  type RegistryHandlers,
} from "./registry_protocol.ts";

/**
 * Tells, for an error, when the id of a silent server passes on; `timeout` is that of the
 * heartbeat, in ms.
 */
export function whenSilent(timeout: number): string {
  return `its id passes on after ${timeout / 1000} s of silence`;
}

/** The identity that a peer claims. */
export interface Claim {
  /** The claimed id. */
  readonly id: string;
  /** Its instance. */
  readonly instance: Bytes;
  /** Whether this server connected to an address of that id, rather than being connected to. */
  readonly dialled: boolean;
}

/** Options of {@linkcode Identities}. */
export interface IdentityOptions {
  /** Answers which instances are registered. */
  readonly registry: Pick<Client<RegistryHandlers>, "lookup">;
  /**
   * Whether capabilities are enforced, so that this server consults the registry. The registry
   * itself always does.
   */
  readonly enforced: boolean;
}

/** Checks whether connections are open: the router. */
export interface Connections {
  /** Whether a connection of this instance is open. */
  stands(id: string, instance: Uint8Array): Promise<boolean>;
}

/** Decides whether peers may use the ids that they claim. */
export class Identities {
  readonly #self: Credentials;
  readonly #options: IdentityOptions;
  /** Creates the identities of the peers of a server. */
  constructor(self: Credentials, options: IdentityOptions) {
    this.#self = self;
    this.#options = options;
  }

  /**
   * Checks that a peer may use its id.
   *
   * @throws {AuthenticationError} if the id belongs to another instance, or the registry cannot be
   * asked.
   */
  async require({ id, instance, dialled }: Claim, connections: Connections): Promise<void> {
    const isRegistry = this.#self.id === REGISTRY_ID;
    if (!isRegistry && !this.#options.enforced) return;
    if (id === REGISTRY_ID) {
      // Only a server at the registry's addresses is the registry, not one that connects to this
      // server.
      if (dialled) return;
      throw new AuthenticationError(
        `refused: the registry does not connect to servers; ${this.#self.id} connects to it`,
      );
    }
    let entry: RegistryEntry | undefined;
    try {
      ({ entry } = await this.#options.registry.lookup({ id }));
    } catch (error) {
      const { message } = error as Error;
      throw new AuthenticationError(
        `cannot ask the registry for the instance of ${id}: ${message}`,
      );
    }
    if (!entry || sameInstance(entry.instance, instance)) return;
    if (isRegistry) {
      const holder = await this.holderOf(entry, connections);
      if (holder) throw idTaken(entry, holder);
      return;
    }
    throw new AuthenticationError(
      `another instance is registered as ${describeServer(entry)}: ${
        shortInstance(entry.instance)
      }`,
    );
  }

  /**
   * What keeps the id of a registered instance from passing on to another one, by the rule above;
   * undefined if nothing does. Both who connects as that id and who registers it are judged by it.
   */
  async holderOf(entry: RegistryEntry, connections: Connections): Promise<Holder | undefined> {
    if (await connections.stands(entry.id, entry.instance)) return "connection";
    if (entry.state === "unreachable") return undefined;
    const presence = await this.#look(entry);
    if (presence === "gone") return undefined;
    return presence === "running" ? "answer" : "lease";
  }

  /** Whether an id is registered for this instance. */
  async isRegistered(id: string, instance: Bytes): Promise<boolean> {
    try {
      const { entry } = await this.#options.registry.lookup({ id });
      return entry !== undefined && sameInstance(entry.instance, instance);
    } catch {
      return false;
    }
  }

  /** Whether a registered instance runs, as far as this server can tell. */
  async presence(entry: RegistryEntry, connections: Connections): Promise<Presence> {
    if (await connections.stands(entry.id, entry.instance)) return "running";
    return await this.#look(entry);
  }

  #look(entry: RegistryEntry): Promise<Presence> {
    return lookFor(entry, {
      isLongSilent: entry.state === "unreachable",
      examine: (address) => this.#examine(entry, address),
    });
  }

  /** Finds which instance answers at an address; the handshake ends there. */
  async #examine({ instance }: RegistryEntry, address: Address): Promise<Sign> {
    let stream: ByteStream;
    try {
      stream = await connectTo(address, { tls: this.#self.tls });
    } catch (error) {
      return signOfError(error);
    }
    let found: Bytes | undefined;
    try {
      await clientHandshake(stream, this.#self, {
        admit: (instance) => Promise.resolve(void (found = instance)),
        proceed: () => found === undefined,
      });
    } catch {
      // The peer is silent, or its instance is known and this side ended the handshake.
    }
    if (!found) return "unclear";
    return sameInstance(found, instance) ? "running" : "gone";
  }
}
