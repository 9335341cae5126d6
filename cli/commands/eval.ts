/**
 * `gxensemble eval`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";

/** Options of {@linkcode evaluate}. */
export interface EvalOptions extends ClientOptions, OutputOptions {}

/** Evaluates an expression in a running server and prints its value. */
export function evaluate(
  _serverId: ServerId,
  _expression: string,
  _options: EvalOptions,
): Promise<void> {
  return Promise.reject(new EnsembleError("eval: not written yet"));
}
