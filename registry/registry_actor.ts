/**
 * The registry's actor: answers lookups from a store.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Actor } from "../runtime/actor/actor.ts";
import { UNBOUNDED } from "../runtime/actor/mailbox.ts";
import type { HandlerContext } from "../runtime/actor/handler_context.ts";
import { REGISTRY_ID } from "../runtime/actor/references.ts";
import type { HandlersOf } from "../runtime/actor/service.ts";
import { EnsembleError, InvalidInputError } from "../runtime/errors.ts";
import type { ActorServer } from "../runtime/server/actor_server.ts";
import { ADMIN, type Session, sessionOf } from "../runtime/server/capabilities.ts";
import { sameInstance, shortInstance } from "../runtime/server/credentials.ts";
import {
  describeServer,
  PAGE_SIZE,
  REGISTRY,
  registryChecks,
  type RegistryEntry,
  type RegistryHandlers,
} from "../runtime/server/registry_protocol.ts";
import { formatAddressUrl } from "../runtime/wire/address.ts";
import { MAX_TURN } from "../runtime/wire/limits.ts";
import type { RegistryStore } from "./store.ts";

const logger = getLogger(["gxensemble", "registry"]);

/** The maximum number of pending changes of one server. */
const MAX_WAITING = 64;

/** The parts of its server that the registry's actor needs. */
type RegistryServer = Pick<ActorServer, "actors" | "entry" | "capabilities" | "presence">;

/** Starts the registry's actor in a server, over a store. */
export function serveRegistry(server: RegistryServer, store: RegistryStore): Actor {
  const handlers = registryHandlers(server, store);
  // Concurrent: `presence` may take a second, and new connections wait for `lookup`.
  const options = { concurrent: true, drains: false, mailbox: UNBOUNDED, requests: registryChecks };
  return server.actors.serve(String(REGISTRY.actor), handlers, options);
}

/**
 * Creates the handlers of the registry's actor. A change is answered when it is durable. If
 * capabilities are enforced, a server may change only its own entry, and an administrator any.
 */
function registryHandlers(
  server: RegistryServer,
  store: RegistryStore,
): HandlersOf<RegistryHandlers> {
  const { capabilities } = server;
  const changes = new Changes();
  const change = <Result>(
    { envelope }: HandlerContext,
    { id, what, make, failure }: {
      id: string;
      what: string;
      make: () => Promise<Result>;
      failure?: (result: Awaited<Result>) => string | undefined;
    },
  ): Promise<Result> => {
    const by = envelope.source.server;
    const work = () => changes.make(by, make);
    if (by === id) return work();
    const action = { capability: ADMIN, what, details: { server: id } };
    return capabilities.attempt<Promise<Result>>(envelope, { ...action, work, failure });
  };
  // A server can change its entry any number of times.
  const mayLog = (changes: string, context: HandlerContext) =>
    server.actors.lines.allows(context.sender.server, `${changes} of entries`);
  return {
    add({ entry }, context) {
      const { id, instance, roles, addresses } = entry;
      if (id === REGISTRY_ID && context.envelope.session) {
        throw new InvalidInputError(`not a registry entry: ${id} is the id of the registry itself`);
      }
      const session = ownSession(id, context);
      // An entry identifies a server to those that look it up, and decides who gets its
      // capabilities.
      if (session && !sameInstance(session.instance, instance)) {
        throw new InvalidInputError(`not a registry entry of ${id}: the instance is another's`);
      }
      const make = async () => {
        const old = await store.get(id);
        await store.put(entry);
        if (old && !sameInstance(old.instance, instance) && mayLog("replacements", context)) {
          logReplacement(old, entry);
        }
        if (!mayLog("additions", context)) return;
        logger.info("added {id}: {roles} {addresses}", {
          id,
          roles,
          addresses: addresses.map(formatAddressUrl),
        });
      };
      return change(context, { id, what: "add to the registry", make });
    },

    remove({ id, instance }, context) {
      const session = ownSession(id, context);
      const make = async () => {
        const removed = await store.delete(id, instance);
        if (session && sameInstance(session.instance, instance)) session.left = true;
        if (removed && mayLog("removals", context)) logger.info("removed {id}", { id });
        return removed;
      };
      const failure = (removed: boolean) =>
        removed ? undefined : `the registry does not have this instance of ${id}`;
      return change(context, { id, what: "remove from the registry", make, failure });
    },

    lookup: ({ id }) => id === REGISTRY_ID ? Promise.resolve(server.entry) : store.get(id),

    async list({ role, after }) {
      const entries = await store.list({ role, after, limit: PAGE_SIZE + 1 });
      const page = entries.slice(0, PAGE_SIZE);
      return { entries: page, ...(entries.length > PAGE_SIZE && { next: page.at(-1)!.id }) };
    },

    async presence({ id, instance }, context) {
      // It connects to addresses that a member announced, and its answer shows what is there.
      capabilities.require(context.envelope, {
        capability: ADMIN,
        what: "presence",
        details: { server: id },
      });
      const entry = await store.get(id);
      if (!entry || !sameInstance(entry.instance, instance)) return "gone";
      return await server.presence(entry);
    },
  };
}

/**
 * The changes of the store, in the order of the requests, since a server may leave a moment after
 * it registered. Each waits for the disk, so many in a row would block all other requests.
 */
class Changes {
  /** The number of pending changes of each server. */
  readonly #waiting = new Map<string | undefined, number>();
  #last: Promise<unknown> = Promise.resolve();
  /** The time of the last event loop turn while changes were waiting. */
  #turned = 0;

  /**
   * Makes a change after the pending ones.
   *
   * @throws {EnsembleError} if the same server has too many pending changes.
   */
  async make<Result>(by: string | undefined, change: () => Promise<Result>): Promise<Result> {
    const waiting = this.#waiting.get(by) ?? 0;
    if (waiting >= MAX_WAITING) {
      throw new EnsembleError(
        `${
          by ?? REGISTRY_ID
        } has ${waiting} pending changes of the registry: wait until one is made`,
        { code: "LIMIT_REACHED" },
      );
    }
    if (this.#waiting.size === 0) this.#turned = performance.now();
    this.#waiting.set(by, waiting + 1);
    const changed = this.#last.then(() => this.#turn()).then(change);
    this.#last = changed.catch(() => {});
    try {
      return await changed;
    } finally {
      const left = this.#waiting.get(by)! - 1;
      if (left > 0) this.#waiting.set(by, left);
      else this.#waiting.delete(by);
    }
  }

  /** Yields to the event loop if changes have blocked it for long. */
  async #turn(): Promise<void> {
    if (performance.now() - this.#turned < MAX_TURN) return;
    // A timer, since Deno polls its sockets only after many turns of `setImmediate`.
    await new Promise((resolve) => setTimeout(resolve));
    this.#turned = performance.now();
  }
}

/** The connection of a server that asks about itself. */
function ownSession(id: string, { envelope }: HandlerContext): Session | undefined {
  const session = sessionOf(envelope);
  return session?.peer === id ? session : undefined;
}

function logReplacement(old: RegistryEntry, entry: RegistryEntry): void {
  const describe = (entry: RegistryEntry) =>
    `instance ${shortInstance(entry.instance)} of ${describeServer(entry)} at ` +
    (entry.addresses.map(formatAddressUrl).join(", ") || "no address");
  logger.warn("{new} replaces {old}", { new: describe(entry), old: describe(old) });
}
