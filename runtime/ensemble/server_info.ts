/**
 * What a program learns of the servers in the registry.
 *
 * @module
 */
import type { RegistryEntry } from "../server/registry_protocol.ts";
import { formatAddressUrl } from "../wire/address.ts";

/** A server in the registry, as `lookup` and `servers` describe it. */
export interface ServerInfo {
  /** Its id. */
  readonly id: string;
  /** Its roles, in the order in which it announced them. */
  readonly roles: readonly string[];
  /** Where it can be reached, as URLs: `unix:/tmp/ensemble/web1`, `tcp://10.0.0.1:4000`. */
  readonly addresses: readonly string[];
  /** The name of the host that its process runs on. Undefined when the server did not say. */
  readonly host: string | undefined;
  /** The id of its process on that host. Undefined when the server did not say. */
  readonly pid: number | undefined;
  /** The key of this instance, in hex: it tells the server from an earlier one with the same id. */
  readonly instance: string;
}

/** Describes an entry of the registry. */
export function describeEntry(entry: RegistryEntry): ServerInfo {
  const { id, roles, host, pid } = entry;
  return {
    id,
    roles,
    addresses: entry.addresses.map(formatAddressUrl),
    host,
    pid,
    instance: entry.instance.toHex(),
  };
}
