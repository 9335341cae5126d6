/**
 * `gxensemble retract`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { controlClient } from "../../runtime/ensemble/remote.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { formatNotation, symbol } from "../../runtime/wire/notation.ts";
import { Administrator } from "../administrator.ts";
import { withConsole } from "../console.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";
import { printJson, printNotice } from "../output.ts";
import type { PassphraseOptions } from "../passphrase.ts";

/** Options of {@linkcode retract}. */
export interface RetractOptions extends ClientOptions, OutputOptions, PassphraseOptions {}

/** Takes back all capabilities that a server has inside another. */
export async function retract(
  serverId: ServerId,
  authorizedId: ServerId,
  options: RetractOptions,
): Promise<void> {
  const { retracted, returning } = await withConsole(options, async (actors, console) => {
    const control = controlClient(actors, serverId);
    return await new Administrator(console, options).elevating(
      serverId,
      "admin",
      () => control.retract({ server: authorizedId }),
    );
  });
  if (retracted.length === 0) {
    throw new EnsembleError(`${authorizedId} has no capabilities in ${serverId}`);
  }
  if (options.json) {
    return printJson({
      server: serverId,
      retracted: authorizedId,
      capabilities: retracted,
      returning,
    });
  }
  printNotice(`... ${authorizedId} had ${formatNotation(retracted.map(symbol))} in ${serverId}`);
  if (returning.length > 0) {
    printNotice(
      `... its certificate gives it ${
        formatNotation(returning.map(symbol))
      } again when it connects ` +
        `anew, in every server: to end that, run gxensemble ca revoke ${authorizedId}`,
    );
  }
}
