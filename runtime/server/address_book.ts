/**
 * Where other servers are: addresses that a person gave, for good, and those of the registry, for a while.
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

/** How long addresses from the registry are used without asking it again, in ms. */
export const ADDRESS_LIFETIME: number = 5 * 60 * 1000;

/** The order in which a server's addresses are tried. */
const PREFERENCE: readonly Address["kind"][] = ["unix", "tls", "tcp"];

/** How often the registry is asked whether an instance is registered by now, and how long between, in ms. */
const REGISTRATION_LOOKS = 4;
const REGISTRATION_INTERVAL = 100;

/** Where a server finds the registry and the others. */
export interface ServerLocations {
  /** Where the registry is. */
  readonly registry: readonly Address[];
  /** What to do when it is not there, for errors. */
  readonly registryAdvice?: string;
  /** Addresses of others that a person gave: they are tried before those from the registry. */
  readonly known?: ReadonlyMap<string, readonly Address[]>;
  /**
   * UNIX sockets at which a server may be, by its id: those that are there are tried when the registry cannot be asked.
   * By default none.
   */
  nearby?(id: string): readonly Address[];
}

/** What the registry says of a server: where it is, and which instance of it is there. */
export type Located = Pick<RegistryEntry, "addresses" | "instance">;

/** Addresses by server id. */
export class AddressBook {
  readonly #given = new Map<string, Address[]>();
  readonly #found = new Map<string, Located & { until: number }>();
  readonly #registry: Pick<Client<RegistryHandlers>, "lookup">;
  readonly #locations: ServerLocations & { readonly id: string };

  /** Makes the book of the server `locations.id`, with the addresses that were given to begin with. */
  constructor(
    registry: Pick<Client<RegistryHandlers>, "lookup">,
    locations: ServerLocations & { readonly id: string },
  ) {
    this.#registry = registry;
    this.#locations = locations;
    for (const [id, addresses] of locations.known ?? []) this.give(id, addresses);
    this.give(REGISTRY_ID, locations.registry);
  }

  /** What to do when the registry is not there, for errors. */
  get registryAdvice(): string {
    return this.#locations.registryAdvice ?? "start a registry with: gxensemble registry";
  }

  /** Notes addresses that a person gave, in place of those given before. They never expire. */
  give(id: string, addresses: readonly Address[]): void {
    this.#given.set(id, inOrder(addresses));
  }

  /** The addresses that a person gave, in the order to try them. */
  given(id: string): Address[] {
    return this.#given.get(id) ?? [];
  }

  /** What the registry said less than {@linkcode ADDRESS_LIFETIME} ago, its addresses in the order to try them. */
  found(id: string): Located | undefined {
    const found = this.#found.get(id);
    if (!found || performance.now() < found.until) return found;
    this.#found.delete(id);
    return undefined;
  }

  /** The UNIX sockets at which a server may be when the registry cannot be asked: those that there are. */
  nearby(id: string): Address[] {
    return inOrder(this.#locations.nearby?.(id) ?? []).filter((address) =>
      address.kind === "unix" && exists(address.path)
    );
  }

  /**
   * Asks the registry where a server is, and notes what it says. It has less time to answer about a server that may be
   * found without it.
   *
   * @throws {EnsembleError} when it does not know it, or does not answer.
   */
  async refresh(id: string): Promise<Located> {
    this.#found.delete(id);
    if (this.#locations.id !== REGISTRY_ID && this.given(REGISTRY_ID).length === 0) {
      throw new EnsembleError("no address of the registry is known", { code: "NO_REGISTRY" });
    }
    const isNearby = this.nearby(id).length > 0;
    const entry = await this.#registry.lookup({ id }, isNearby ? { timeout: PING_TIMEOUT } : {});
    if (!entry) throw new UnknownServerError(id);
    const found = { addresses: inOrder(entry.addresses), instance: entry.instance };
    const now = performance.now();
    // The oldest are the first. Servers that nobody asks for any more must not add up.
    for (const [old, { until }] of this.#found) {
      if (now < until) break;
      this.#found.delete(old);
    }
    this.#found.set(id, { ...found, until: now + ADDRESS_LIFETIME });
    return found;
  }

  /**
   * Makes sure that an instance is the registered one. It may be that of a server that was started again, which listens
   * a moment before it is registered. But a server of another ensemble may have the same id, the same cookie, and by now
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
          } of ${id} answers there, and not the registered one, ` +
            shortInstance(registered),
        );
      }
      await new Promise((resolve) => setTimeout(resolve, REGISTRATION_INTERVAL));
    }
  }

  /** How many servers it has addresses of from the registry. */
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
