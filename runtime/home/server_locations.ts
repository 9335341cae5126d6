/**
 * Finds servers from this host: by given addresses, the variable `ENSEMBLE_REGISTRY`, the file
 * `known-servers`, and the sockets.
 *
 * @module
 */
import { REGISTRY_ID } from "../actor/references.ts";
import { InvalidInputError } from "../errors.ts";
import type { ServerLocations } from "../server/address_book.ts";
import {
  type Address,
  formatAddressUrl,
  isLocal,
  localUnixAddress,
  parseAddresses,
} from "../wire/address.ts";
import { directoryOf } from "../wire/socket_directory.ts";
import { type KnownServers, KnownServersFile } from "./known_servers.ts";
import type { Places } from "./paths.ts";

/** The environment variable with the registry's addresses. */
const REGISTRY_VARIABLE = "ENSEMBLE_REGISTRY";

/**
 * Finds the registry's addresses. The first of these sources applies: the given addresses,
 * `ENSEMBLE_REGISTRY`, the file `known-servers`, the UNIX socket on this host.
 *
 * With one of the first two, neither the file nor this host's sockets are used for servers either,
 * since they may belong to another ensemble with the same server ids.
 *
 * @param options.registry the given addresses; may be empty.
 * @param options.known the addresses of servers, in place of the file.
 * @throws {InvalidInputError} if `ENSEMBLE_REGISTRY` contains no address.
 * @throws {EnsembleError} if `known-servers` is wrong.
 */
export async function locateServers(
  places: Places,
  { registry: given = [], known: instead }: {
    registry?: readonly Address[];
    known?: KnownServers | undefined;
  } = {},
): Promise<ServerLocations> {
  if (given.length > 0) {
    return ofRegistry(given, { advice: adviceFor(given), known: instead });
  }
  const named = readVariable();
  if (named.length > 0) {
    const advice = `${REGISTRY_VARIABLE} is set to that address; ${adviceFor(named)}`;
    return ofRegistry(named, { advice, known: instead });
  }
  const file = new KnownServersFile(places.knownServers);
  const known = instead ?? await file.read();
  const registry = known.get(REGISTRY_ID);
  const sockets = [places.socketDirectory];
  if (registry) {
    const source = instead ? "the option knownServers" : file.path;
    const advice = `the address comes from ${source}; ${adviceFor(registry)}`;
    return locations({ registry, advice, known, sockets });
  }
  return locations({
    registry: [localUnixAddress(places.socket(REGISTRY_ID))],
    advice: "start a registry with: gxensemble registry",
    known,
    sockets,
  });
}

function readVariable(): Address[] {
  const text = Deno.env.get(REGISTRY_VARIABLE);
  if (!text) return [];
  try {
    const addresses = parseAddresses(text);
    if (addresses.length > 0) return addresses;
  } catch (error) {
    throw new InvalidInputError(`${REGISTRY_VARIABLE}: ${(error as Error).message}`);
  }
  throw new InvalidInputError(`${REGISTRY_VARIABLE} contains no address: ${JSON.stringify(text)}`);
}

/**
 * The locations for a given registry: the UNIX sockets of its servers are beside the registry's.
 */
function ofRegistry(
  registry: readonly Address[],
  { advice, known = new Map() }: { advice: string; known: KnownServers | undefined },
): ServerLocations {
  const sockets = registry.flatMap((address) =>
    address.kind === "unix" && isLocal(address) ? directoryOf(address.path) : []
  );
  return locations({ registry, advice, known, sockets });
}

function locations({ registry, advice, known, sockets }: {
  registry: readonly Address[];
  advice: string;
  known: KnownServers;
  sockets: readonly string[];
}): ServerLocations {
  return {
    registry,
    registryAdvice: advice,
    known: new Map([...known].filter(([id]) => id !== REGISTRY_ID)),
    nearby: (id: string) => sockets.map((directory) => localUnixAddress(`${directory}/${id}`)),
  };
}

/** Advice to start a registry at these addresses. */
function adviceFor(registry: readonly Address[]): string {
  const listen = registry.map((address) => `-l ${formatAddressUrl(address)}`).join(" ");
  return `start a registry there with: gxensemble registry ${listen}`;
}
