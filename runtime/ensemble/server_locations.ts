/**
 * Where the registry and the other servers are.
 *
 * @module
 */
import { REGISTRY_ID, type ServerId } from "../actor/references.ts";
import { InvalidInputError } from "../errors.ts";
import type { ServerLocations } from "../server/address_book.ts";
import {
  type Address,
  formatAddressUrl,
  isLocal,
  localUnixAddress,
  parseAddresses,
} from "../wire/address.ts";
import { directoryOf } from "../wire/unix_transport.ts";
import { type KnownServers, KnownServersFile } from "../home/known_servers.ts";
import { socketDirectory, socketPath } from "../home/paths.ts";

/** The environment variable that says where the registry is. */
const REGISTRY_VARIABLE = "ENSEMBLE_REGISTRY";

/**
 * Finds out where the registry is. The first of these that says so decides, and the others are not tried: the addresses
 * given, `ENSEMBLE_REGISTRY`, the file `known-servers`, the UNIX socket on this host.
 *
 * Where one of the first two says so, the servers are those of that registry, and nothing is taken from the file or from
 * this host's sockets: those may be of another ensemble, with servers of the same ids.
 *
 * @param given where the registry is; empty when nothing was given.
 * @throws {InvalidInputError} when `ENSEMBLE_REGISTRY` holds no address.
 * @throws {EnsembleError} when `known-servers` is wrong.
 */
export async function locateServers(given: readonly Address[] = []): Promise<ServerLocations> {
  if (given.length > 0) return ofRegistry(given, adviceFor(given));
  const named = readVariable();
  if (named.length > 0) {
    return ofRegistry(named, `${REGISTRY_VARIABLE} says that it is there; ${adviceFor(named)}`);
  }
  const file = new KnownServersFile();
  const known = await file.read();
  const registry = known.get(REGISTRY_ID);
  const sockets = [socketDirectory()];
  if (registry) {
    const advice = `${file.path} says that it is there; ${adviceFor(registry)}`;
    return locations({ registry, advice, known, sockets });
  }
  return locations({
    registry: [localUnixAddress(socketPath(REGISTRY_ID))],
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
  throw new InvalidInputError(`${REGISTRY_VARIABLE} holds no address: ${JSON.stringify(text)}`);
}

/** The servers of a registry that was named. Beside a UNIX socket of it are those of its servers. */
function ofRegistry(registry: readonly Address[], advice: string): ServerLocations {
  const sockets = registry.flatMap((address) =>
    address.kind === "unix" && isLocal(address) ? directoryOf(address.path) : []
  );
  return locations({ registry, advice, known: new Map(), sockets });
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
    nearby: (id: ServerId) => sockets.map((directory) => localUnixAddress(`${directory}/${id}`)),
  };
}

/** How to start a registry that is found at these addresses. */
function adviceFor(registry: readonly Address[]): string {
  const listen = registry.map((address) => `-l ${formatAddressUrl(address)}`).join(" ");
  return `start a registry there with: gxensemble registry ${listen}`;
}
