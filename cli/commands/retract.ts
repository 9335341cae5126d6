/**
 * `gxensemble retract`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { controlClient } from "../../runtime/ensemble/remote.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { Administrator } from "../administrator.ts";
import { withConsole } from "../console.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";
import { printJson } from "../output.ts";
import type { PassphraseOptions } from "../passphrase.ts";

/** Options of {@linkcode retract}. */
export interface RetractOptions extends ClientOptions, OutputOptions, PassphraseOptions {}

/** Takes back all capabilities that a server has inside another. */
export async function retract(
  serverId: ServerId,
  authorizedId: ServerId,
  options: RetractOptions,
): Promise<void> {
  const had = await withConsole(options, async (actors, console) => {
    const control = controlClient(actors, serverId);
    return await new Administrator(console, options).elevating(
      serverId,
      "admin",
      () => control.retract({ server: authorizedId }),
    );
  });
  if (!had) throw new EnsembleError(`${authorizedId} has no capabilities in ${serverId}`);
  if (options.json) printJson({ server: serverId, retracted: authorizedId });
}
