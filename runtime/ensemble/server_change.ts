/**
 * Changes of registered servers, for programs.
 *
 * @module
 */
import type { ServerState } from "../server/registry_protocol.ts";
import type { WatchedChange } from "../server/registry_view.ts";
import { describeEntry, type ServerInfo } from "./server_info.ts";

/**
 * A change of a registered server, as `server.watch` gives it.
 *
 * @example Log the changes of all workers
 * ```ts
 * import { type ServerChange, startServer } from "@gxensemble/ensemble";
 *
 * function log({ change, id, addresses }: ServerChange) {
 *   console.log(change, id, ...addresses);
 * }
 *
 * await using client = await startServer();
 * for await (const change of client.watch({ role: "worker" })) log(change);
 * ```
 */
export interface ServerChange {
  /**
   * What happened:
   *
   * - `present`: the server is registered. All that are come first when a watch begins.
   * - `starting`, `up`, `draining`, `unreachable`: it has this state now, or is new with it.
   * - `changed`: its roles or addresses are others, its state is the same. It may have lost the role that is watched. When a group
   *   is watched, also: the number of its members is another one, or there is none left.
   * - `left`: it has stopped.
   * - `gone`: it was unreachable for too long, or an operator removed its entry.
   */
  readonly change: "present" | ServerState | "changed" | "left" | "gone";
  /** The id of the server. */
  readonly id: string;
  /** Its roles; those that it had, if it is gone. */
  readonly roles: readonly string[];
  /** Its addresses, as URLs; none if it is gone. */
  readonly addresses: readonly string[];
  /** Its state; undefined if it is gone. */
  readonly state: ServerState | undefined;
  /** Numbers the changes of the registry: a later one has a greater number, also if that has been restarted. */
  readonly revision: number;
  /** The server; undefined if it is gone. */
  readonly server: ServerInfo | undefined;
}

/** Describes a change of an entry. */
export function describeChange(
  { change, id, roles, revision, entry }: WatchedChange,
): ServerChange {
  const server = entry && describeEntry(entry);
  const { addresses = [], state } = server ?? {};
  return { change, id, roles, addresses, state, revision, server };
}
