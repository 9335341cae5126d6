/**
 * `gxensemble list-connections`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";

/** Options of {@linkcode listConnections}. */
export interface ListConnectionsOptions extends ClientOptions, OutputOptions {}

/** Prints the servers that a server is connected to. */
export function listConnections(
  _serverId: ServerId,
  _options: ListConnectionsOptions,
): Promise<void> {
  return Promise.reject(new EnsembleError("list-connections: not written yet"));
}
