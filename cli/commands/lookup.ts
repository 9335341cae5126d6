/**
 * `gxensemble lookup`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";

/** Options of {@linkcode lookup}. */
export interface LookupOptions extends ClientOptions, OutputOptions {}

/** What to look up: one server, or those that have a role. */
export type LookupQuery = { readonly server: ServerId } | { readonly role: string };

/** Prints where servers are reached. */
export function lookup(_query: LookupQuery, _options: LookupOptions): Promise<void> {
  return Promise.reject(new EnsembleError("lookup: not written yet"));
}
