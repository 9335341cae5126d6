/**
 * `gxensemble eval`.
 *
 * @module
 */
import { loaderClient } from "../../runtime/ensemble/remote.ts";
import { Administrator } from "../administrator.ts";
import { withConsole } from "../console.ts";
import { printJson, printValue } from "../output.ts";
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { EnsembleError } from "../../runtime/errors.ts";
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
  if (options.json) printJson(readJson(text ?? "null", serverId), { oneLine: true });
  else if (text !== undefined) printValue(text);
}

/** What a server says is JSON has to be: programs read it. */
function readJson(text: string, serverId: ServerId): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new EnsembleError(`${serverId} answered with something that is not JSON`, {
      cause: error,
    });
  }
}
