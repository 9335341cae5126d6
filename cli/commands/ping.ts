/**
 * `gxensemble ping`.
 *
 * @module
 */
import { ping as pingServer } from "../../runtime/ensemble/remote.ts";
import { withConsole } from "../kit/console.ts";
import { printJson, printLine } from "../kit/output.ts";
import type { ActorId, ServerId } from "../../runtime/actor/references.ts";
import type { ClientOptions, OutputOptions } from "../kit/options.ts";

/** Options of {@linkcode ping}. */
export interface PingOptions extends ClientOptions, OutputOptions {}

/** Asks a server, or one of its actors, for a sign of life. */
export async function ping(
  serverId: ServerId,
  actorId: ActorId | undefined,
  options: PingOptions,
): Promise<void> {
  await withConsole(options, (actors) => pingServer(actors, serverId, actorId));
  if (options.json) printJson({ server: serverId, actor: actorId ?? null, result: "OK" });
  else printLine("OK");
}
