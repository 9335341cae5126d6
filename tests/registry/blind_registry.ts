/**
 * A registry that cannot look for servers itself.
 *
 * @module
 */
import { type RegistryServer, serveRegistry } from "../../registry/registry_actor.ts";
import type { RegistryStore } from "../../registry/store.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";

/** Serves a registry whose `presence` is given, as on a host that cannot try the servers' sockets. */
export async function serveBlindRegistry(
  server: ActorServer,
  store: RegistryStore,
  presence: RegistryServer["presence"] = () => Promise.resolve("unknown"),
): Promise<void> {
  const { actors, capabilities, entry } = server;
  await serveRegistry({
    actors,
    capabilities,
    entry,
    presence,
    holderOf: (entry) => server.holderOf(entry),
    onDisconnected: (react) => server.onDisconnected(react),
    hold: (resource) => server.hold(resource),
  }, store);
}
