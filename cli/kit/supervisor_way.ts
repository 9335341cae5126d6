/**
 * The way to servers through the supervisor of their host: `--supervisor`.
 *
 * @module
 */
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import { openTunnel, requireSupervisor } from "../../supervisor/tunnel_stream.ts";
import { Administrator } from "./administrator.ts";
import type { PassphraseOptions } from "./prompts.ts";
import { keepToHostOf } from "./servers.ts";

/** The capability that a tunnel takes in a supervisor. */
const CAPABILITY = "supervisor";

/**
 * Has a console reach servers through a supervisor. Where capabilities are enforced, that takes the
 * administrators' key, for which a user is asked now, before the command begins its work.
 *
 * @throws {EnsembleError} if the supervisor cannot be reached, is none, or does not take the key.
 */
export async function reachThrough(
  console: ActorServer,
  { supervisor, ...options }: PassphraseOptions & { readonly supervisor: string },
): Promise<void> {
  const administrator = new Administrator(console, options);
  const elevating = <Result>(work: () => Promise<Result>) =>
    administrator.elevating(supervisor, CAPABILITY, work);
  // A command that opens no tunnel, as one for the supervisor itself, would not notice otherwise.
  await requireSupervisor(console.actors, supervisor);
  await elevating(() => Promise.resolve());
  keepToHostOf(console.actors, supervisor);
  console.goThrough({
    supervisor,
    open: (server) => elevating(() => openTunnel(console.actors, { supervisor, server })),
  });
}
