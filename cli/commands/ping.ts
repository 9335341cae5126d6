/**
 * `gxensemble ping`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";

/** Options of {@linkcode ping}. */
export interface PingOptions extends ClientOptions, OutputOptions {}

/** Asks a server, or one of its actors, for a sign of life. */
export function ping(
  _serverId: ServerId,
  _actorId: string | undefined,
  _options: PingOptions,
): Promise<void> {
  return Promise.reject(new EnsembleError("ping: not written yet"));
}
