/**
 * Where other servers are: what a person said, for good, and what the registry said, for a while.
 *
 * @module
 */
import type { ServerId } from "../actor/server_id.ts";
import { type Address, isLocal } from "../wire/address.ts";

/** How long addresses from the registry are used without asking it again, in ms. */
export const ADDRESS_LIFETIME: number = 5 * 60 * 1000;

/** The order in which a server's addresses are tried. */
const PREFERENCE: readonly Address["kind"][] = ["unix", "tls", "tcp"];

/** Asks the registry for a server's addresses; throws when it knows none. */
export type Lookup = (id: ServerId) => Promise<readonly Address[]>;

/** Addresses by server id. Only those that can be tried from this host are noted. */
export class AddressBook {
  readonly #given = new Map<ServerId, Address[]>();
  readonly #found = new Map<ServerId, { addresses: Address[]; until: number }>();
  readonly #lookup: Lookup;

  /** Makes an empty book. */
  constructor(lookup: Lookup) {
    this.#lookup = lookup;
  }

  /** Notes addresses that a person gave, in place of those given before. They never expire. */
  give(id: ServerId, addresses: readonly Address[]): void {
    this.#given.set(id, inOrder(addresses));
  }

  /** The addresses that a person gave, in the order to try them. */
  given(id: ServerId): Address[] {
    return this.#given.get(id) ?? [];
  }

  /** The addresses that the registry named less than {@linkcode ADDRESS_LIFETIME} ago. */
  found(id: ServerId): Address[] {
    const found = this.#found.get(id);
    if (!found) return [];
    if (performance.now() < found.until) return found.addresses;
    this.#found.delete(id);
    return [];
  }

  /**
   * Asks the registry for a server's addresses and notes what it says.
   *
   * @throws {EnsembleError} when it knows none, or does not answer.
   */
  async refresh(id: ServerId): Promise<Address[]> {
    this.#found.delete(id);
    const addresses = inOrder(await this.#lookup(id));
    const now = performance.now();
    // The oldest are the first. Servers that nobody asks for any more must not add up.
    for (const [old, { until }] of this.#found) {
      if (now < until) break;
      this.#found.delete(old);
    }
    this.#found.set(id, { addresses, until: now + ADDRESS_LIFETIME });
    return addresses;
  }

  /** How many servers it has addresses of from the registry. */
  get size(): number {
    return this.#found.size;
  }
}

function inOrder(addresses: readonly Address[]): Address[] {
  return addresses.filter(isLocal)
    .sort((a, b) => PREFERENCE.indexOf(a.kind) - PREFERENCE.indexOf(b.kind));
}
