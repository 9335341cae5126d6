/**
 * `gxensemble load`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";

/** Options of {@linkcode load}. */
export interface LoadOptions extends ClientOptions, OutputOptions {
  /** Whether to ship the one module only, linked to what the server already runs. */
  force: boolean;
  /** Whether the module is a library that the server itself finds. */
  library: boolean;
  /** The prefixes of the modules that the server itself finds. */
  libraryPrefix: string[];
}

/** Loads a module into a running server. */
export function load(
  _serverId: ServerId,
  _moduleId: string,
  _options: LoadOptions,
): Promise<void> {
  return Promise.reject(new EnsembleError("load: not written yet"));
}
