/**
 * Shutting a server down for a person who waits.
 *
 * @module
 */
import type { ActorSystem } from "../runtime/actor/actor_system.ts";
import type { ServerId } from "../runtime/actor/server_id.ts";
import { shutDownServer } from "../runtime/ensemble/remote.ts";

/** Shuts a server down, and waits until it is gone; prints what it waits for where that takes its time. */
export async function stopServer(
  actors: ActorSystem,
  server: ServerId,
  { print, timeout }: { print: (line: string) => void; timeout?: number | undefined },
): Promise<void> {
  await shutDownServer(actors, server, {
    timeout,
    onWaiting: (grace) =>
      print(`${server} is stopping: its actors have up to ${grace / 1000} s to shut down`),
  });
}
