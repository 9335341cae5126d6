/**
 * `gxensemble registry`.
 *
 * @module
 */
import { runRegistry } from "../../registry/run_registry.ts";
import { REGISTRY_ID } from "../../runtime/actor/server_id.ts";
import { startLogging } from "../logging.ts";
import type { StoreLocation } from "../../registry/open_store.ts";
import type { ServerOptions } from "../options.ts";

/** Options of {@linkcode registry}. */
export interface RegistryOptions extends ServerOptions {
  /** Where the entries are kept. */
  store: StoreLocation;
}

/** Runs the registry of the ensemble until it is shut down. */
export async function registry(options: RegistryOptions): Promise<void> {
  await startLogging(options, REGISTRY_ID);
  await runRegistry(options);
}
