/**
 * The addresses of the registries: which is tried first.
 *
 * @module
 */
import { type Address, formatAddressUrl, hostName, isLocal } from "../wire/address.ts";

/** How long an address that failed is tried after all others, in ms. */
export const SET_BACK_TIME = 30_000;

/** The order in which kinds of addresses are tried. */
const PREFERENCE: readonly Address["kind"][] = ["unix", "tls", "tcp"];

/** Sorts addresses by kind: UNIX sockets, tls, tcp. */
export function byKind(addresses: readonly Address[]): Address[] {
  return addresses.toSorted((a, b) => PREFERENCE.indexOf(a.kind) - PREFERENCE.indexOf(b.kind));
}

/**
 * The addresses of one registry, or of several that serve the same ensemble. Those of this host
 * come first: its UNIX sockets, then its ports. The others are in random order, so that servers
 * spread over the registries.
 */
export class RegistryAddresses {
  readonly #addresses: readonly Address[];
  /** When an address last failed, by its URL. */
  readonly #failed = new Map<string, number>();

  /** Sorts the addresses; `random` gives numbers from 0 to 1. */
  constructor(addresses: readonly Address[], random: () => number = Math.random) {
    const near = byKind(addresses).filter((address) => isLocal(address) && isOfThisHost(address));
    const far = addresses.filter((address) => !near.includes(address))
      .map((address) => ({ address, place: random() }))
      .sort((a, b) => a.place - b.place)
      .map(({ address }) => address);
    this.#addresses = [...near, ...byKind(far)];
  }

  /** The addresses, in the order to try them. */
  get inOrder(): Address[] {
    const old = performance.now() - SET_BACK_TIME;
    const failedAt = (address: Address) => {
      const at = this.#failed.get(formatAddressUrl(address)) ?? -Infinity;
      return at > old ? at : -Infinity;
    };
    return this.#addresses.toSorted((a, b) => {
      const [first, second] = [failedAt(a), failedAt(b)];
      return first === second ? 0 : first - second;
    });
  }

  /** Has an address that failed be tried after the others for a while. */
  setBack(address: Address): void {
    this.#failed.set(formatAddressUrl(address), performance.now());
  }
}

function isOfThisHost(address: Address): boolean {
  if (address.kind === "unix") return true;
  const { host } = address;
  return host === "localhost" || host === "::1" || /^127(?:\.\d+){3}$/.test(host) ||
    host === hostName() || interfaceAddresses().includes(host);
}

function interfaceAddresses(): string[] {
  // Deno would ask for the permission at a terminal.
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "networkInterfaces" });
  return state === "granted" ? Deno.networkInterfaces().map(({ address }) => address) : [];
}
