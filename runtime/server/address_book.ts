/**
 * The addresses of other servers: those given by the user, and those in the registry.
 *
 * @module
 */
import { REGISTRY_ID } from "../actor/references.ts";
import { AuthenticationError, EnsembleError, UnknownServerError } from "../errors.ts";
import type { Address } from "../wire/address.ts";
import { PING_TIMEOUT } from "../wire/limits.ts";
import { sameInstance, shortInstance } from "./credentials.ts";
import { byKind, RegistryAddresses } from "./registry_addresses.ts";
import type { RegistryEntry } from "./registry_protocol.ts";
import type { RegistryView } from "./registry_view.ts";

/** How often the registry is asked whether an instance is registered, and the interval, in ms. */
const REGISTRATION_LOOKS = 4;
const REGISTRATION_INTERVAL = 100;

/** The locations of the registry and of other servers. */
export interface ServerLocations {
  /** The addresses of the registry, or of several that serve the same ensemble. */
  readonly registry: readonly Address[];
  /** What to do if the registry cannot be reached, for errors. */
  readonly registryAdvice?: string;
  /** Addresses from the user, which are tried before those from the registry. */
  readonly known?: ReadonlyMap<string, readonly Address[]>;
  /**
   * Returns UNIX sockets at which a server may be; existing ones are tried if the registry cannot
   * be asked. Default: none.
   */
  nearby?(id: string): readonly Address[];
}

/** The parts of the view of the registry that a book needs. */
export type BookedView = Pick<
  RegistryView,
  "known" | "lastKnown" | "refresh" | "unreachableFor" | "useLastKnown"
>;

/** The addresses and instance of a server, from the registry. */
export type Located = Pick<RegistryEntry, "addresses" | "instance">;

/** Addresses by server id. */
export class AddressBook {
  readonly #given = new Map<string, Address[]>();
  #registry: RegistryAddresses;
  readonly #view: BookedView;
  readonly #locations: ServerLocations & { readonly id: string };

  /** Creates the book of the server `locations.id`, with the given addresses. */
  constructor(
    view: BookedView,
    locations: ServerLocations & { readonly id: string },
  ) {
    this.#view = view;
    this.#locations = locations;
    this.#registry = new RegistryAddresses(locations.registry);
    for (const [id, addresses] of locations.known ?? []) this.give(id, addresses);
  }

  /** What to do if the registry cannot be reached, for errors. */
  get registryAdvice(): string {
    return this.#locations.registryAdvice ?? "start a registry with: gxensemble registry";
  }

  /** Sets addresses from the user, replacing earlier ones. They never expire. */
  give(id: string, addresses: readonly Address[]): void {
    if (id === REGISTRY_ID) this.#registry = new RegistryAddresses(addresses);
    else this.#given.set(id, byKind(addresses));
  }

  /** The addresses from the user, in the order to try them. */
  given(id: string): Address[] {
    return id === REGISTRY_ID ? this.#registry.inOrder : this.#given.get(id) ?? [];
  }

  /** Has an address of the registry be tried after the others for a while, since it failed. */
  setBack(address: Address): void {
    this.#registry.setBack(address);
  }

  /**
   * The entry of a server in the view, with addresses in the order to try them. A server that is
   * unreachable, or whose entry is not known, has none.
   */
  found(id: string): Located | undefined {
    return reachable(this.#view.known(id));
  }

  /**
   * The entry of a server as it was last known, for when the registry does not answer; the log says
   * that it is used.
   *
   * @param error why the registry does not answer.
   */
  lastFound(id: string, error: Error): Located | undefined {
    const located = reachable(this.#view.lastKnown(id));
    if (located) this.#view.useLastKnown(error);
    return located;
  }

  /** The existing UNIX sockets at which a server may be, for when the registry cannot be asked. */
  nearby(id: string): Address[] {
    return byKind(this.#locations.nearby?.(id) ?? []).filter((address) =>
      address.kind === "unix" && exists(address.path)
    );
  }

  /**
   * Asks the registry for a server's addresses. The timeout is shorter for a server that may be
   * found without the registry.
   *
   * @throws {EnsembleError} if the server is not registered or unreachable, or the registry does
   * not answer.
   */
  async refresh(id: string): Promise<Located> {
    const located = reachable(await this.#lookUp(id));
    if (located) return located;
    const time = this.#view.unreachableFor(id);
    const what = time === undefined
      ? "it is unreachable"
      : `it has been unreachable for ${Math.round(time / 1000)} s`;
    throw new EnsembleError(
      `${what}: it has not renewed its lease at the registry, or its connection broke and its ` +
        "addresses refuse",
      { code: "DISCONNECTED" },
    );
  }

  async #lookUp(id: string): Promise<RegistryEntry> {
    if (this.#locations.id !== REGISTRY_ID && this.given(REGISTRY_ID).length === 0) {
      throw new EnsembleError("no address of the registry is known", { code: "NO_REGISTRY" });
    }
    const isNearby = this.nearby(id).length > 0;
    const entry = await this.#view.refresh(id, isNearby ? { timeout: PING_TIMEOUT } : {});
    if (!entry) throw new UnknownServerError(id);
    return entry;
  }

  /**
   * Checks that an instance is the registered one. A restarted server listens a moment before it is
   * registered. But a server of another ensemble may have the same id, the same cookie, and by now
   * the port of one that has crashed.
   */
  async requireRegistered(id: string, instance: Uint8Array): Promise<void> {
    for (let looks = 1;; looks++) {
      const { instance: registered } = await this.#lookUp(id);
      if (sameInstance(instance, registered)) return;
      if (looks === REGISTRATION_LOOKS) {
        throw new AuthenticationError(
          `instance ${
            shortInstance(instance)
          } of ${id} answers there, instead of the registered one, ` +
            shortInstance(registered),
        );
      }
      await new Promise((resolve) => setTimeout(resolve, REGISTRATION_INTERVAL));
    }
  }
}

function reachable(entry: RegistryEntry | undefined): Located | undefined {
  if (!entry || entry.state === "unreachable") return undefined;
  return { addresses: byKind(entry.addresses), instance: entry.instance };
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
