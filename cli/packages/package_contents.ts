/**
 * What a package has: the files that a host needs to run a server of the ensemble.
 *
 * @module
 */
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { isThere, readRegularFile, readSecretFile } from "../../runtime/home/files.ts";
import { KnownServersFile } from "../../runtime/home/known_servers.ts";
import type { Places } from "../../runtime/home/paths.ts";
import { sharedId } from "../../runtime/server/credentials.ts";
import {
  type Address,
  formatAddressUrl,
  isLoopback,
  parseAddresses,
} from "../../runtime/wire/address.ts";
import { type ConfigurationPart, configurationPart } from "./configuration_part.ts";
import {
  checkPackagedFile,
  modeOf,
  type PackagedFile,
  pathOf,
  serverFileName,
} from "./package_files.ts";

/** Options of {@linkcode collectFiles}. */
export interface CollectOptions {
  /** The paths of this host. */
  readonly places: Places;
  /** The file of the configuration; undefined for the one in the state directory, if there is one. */
  readonly configuration: string | undefined;
  /** The addresses of the registry for the other host; empty for those that are known here. */
  readonly registry: readonly Address[];
}

/** The files of a package, and what its user has to know. */
export interface Collected {
  /** The files. */
  readonly files: readonly PackagedFile[];
  /** What is missing, and what else the host needs. */
  readonly notices: readonly string[];
}

/**
 * Collects the files that a host needs for a server, or for all servers of a supervisor's host: the
 * cookie, the administrators' public key, certificates, the registry's addresses, and the part of
 * the configuration.
 *
 * @throws {EnsembleError} if there is no cookie, or a file is not valid.
 */
export async function collectFiles(id: string, options: CollectOptions): Promise<Collected> {
  const { places } = options;
  const notices: string[] = [];
  const part = await findPart(id, options);
  const ids = [...new Set([id, ...part?.servers ?? []])];
  if (part?.hasRegistry && id !== REGISTRY_ID) ids.push(REGISTRY_ID);
  const files: PackagedFile[] = [];
  const add = async (name: string, { required = false } = {}): Promise<boolean> => {
    const path = pathOf(name, places);
    if (!required && !await isThere(path)) return false;
    const contents = modeOf(name) === 0o600
      ? await readSecretFile(path, name)
      : await readRegularFile(path);
    files.push({ name, contents });
    return true;
  };
  if (!await add("cookie")) {
    throw new EnsembleError(
      `no cookie at ${places.cookie}: make one with "gxensemble cookie", or run this on a host that has it`,
      { code: "NO_COOKIE" },
    );
  }
  if (await add("cookie.next")) {
    notices.push("a rotation of the cookie is under way: the package has both cookies");
  }
  if (await add("admin.pub")) await add("admin.pub.next");
  await addCertificates(ids, { add, notices });
  const addresses = await registryAddresses(options, part);
  if (addresses.length > 0) {
    const text = `${REGISTRY_ID} ${addresses.map(formatAddressUrl).join(" ")}\n`;
    files.push({ name: "known-servers", contents: new TextEncoder().encode(text) });
  } else if (!part?.hasRegistry && id !== REGISTRY_ID) {
    notices.push(
      "no address of the registry for other hosts is known: give it with --registry-at, or write it to known-servers there",
    );
  }
  if (part) {
    files.push({ name: "ensemble.jsonc", contents: new TextEncoder().encode(part.text) });
    if (part.files.length > 0) {
      notices.push(
        `the configuration names files that are not in the package: ${part.files.join(", ")}`,
      );
    }
  }
  for (const file of files) await checkPackagedFile(file);
  return { files, notices };
}

async function findPart(
  id: string,
  { places, configuration }: CollectOptions,
): Promise<ConfigurationPart | undefined> {
  const path = configuration ?? `${places.directory}/ensemble.jsonc`;
  if (configuration === undefined && !await isThere(path)) return undefined;
  const part = await configurationPart(path, { id, directory: places.directory });
  // Consoles and the registry have certificates without being there.
  const isElsewhere = id === REGISTRY_ID || sharedId(`${id}-`) !== undefined;
  if (part || isElsewhere) return part;
  throw new EnsembleError(
    `${path} has no server ${id}: name one of its servers, supervisor-<host> for all of a host, or another file ` +
      "with --config",
  );
}

async function addCertificates(
  ids: readonly string[],
  { add, notices }: { add(name: string): Promise<boolean>; notices: string[] },
): Promise<void> {
  if (!await add("tls/root.pem")) return;
  await add("tls/crl.pem");
  for (const id of ids) {
    if (!await add(serverFileName(id, "cert.pem"))) {
      notices.push(`${id} has no certificate here: make one with "gxensemble ca cert ${id}"`);
      continue;
    }
    await add(serverFileName(id, "key.pem"));
  }
}

/** The addresses at which other hosts reach the registry. */
async function registryAddresses(
  { places, registry }: CollectOptions,
  part: ConfigurationPart | undefined,
): Promise<readonly Address[]> {
  if (registry.length > 0) return registry;
  if (part?.hasRegistry) return [];
  const known = (await new KnownServersFile(places.knownServers).read()).get(REGISTRY_ID) ?? [];
  const remote = known.filter(isForOthers);
  if (remote.length > 0) return remote;
  return (part?.registryAddresses ?? []).flatMap((text) => parseAddresses(text))
    .filter(isForOthers);
}

function isForOthers(address: Address): boolean {
  return address.kind !== "unix" && !isLoopback(address.host) &&
    !["0.0.0.0", "::"].includes(address.host);
}
