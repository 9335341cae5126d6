/**
 * Operations on other servers.
 *
 * @module
 */
import type { ActorSystem } from "../actor/actor_system.ts";
import { onDown, onPing, onUnexpected } from "../actor/cases.ts";
import type { AskOptions, Destination, Messaging } from "../actor/messaging.ts";
import { type ActorId, ActorRef, SERVER_ACTOR } from "../actor/references.ts";
import { type Client, client } from "../actor/service.ts";
import { within } from "../timeout.ts";
import { ProtocolError, TimeoutError } from "../errors.ts";
import { controlAnswers, type ControlHandlers } from "../server/control.ts";
import { type DrainStatus, notDrained, notDraining } from "../server/draining.ts";
import {
  type ListQuery,
  registryClient,
  type RegistryEntry,
  type RegistryPage,
} from "../server/registry_protocol.ts";
import { LOADER_ACTOR, loaderAnswers, type LoaderHandlers } from "./loader_protocol.ts";

/** Anything that can ask: an actor, a server. */
export type Asker = Pick<Messaging, "ask">;

/** Which registered servers to list, and how long each answer may take. */
export interface ListOptions extends AskOptions, Pick<ListQuery, "role" | "group" | "states"> {}

/**
 * Lists registered servers, sorted by id, page by page. With a role or a group, the default is those
 * that are `up`; without one, all.
 *
 * @throws {ProtocolError} if the registry repeats pages.
 */
export async function* listPages(
  asker: Asker,
  { role, group, states, ...options }: ListOptions = {},
): AsyncGenerator<RegistryPage> {
  const registry = registryClient(asker);
  let after: string | undefined;
  do {
    const page = await registry.list({ role, group, states, after }, options);
    yield page;
    if (page.next !== undefined && after !== undefined && page.next <= after) {
      throw new ProtocolError(`the registry repeats its list after ${after}`);
    }
    after = page.next;
  } while (after !== undefined);
}

/**
 * Lists registered servers as {@linkcode listPages} does, from all pages.
 *
 * @throws {ProtocolError} if the registry repeats pages.
 */
export async function listServers(
  asker: Asker,
  options?: ListOptions & { onPage?(page: RegistryPage): void },
): Promise<RegistryEntry[]> {
  const entries: RegistryEntry[] = [];
  for await (const page of listPages(asker, options)) {
    options?.onPage?.(page);
    entries.push(...page.entries);
  }
  return entries;
}

/** A server's control: `listActors`, `listConnections`, `connect`, `shutdown`. */
export function controlClient(asker: Asker, server: string): Client<ControlHandlers> {
  return client<ControlHandlers>(asker, new ActorRef(server, SERVER_ACTOR), {
    answers: controlAnswers,
  });
}

/** A server's loader: `missing`, `ship`, `load`, `history`, `library`, `evaluate` and more. */
export function loaderClient(asker: Asker, server: string): Client<LoaderHandlers> {
  return client<LoaderHandlers>(asker, new ActorRef(server, LOADER_ACTOR), {
    answers: loaderAnswers,
  });
}

/**
 * Pings a server, or one of its actors. An actor answers a ping before the messages in its mailbox,
 * unless it is busy, or waits for something other than messages.
 *
 * @throws {EnsembleError} if there is no answer.
 */
export async function ping(
  asker: Asker,
  server: string,
  actor: ActorId = SERVER_ACTOR,
): Promise<void> {
  await pingActor(asker, new ActorRef(server, actor));
}

/**
 * Pings an actor, as {@linkcode ping} does, at any destination.
 *
 * @throws {EnsembleError} if there is no answer.
 */
export async function pingActor(
  asker: Asker,
  destination: Destination,
  options?: AskOptions,
): Promise<void> {
  const why = "it is busy, or does not handle ping";
  await askActor(asker, destination, { type: "ping", why, ...options });
}

/**
 * Shuts an actor down, and waits until it has ended. The request comes before the messages in its
 * mailbox.
 *
 * @throws {EnsembleError} if it does not answer.
 */
export async function shutDownActor(asker: Asker, server: string, actor: ActorId): Promise<void> {
  await askActor(
    asker,
    new ActorRef(server, actor),
    {
      type: "shutdown",
      why: "it is busy or cleaning up, or does not handle shutdown; " +
        `to end it at once: gxensemble shutdown -f ${server} ${actor}`,
    },
  );
}

/**
 * Ends an actor at once, without its clean-up: see `ActorSystem.kill`.
 *
 * @throws {EnsembleError} if there is none, or it is a part of its server.
 */
export async function killActor(asker: Asker, server: string, actor: ActorId): Promise<void> {
  await controlClient(asker, server).kill({ actor });
}

/** Asks an actor that may not answer; `why` is the explanation for the error. */
async function askActor(
  asker: Asker,
  destination: Destination,
  { type, why, ...options }: AskOptions & { type: string; why: string },
): Promise<void> {
  try {
    await asker.ask(destination, { type }, options);
  } catch (error) {
    const isServer = destination instanceof ActorRef && destination.actor === SERVER_ACTOR;
    if (!(error instanceof TimeoutError) || isServer) throw error;
    // Otherwise the server, or the registry, does not answer.
    if (error.silence && error.silence.stage !== "request") throw error;
    const explained = new TimeoutError(`${error.message}: ${why}`);
    explained.silence = error.silence;
    throw explained;
  }
}

/** How long one request waits until a server is drained, in ms, and how late its answer may be. */
const DRAIN_WAIT = 2_000;
const DRAIN_MARGIN = 5_000;

/**
 * Takes a server out of use, and waits until it has finished what it had begun.
 *
 * @param options.timeout how long to wait, in ms; 0 only begins. Default: no limit.
 * @param options.onWaiting called from time to time while it is not done.
 * @throws {EnsembleError} if it cannot be reached, refuses, or is not drained after that time.
 */
export async function drainServer(
  asker: Asker,
  server: string,
  { timeout = Infinity, onWaiting }: {
    readonly timeout?: number;
    readonly onWaiting?: (status: DrainStatus) => void;
  } = {},
): Promise<void> {
  const control = controlClient(asker, server);
  const until = performance.now() + timeout;
  await control.drain();
  if (timeout === 0) return;
  while (true) {
    const wait = Math.ceil(Math.max(0, Math.min(DRAIN_WAIT, until - performance.now())));
    const status = await control.drained({ wait }, { timeout: wait + DRAIN_MARGIN });
    if (status.isDone) return;
    if (!status.isDraining) throw notDraining(server);
    if (performance.now() >= until) throw notDrained(server, { status, timeout });
    onWaiting?.(status);
  }
}

/** Options of {@linkcode shutDownServer}. */
export interface ShutDownServerOptions {
  /**
   * Called once if it takes longer than a few seconds, with the time that the server's actors have,
   * in ms.
   */
  readonly onWaiting?: (grace: number) => void;
  /**
   * Time until the server must have ended, in ms. Default: the time of its actors, and a margin.
   */
  readonly timeout?: number | undefined;
}

/** The maximum time that a server takes to stop in addition to its actors, in ms. */
const STOP_MARGIN = 7_000;

/** Delay before a waiting command explains what it waits for, in ms. */
const NOTICE_DELAY = 5_000;

/**
 * Shuts a server down, and waits until it is gone.
 *
 * @throws {EnsembleError} if it cannot be reached, refuses, or is still there after that time.
 */
export async function shutDownServer(
  actors: ActorSystem,
  server: string,
  options: ShutDownServerOptions = {},
): Promise<void> {
  const { grace } = await controlClient(actors, server).shutdown();
  await waitUntilGone(actors, server, { ...options, grace });
}

/**
 * Waits until a server is gone that was told to shut down.
 *
 * @param options.grace the time that it takes at most, in ms, without a margin.
 * @throws {TimeoutError} if it is still there after that time.
 */
export async function waitUntilGone(
  actors: ActorSystem,
  server: string,
  { grace, onWaiting, timeout }: ShutDownServerOptions & { readonly grace: number },
): Promise<void> {
  const limit = timeout ?? grace + STOP_MARGIN;
  const watch = actors.spawn(undefined, (self) => {
    self.monitor(new ActorRef(server, SERVER_ACTOR));
    return self.loop([onDown(() => self.exit("the server is gone")), onPing, onUnexpected]);
  });
  const patience = Math.min(limit, NOTICE_DELAY);
  if (await within(patience, watch.ended)) return;
  if (limit > patience) onWaiting?.(grace);
  if (await within(limit - patience, watch.ended)) return;
  watch.exit("the server is still there");
  const time = `${limit / 1000} s after it was told to shut down`;
  throw new TimeoutError(`${server} is still there ${time}`);
}
