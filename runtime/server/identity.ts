/**
 * Identity: which instance owns a server id, over transports without certificates (unix and tcp), and whether a
 * registered instance still runs.
 *
 * The cookie proves that a peer is a member, and its signature proves which instance it is. Neither proves that its id
 * is its own. Where capabilities are enforced the registry decides: the id of a registered server belongs to
 * the instance that registered.
 *
 * The registry passes an id on to another instance at once when the registered one has left, or when its connection
 * broke and its addresses refuse connections. It never does while a connection of that instance stands; the heartbeat
 * closes the connection of a silent peer. An instance that is not connected and does not refuse keeps its id until it
 * has been silent for the timeout of the heartbeat.
 *
 * @module
 */
import { REGISTRY_ID } from "../actor/references.ts";
import type { Client } from "../actor/service.ts";
import { within } from "../actor/time.ts";
import { AuthenticationError } from "../errors.ts";
import { type Address, hostName, isLocal } from "../wire/address.ts";
import { PROBE_TIMEOUT } from "../wire/limits.ts";
import type { ByteStream } from "../wire/stream.ts";
import { connectTo, UnreachableError } from "../wire/transport.ts";
import { isFoundHere } from "../wire/unix_transport.ts";
import type { Session } from "./capabilities.ts";
import { type Bytes, type Credentials, sameInstance, shortInstance } from "./credentials.ts";
import { clientHandshake } from "./handshake.ts";
import { describeServer, type RegistryEntry, type RegistryHandlers } from "./registry_protocol.ts";
import { type Kernel, ownKernel } from "../own_process.ts";

/** Says in an error when the id of a silent server passes on; `timeout` is that of the heartbeat, in ms. */
export function whenSilent(timeout: number): string {
  return `its id passes on when it has been silent for ${timeout / 1000} s`;
}

/** What a peer says of who it is. */
export interface Claim {
  /** The id that it goes by. */
  readonly id: string;
  /** Its instance. */
  readonly instance: Bytes;
  /** Whether it was reached at an address of that id, and did not come by itself. */
  readonly dialled: boolean;
}

/** What {@linkcode Identities} goes by. */
export interface IdentityOptions {
  /** Says which instances are registered. */
  readonly registry: Pick<Client<RegistryHandlers>, "lookup">;
  /** Whether capabilities are enforced: then this server goes by the registry. The registry itself always does. */
  readonly enforced: boolean;
  /** The timeout of the heartbeat, in ms. */
  readonly silence: number;
}

/** What knows whether connections stand: the router. */
export interface Connections {
  /** Whether a connection of this instance stands. */
  stands(id: string, instance: Uint8Array): Promise<boolean>;
}

/** Decides whether peers may use the ids that they claim. */
export class Identities {
  readonly #self: Credentials;
  readonly #options: IdentityOptions;
  readonly #started = performance.now();
  /** When an instance was last heard before its connection ended. Those older than the timeout are dropped. */
  readonly #lastHeard = new Map<string, { instance: Bytes; at: number }>();

  /** The identities of the peers of one server. */
  constructor(self: Credentials, options: IdentityOptions) {
    this.#self = self;
    this.#options = options;
  }

  /**
   * Makes sure that a peer may go by its id.
   *
   * @throws {AuthenticationError} when the id is that of another instance, or nobody can be asked.
   */
  async require({ id, instance, dialled }: Claim, connections: Connections): Promise<void> {
    const isRegistry = this.#self.id === REGISTRY_ID;
    if (!isRegistry && !this.#options.enforced) return;
    if (id === REGISTRY_ID) {
      // The registry is the server that answers at its addresses, and none that connects by itself.
      if (dialled) return;
      throw new AuthenticationError(
        `${this.#self.id} connects to the registry, and not the other way round`,
      );
    }
    let entry: RegistryEntry | undefined;
    try {
      entry = await this.#options.registry.lookup({ id });
    } catch (error) {
      const { message } = error as Error;
      throw new AuthenticationError(`cannot ask the registry which instance is ${id}: ${message}`);
    }
    if (!entry || sameInstance(entry.instance, instance)) return;
    const presence = isRegistry ? await this.presence(entry, connections) : "running";
    if (presence === "gone" || (presence === "unknown" && this.#isLongSilent(entry))) return;
    throw new AuthenticationError(
      `another instance is registered as ${describeServer(entry)}: ${
        shortInstance(entry.instance)
      }` +
        (presence === "unknown" ? `; it may still run: ${whenSilent(this.#options.silence)}` : ""),
    );
  }

  /** Whether the registry says that an id is that of this instance. */
  async isRegistered(id: string, instance: Bytes): Promise<boolean> {
    try {
      const entry = await this.#options.registry.lookup({ id });
      return entry !== undefined && sameInstance(entry.instance, instance);
    } catch {
      return false;
    }
  }

  /** Whether a registered instance runs, as far as can be told from here. */
  async presence(entry: RegistryEntry, connections: Connections): Promise<Presence> {
    if (await connections.stands(entry.id, entry.instance)) return "running";
    return await lookFor(entry, {
      isLongSilent: this.#isLongSilent(entry),
      examine: (address) => this.#examine(entry, address),
    });
  }

  /** Notes that a connection is over; `lastHeard` is when its peer was heard last, by `performance.now()`. */
  closed({ peer, instance }: Session, lastHeard: number): void {
    if (this.#self.id !== REGISTRY_ID) return;
    this.#lastHeard.delete(peer);
    this.#lastHeard.set(peer, { instance, at: lastHeard });
    const old = performance.now() - this.#options.silence;
    for (const [id, { at }] of this.#lastHeard) {
      if (at >= old) break;
      this.#lastHeard.delete(id);
    }
  }

  /** Whether nothing was heard for so long that a standing connection would have been closed. */
  #isLongSilent({ id, instance }: RegistryEntry): boolean {
    const heard = this.#lastHeard.get(id);
    // A registry that has just started has heard of nobody yet.
    const at = heard && sameInstance(heard.instance, instance) ? heard.at : this.#started;
    return performance.now() - at >= this.#options.silence;
  }

  /** Who answers at an address of a registered instance; the handshake goes no further than that. */
  async #examine({ instance }: RegistryEntry, address: Address): Promise<Sign> {
    let stream: ByteStream;
    try {
      stream = await connectTo(address, this.#self.tls);
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
      // The peer is silent, or it has said which instance it is and this side broke off.
    }
    if (!found) return "unclear";
    return sameInstance(found, instance) ? "running" : "gone";
  }
}

/** Whether a registered instance runs. An `unknown` one may still run. */
export type Presence = "running" | "gone" | "unknown";

/** What connecting to an address shows about the instance that announced it. */
export type Sign =
  /** The instance answers. */
  | "running"
  /** Another instance answers. */
  | "gone"
  /** Nobody listens. */
  | "refused"
  /** There is no such socket: the server has ended, or the file was removed. */
  | "no socket"
  /** Something accepts and does not say who it is, or the host cannot be reached. */
  | "unclear";

/**
 * Looks whether a registered instance runs. It is gone when every address that can be tried from this host refuses
 * connections. A missing socket counts only when the process is gone from this host too, or the server has been
 * silent for long; so does another socket in its place that refuses. Where no address can be tried, the process
 * decides. Silence and timeouts prove nothing.
 *
 * @param options.isLongSilent whether the server has been silent for longer than the heartbeat allows.
 * @param options.examine looks at one address; by default it only connects, which does not show who answers.
 */
export async function lookFor(
  entry: RegistryEntry,
  options: {
    isLongSilent?: boolean;
    examine?: (address: Address) => Promise<Sign>;
  } = {},
): Promise<Presence> {
  const { isLongSilent = false, examine = connects } = options;
  const tried = entry.addresses.flatMap((address) => placesOf(address, entry));
  const signs: Sign[] = [];
  const all = Promise.all(tried.map(async ({ address, isAnnounced }) => {
    const sign = await examine(address);
    signs.push(sign === "refused" && !isAnnounced ? "no socket" : sign);
  }));
  const isDone = await within(PROBE_TIMEOUT, all);
  if (signs.includes("running")) return "running";
  if (!isDone || signs.includes("unclear")) return "unknown";
  if (signs.length > 0 && (isLongSilent || !signs.includes("no socket"))) return "gone";
  return isProcessSeen(entry) && !await isRunning(entry.pid) ? "gone" : "unknown";
}

/**
 * Where to look for what an entry announced. Where its socket is missing, whatever has its path now is looked at:
 * another instance of the server may answer there.
 */
function placesOf(
  address: Address,
  { kernel }: RegistryEntry,
): { address: Address; isAnnounced: boolean }[] {
  if (address.kind !== "unix" || !address.file) {
    return isLocal(address) ? [{ address, isAnnounced: true }] : [];
  }
  if (isFoundHere(address)) return [{ address, isAnnounced: true }];
  if (!isLocal(address) && !isSameBoot(kernel)) return [];
  const { path } = address;
  return [{ address: { kind: "unix", host: hostName(), path }, isAnnounced: false }];
}

/** Whether the process numbers of this host are those of an entry. */
export function isProcessSeen({ host, kernel }: Pick<RegistryEntry, "host" | "kernel">): boolean {
  const own = ownKernel();
  if (!own || !kernel) return host === hostName();
  return isSameBoot(kernel) && kernel.processes === own.processes;
}

function isSameBoot(kernel: Kernel | undefined): boolean {
  return kernel !== undefined && kernel.boot === ownKernel()?.boot;
}

/** What a failure to connect shows. */
function signOfError(error: unknown): Sign {
  if (!(error instanceof UnreachableError)) return "unclear";
  return error.why === "refused" || error.why === "no socket" ? error.why : "unclear";
}

async function connects(address: Address): Promise<Sign> {
  try {
    (await connectTo(address)).close();
    return "unclear";
  } catch (error) {
    return signOfError(error);
  }
}

/** Whether a process with this number exists on this host. An unknown number counts as running. */
async function isRunning(pid: number | undefined): Promise<boolean> {
  if (pid === undefined) return true;
  const { default: process } = await import("node:process");
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code !== "ESRCH";
  }
}
