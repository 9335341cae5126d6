/**
 * What can be asked of servers from afar.
 *
 * @module
 */
import { SERVER_ACTOR } from "../actor/actor_system.ts";
import type { Messaging } from "../actor/messaging.ts";
import { type ActorId, ActorRef } from "../actor/ref.ts";
import type { ServerId } from "../actor/server_id.ts";
import { type Client, client } from "../actor/service.ts";
import { LOADER_ACTOR, type LoaderHandlers } from "../code/loader.ts";
import type { ControlHandlers } from "../server/control.ts";
import { REGISTRY, type RegistryHandlers } from "../server/registry_protocol.ts";

/** What can ask: an actor, a server. */
export type Asker = Pick<Messaging, "ask">;

/** The registry: `add`, `remove`, `lookup`, `lookupRole`, `list`. */
export function registryClient(asker: Asker): Client<RegistryHandlers> {
  return client<RegistryHandlers>(asker, REGISTRY);
}

/** A server's control: `listActors`, `listConnections`, `connect`, `shutdown`. */
export function controlClient(asker: Asker, server: ServerId): Client<ControlHandlers> {
  return client<ControlHandlers>(asker, new ActorRef(server, SERVER_ACTOR));
}

/** A server's loader: `missing`, `running`, `load`, `library`, `evaluate`. */
export function loaderClient(asker: Asker, server: ServerId): Client<LoaderHandlers> {
  return client<LoaderHandlers>(asker, new ActorRef(server, LOADER_ACTOR));
}

/**
 * Asks a server, or one of its actors, for a sign of life.
 *
 * @throws {EnsembleError} when none comes.
 */
export async function ping(
  asker: Asker,
  server: ServerId,
  actor: ActorId = SERVER_ACTOR,
): Promise<void> {
  await asker.ask(new ActorRef(server, actor), { type: "ping" });
}

/**
 * Tells an actor to shut down, and waits until it has.
 *
 * @throws {EnsembleError} when it does not answer.
 */
export async function shutDownActor(asker: Asker, server: ServerId, actor: ActorId): Promise<void> {
  await asker.ask(new ActorRef(server, actor), { type: "shutdown" });
}
