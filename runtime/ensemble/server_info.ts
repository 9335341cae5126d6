/**
 * Descriptions of registered servers, for programs.
 *
 * @module
 */
import type { RegistryEntry, ServerState } from "../server/registry_protocol.ts";
import { formatAddressUrl } from "../wire/address.ts";

/**
 * A registered server, as returned by `lookup` and `servers`.
 *
 * @example Show all servers
 * ```ts
 * import { type ServerInfo, startServer } from "@gxensemble/ensemble";
 *
 * const line = ({ id, roles, addresses }: ServerInfo) => [id, ...roles, ...addresses].join(" ");
 *
 * await using client = await startServer();
 * for (const server of await client.servers()) console.log(line(server));
 * ```
 */
export interface ServerInfo {
  /** Its id. */
  readonly id: string;
  /**
   * Its state: `starting` until it is ready, then `up`; `draining` if it takes no new work; `unreachable` if its lease has
   * run out, or its connection to the registry broke and its addresses refuse.
   */
  readonly state: ServerState;
  /** Its roles, in the announced order. */
  readonly roles: readonly string[];
  /** How many of its actors are in each group that has any of them. */
  readonly groups: Readonly<Record<string, number>>;
  /** Its addresses, as URLs: `unix:/tmp/ensemble/web1`, `tcp://10.0.0.1:4000`. */
  readonly addresses: readonly string[];
  /** The name of its host. Undefined if the server did not announce it. */
  readonly host: string | undefined;
  /** The id of its process on that host. Undefined if the server did not announce it. */
  readonly pid: number | undefined;
  /** When it started, by the clock of its host. Undefined if the server did not announce it. */
  readonly startedAt: Date | undefined;
  /** Its version of gxensemble. Undefined if the server did not announce it. */
  readonly version: string | undefined;
  /**
   * The key of this instance, in hex: it distinguishes the server from an earlier one with the same
   * id.
   */
  readonly instance: string;
}

/** Describes an entry of the registry. */
export function describeEntry(entry: RegistryEntry): ServerInfo {
  const { id, state, roles, host, pid, version, startedAt } = entry;
  return {
    id,
    state,
    roles,
    groups: { ...entry.groups },
    addresses: entry.addresses.map(formatAddressUrl),
    host,
    pid,
    startedAt: startedAt === undefined ? undefined : new Date(startedAt),
    version,
    instance: entry.instance.toHex(),
  };
}
