/**
 * Draining servers, for commands.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { drainServer } from "../../runtime/ensemble/remote.ts";
import { describeStatus } from "../../runtime/server/draining.ts";
import { printNotice } from "./output.ts";

/**
 * Drains a server, and says what is waited for if that takes long.
 *
 * @param options.timeout how long to wait, in ms; 0 only begins. Default: no limit.
 * @throws {EnsembleError} if it is still busy then, or cannot be drained.
 */
export async function drain(
  actors: ActorSystem,
  server: string,
  { timeout }: { timeout?: number | undefined },
): Promise<void> {
  let said = "";
  await drainServer(actors, server, {
    ...timeout !== undefined && { timeout },
    onWaiting(status) {
      const why = describeStatus(status);
      if (why !== said) printNotice(`${server} is draining; ${why}`);
      said = why;
    },
  });
}
