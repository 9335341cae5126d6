/**
 * `gxensemble list-actors`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";

/** Options of {@linkcode listActors}. */
export interface ListActorsOptions extends ClientOptions, OutputOptions {}

/** Prints the names of the actors in a server. */
export function listActors(_serverId: ServerId, _options: ListActorsOptions): Promise<void> {
  return Promise.reject(new EnsembleError("list-actors: not written yet"));
}
