/**
 * The addresses of other servers: permanent ones from the user, and temporary ones from the
 * registry.
 *
 * @module
 */
import { REGISTRY_ID } from "../actor/references.ts";
import type { Client } from "../actor/service.ts";
import { AuthenticationError, EnsembleError, UnknownServerError } from "../errors.ts";
import type { Address } from "../wire/address.ts";
import { PING_TIMEOUT } from "../wire/limits.ts";
import { sameInstance, shortInstance } from "./credentials.ts";
import type { RegistryEntry, RegistryHandlers } from "./registry_protocol.ts";

/** How long addresses from the registry are used before it is asked again, in ms. */
export const ADDRESS_LIFETIME: number = 5 * 60 * 1000;

/** The order in which kinds of addresses are tried. */
const PREFERENCE: readonly Address["kind"][] = ["unix", "tls", "tcp"];

/** How often the registry is asked whether an instance is registered, and the interval, in ms. */
const REGISTRATION_LOOKS = 4;
const REGISTRATION_INTERVAL = 100;

/** The locations of the registry and of other servers. */
export interface ServerLocations {
  /** The registry's addresses. */
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

/** The addresses and instance of a server, from the registry. */
export type Located = Pick<RegistryEntry, "addresses" | "instance">;

/** Addresses by server id. */
export class AddressBook {
  readonly #given = new Map<string, Address[]>();
  readonly #found = new Map<string, Located & { until: number }>();
  readonly #registry: Pick<Client<RegistryHandlers>, "lookup">;
  readonly #locations: ServerLocations & { readonly id: string };

  /** Creates the book of the server `locations.id`, with the given addresses. */
  constructor(
    registry: Pick<Client<RegistryHandlers>, "lookup">,
    locations: ServerLocations & { readonly id: string },
  ) {
    this.#registry = registry;
    this.#locations = locations;
    for (const [id, addresses] of locations.known ?? []) this.give(id, addresses);
    this.give(REGISTRY_ID, locations.registry);
  }

  /** What to do if the registry cannot be reached, for errors. */
  get registryAdvice(): string {
    return this.#locations.registryAdvice ?? "start a registry with: gxensemble registry";
  }

  /** Sets addresses from the user, replacing earlier ones. They never expire. */
  give(id: string, addresses: readonly Address[]): void {
    this.#given.set(id, inOrder(addresses));
  }

  /** The addresses from the user, in the order to try them. */
  given(id: string): Address[] {
    return this.#given.get(id) ?? [];
  }

  /**
   * The registry's answer, if it is younger than {@linkcode ADDRESS_LIFETIME}, with addresses in
   * the order to try them.
   */
  found(id: string): Located | undefined {
    const found = this.#found.get(id);
    if (!found || performance.now() < found.until) return found;
    this.#found.delete(id);
    return undefined;
  }

  /** The existing UNIX sockets at which a server may be, for when the registry cannot be asked. */
  nearby(id: string): Address[] {
    return inOrder(this.#locations.nearby?.(id) ?? []).filter((address) =>
      address.kind === "unix" && exists(address.path)
    );
  }

  /**
   * Asks the registry for a server's addresses, and records the answer. The timeout is shorter for
   * a server that may be found without the registry.
   *
   * @throws {EnsembleError} if the server is not registered, or the registry does not answer.
   */
  async refresh(id: string): Promise<Located> {
    this.#found.delete(id);
    if (this.#locations.id !== REGISTRY_ID && this.given(REGISTRY_ID).length === 0) {
      throw new EnsembleError("no address of the registry is known", { code: "NO_REGISTRY" });
    }
    const isNearby = this.nearby(id).length > 0;
    const { entry } = await this.#registry.lookup(
      { id },
      isNearby ? { timeout: PING_TIMEOUT } : {},
    );
    if (!entry) throw new UnknownServerError(id);
    const found = { addresses: inOrder(entry.addresses), instance: entry.instance };
    const now = performance.now();
    // The oldest come first. Entries of servers that are no longer needed must not accumulate.
    for (const [old, { until }] of this.#found) {
      if (now < until) break;
      this.#found.delete(old);
    }
    this.#found.set(id, { ...found, until: now + ADDRESS_LIFETIME });
    return found;
  }

  /**
   * Checks that an instance is the registered one. A restarted server listens a moment before it is
   * registered. But a server of another ensemble may have the same id, the same cookie, and by now
   * the port of one that has crashed.
   */
  async requireRegistered(id: string, instance: Uint8Array): Promise<void> {
    for (let looks = 1;; looks++) {
      const { instance: registered } = await this.refresh(id);
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

  /** The number of servers with addresses from the registry. */
  get size(): number {
    return this.#found.size;
  }
}

function inOrder(addresses: readonly Address[]): Address[] {
  return addresses.toSorted((a, b) => PREFERENCE.indexOf(a.kind) - PREFERENCE.indexOf(b.kind));
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
