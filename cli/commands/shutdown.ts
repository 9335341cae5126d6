/**
 * `gxensemble shutdown`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";

/** Options of {@linkcode shutdown}. */
export interface ShutdownOptions extends ClientOptions, OutputOptions {
  /** Whether to go ahead without asking first. */
  force: boolean;
}

/** Shuts down an actor, a server, or without either the whole ensemble with its registry. */
export function shutdown(
  _serverId: ServerId | undefined,
  _actorId: string | undefined,
  _options: ShutdownOptions,
): Promise<void> {
  return Promise.reject(new EnsembleError("shutdown: not written yet"));
}
