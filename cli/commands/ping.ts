/**
 * `gxensemble ping`.
 *
 * @module
 */
import { ping as pingServer } from "../../runtime/ensemble/remote.ts";
import { withConsole } from "../console.ts";
import { printJson, printLine } from "../output.ts";
import type { ActorId } from "../../runtime/actor/ref.ts";
import type { ServerId } from "../../runtime/actor/server_id.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";

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
