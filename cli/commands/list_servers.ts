/**
 * `gxensemble list-servers`.
 *
 * @module
 */
import { EnsembleError } from "../../runtime/errors.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";

/** Options of {@linkcode listServers}. */
export interface ListServersOptions extends ClientOptions, OutputOptions {}

/** Prints the servers that the registry knows. */
export function listServers(_options: ListServersOptions): Promise<void> {
  return Promise.reject(new EnsembleError("list-servers: not written yet"));
}
