/**
 * `gxensemble run`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { Address } from "../../runtime/wire/address.ts";
import type { ServerOptions } from "../options.ts";

/** Options of {@linkcode run}. */
export interface RunOptions extends ServerOptions {
  /** Where registries are reached besides the default address. */
  registry: Address[];
  /** What the server does in the ensemble. */
  roles: string[];
}

/** Runs a server that executes the module's `main` with the arguments, until it is shut down. */
export function run(
  _serverId: ServerId,
  _moduleId: string,
  _mainArguments: string[],
  _options: RunOptions,
): Promise<void> {
  return Promise.reject(new EnsembleError("run: not written yet"));
}
