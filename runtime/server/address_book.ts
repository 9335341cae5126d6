/**
 * Where other servers are: what the registry said, for a while.
 *
 * @module
 */
import type { ServerId } from "../actor/server_id.ts";
import { type Address, isLocal } from "../wire/address.ts";

/** How long addresses are believed without asking the registry again, in ms. */
const ADDRESS_LIFETIME = 5 * 60 * 1000;

/** The order in which a server's addresses are tried. */
const PREFERENCE: readonly Address["kind"][] = ["unix", "tls", "tcp"];

/** Asks the registry for a server's addresses; throws when it knows none. */
export type Lookup = (id: ServerId) => Promise<Address[]>;

/** Addresses by server id, cached. */
export class AddressBook {
  readonly #cached = new Map<ServerId, { addresses: Address[]; until: number }>();
  readonly #lookup: Lookup;

  /** Makes an empty book. */
  constructor(lookup: Lookup) {
    this.#lookup = lookup;
  }

  /**
   * Notes addresses for a time in ms; `Infinity` for those that never expire, and those that replace them
   * do not either.
   */
  set(id: ServerId, addresses: Address[], lifetime: number = ADDRESS_LIFETIME): void {
    const until = this.isFixed(id) ? Infinity : performance.now() + lifetime;
    this.#cached.set(id, { addresses: inOrder(addresses), until });
  }

  /** The addresses noted, if they are fresh enough. */
  get(id: ServerId): Address[] | undefined {
    const cached = this.#cached.get(id);
    return cached && cached.until > performance.now() ? cached.addresses : undefined;
  }

  /** Whether the addresses of a server are fixed: the registry cannot be asked about them. */
  isFixed(id: ServerId): boolean {
    return this.#cached.get(id)?.until === Infinity;
  }

  /** Asks the registry and notes what it says. */
  async refresh(id: ServerId): Promise<Address[]> {
    this.#cached.delete(id);
    this.set(id, await this.#lookup(id));
    return this.get(id)!;
  }
}

function inOrder(addresses: Address[]): Address[] {
  return addresses.filter(isLocal)
    .sort((a, b) => PREFERENCE.indexOf(a.kind) - PREFERENCE.indexOf(b.kind));
}
