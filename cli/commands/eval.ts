/**
 * `gxensemble eval`.
 *
 * @module
 */
import { loaderClient } from "../../runtime/ensemble/remote.ts";
import { Administrator } from "../administrator.ts";
import { withConsole } from "../console.ts";
import { printLine } from "../output.ts";
import type { ServerId } from "../../runtime/actor/server_id.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";
import type { PassphraseOptions } from "../passphrase.ts";

/** Options of {@linkcode evaluate}. */
export interface EvalOptions extends ClientOptions, OutputOptions, PassphraseOptions {}

/** Evaluates an expression in a running server and prints its value. */
export async function evaluate(
  serverId: ServerId,
  expression: string,
  options: EvalOptions,
): Promise<void> {
  const request = { expression, json: options.json };
  const text = await withConsole(
    options,
    (actors, console) =>
      new Administrator(console, options).elevating(
        serverId,
        "loader",
        () => loaderClient(actors, serverId).evaluate(request, { timeout: Infinity }),
      ),
  );
  if (text !== undefined) printLine(text);
  else if (options.json) printLine("null");
}
