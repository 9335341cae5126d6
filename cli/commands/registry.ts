/**
 * `gxensemble registry`.
 *
 * @module
 */
import type { StoreLocation } from "../../registry/open_store.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { ServerOptions } from "../options.ts";

/** Options of {@linkcode registry}. */
export interface RegistryOptions extends ServerOptions {
  /** Where the entries are kept. */
  store: StoreLocation;
}

/** Runs the registry of the ensemble until it is shut down. */
export function registry(_options: RegistryOptions): Promise<void> {
  return Promise.reject(new EnsembleError("registry: not written yet"));
}
