/**
 * What can be asked of servers from afar.
 *
 * @module
 */
import { type ActorSystem, SERVER_ACTOR } from "../actor/actor_system.ts";
import { on } from "../actor/cases.ts";
import type { Messaging } from "../actor/messaging.ts";
import { type ActorId, ActorRef } from "../actor/ref.ts";
import type { ServerId } from "../actor/server_id.ts";
import { type Client, client } from "../actor/service.ts";
import { LOADER_ACTOR, type LoaderHandlers } from "../code/loader_protocol.ts";
import { TimeoutError } from "../errors.ts";
import { DEFAULT_GRACE } from "../server/actor_server.ts";
import type { ControlHandlers } from "../server/control.ts";
import type { RegistryEntry } from "../server/registry_entry.ts";
import { REGISTRY, type RegistryHandlers } from "../server/registry_protocol.ts";

/** What can ask: an actor, a server. */
export type Asker = Pick<Messaging, "ask">;

/** The registry: `add`, `remove`, `lookup`, `list` of a page, `presence`. */
export function registryClient(asker: Asker): Client<RegistryHandlers> {
  return client<RegistryHandlers>(asker, REGISTRY);
}

/** The entries of all registered servers, or of those with a role, sorted by id; asks for all pages. */
export async function listServers(
  asker: Asker,
  { role }: { role?: string } = {},
): Promise<RegistryEntry[]> {
  const registry = registryClient(asker);
  const entries: RegistryEntry[] = [];
  let after: ServerId | undefined;
  do {
    const page = await registry.list({ role, after });
    entries.push(...page.entries);
    after = page.next;
  } while (after !== undefined);
  return entries;
}

/** A server's control: `listActors`, `listConnections`, `connect`, `shutdown`. */
export function controlClient(asker: Asker, server: ServerId): Client<ControlHandlers> {
  return client<ControlHandlers>(asker, new ActorRef(server, SERVER_ACTOR));
}

/** A server's loader: `missing`, `ship`, `load`, `history`, `library`, `evaluate` and more. */
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

/** How long a server may take to shut down, in ms: its actors' grace, and a margin. */
const SHUTDOWN_TIMEOUT = DEFAULT_GRACE + 7_000;

/**
 * Shuts a server down, and waits until it is gone.
 *
 * @throws {EnsembleError} when it cannot be reached, refuses, or is still there after 10 s.
 */
export async function shutDownServer(actors: ActorSystem, server: ServerId): Promise<void> {
  await controlClient(actors, server).shutdown({}, { timeout: SHUTDOWN_TIMEOUT });
  const watch = actors.spawn(undefined, async (self) => {
    self.monitor(new ActorRef(server, SERVER_ACTOR));
    await self.receive([on("down", () => {})], {
      timeout: SHUTDOWN_TIMEOUT,
      else: () => {
        throw new TimeoutError(`${server} answered, and is still there`);
      },
    });
  });
  const error = await watch.ended;
  if (error) throw error;
}
