/**
 * The registry's actor: registers servers in a store, and answers what is known of them.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Actor } from "../runtime/actor/actor.ts";
import { UNBOUNDED } from "../runtime/actor/mailbox.ts";
import type { HandlerContext } from "../runtime/actor/handler_context.ts";
import { REGISTRY_ID } from "../runtime/actor/references.ts";
import type { HandlersOf } from "../runtime/actor/service.ts";
import type { EnsembleServer } from "../runtime/ensemble/ensemble_server.ts";
import { EnsembleError, InvalidInputError } from "../runtime/errors.ts";
import type { ActorServer } from "../runtime/server/actor_server.ts";
import { ADMIN, LOADER, type Session, sessionOf } from "../runtime/server/capabilities.ts";
import { sameInstance, shortInstance } from "../runtime/server/credentials.ts";
import {
  describePlace,
  type OwnEntry,
  REGISTRY,
  registryChecks,
  type RegistryEntry,
  type RegistryHandlers,
} from "../runtime/server/registry_protocol.ts";
import { formatAddressUrl } from "../runtime/wire/address.ts";
import { BlockingQueries } from "./blocking_queries.ts";
import { BrokenConnections } from "./broken_connections.ts";
import { ChangeQueue } from "./change_queue.ts";
import { Directory } from "./directory.ts";
import { EntryChanges } from "./entry_changes.ts";
import type { RegistryStore } from "./store.ts";

const logger = getLogger(["gxensemble", "registry"]);

/** The parts of its server that the registry's actor needs. */
export type RegistryServer =
  & Pick<
    ActorServer,
    "actors" | "entry" | "capabilities" | "presence" | "holderOf" | "onDisconnected" | "hold"
  >
  & Partial<Pick<EnsembleServer, "status" | "addHealthCheck">>;

/**
 * Starts the registry's actor in a server, over a store, which is closed with the server.
 *
 * @throws {EnsembleError} if the store cannot be read.
 */
export async function serveRegistry(server: RegistryServer, store: RegistryStore): Promise<Actor> {
  server.hold(store);
  const directory = new Directory();
  await store.start(directory);
  // It answers as soon as it can be asked.
  await store.announce({ ...server.entry, state: "up" });
  const queries = new BlockingQueries(directory, store);
  server.status?.parts.add(() => ({
    registry: { entries: directory.size, watchers: queries.size },
  }));
  server.addHealthCheck?.("store", () => requireStore(directory));
  const broken = new BrokenConnections(directory, {
    store,
    presence: (entry) => server.presence(entry),
  });
  server.onDisconnected(({ peer, instance, left }) => {
    queries.disconnected(peer);
    if (!left) broken.lookFor({ id: peer, instance });
  });
  const handlers = registryHandlers(server, { store, directory, queries });
  // Concurrent: `presence` may take a second, and new connections wait for `lookup`.
  const options = { concurrent: true, drains: false, mailbox: UNBOUNDED, requests: registryChecks };
  const actor = server.actors.serve(String(REGISTRY.actor), handlers, options);
  actor.ended.then(() => {
    queries.close();
    broken.close();
  });
  return actor;
}

/** Throws if the store does not answer. */
function requireStore({ staleFor }: Directory): void {
  if (staleFor === undefined) return;
  throw new EnsembleError(`the store has not answered for ${Math.round(staleFor / 1000)} s`);
}

/** The parts of the registry. */
interface RegistryParts {
  readonly store: RegistryStore;
  readonly directory: Directory;
  readonly queries: BlockingQueries;
}

/**
 * Creates the handlers of the registry's actor. A change is answered when it is durable. If
 * capabilities are enforced, a server may change only its own entry, and an administrator any.
 */
function registryHandlers(
  server: RegistryServer,
  { store, directory, queries }: RegistryParts,
): HandlersOf<RegistryHandlers> {
  const { capabilities } = server;
  const queue = new ChangeQueue();
  const changes = new EntryChanges(server, { store, directory });
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
    const work = () => queue.make(id, { by, change: make });
    if (by === id) return work();
    const action = { capability: ADMIN, what, details: { server: id } };
    return capabilities.attempt<Promise<Result>>(envelope, { ...action, work, failure });
  };
  // A server can change its entry any number of times.
  const mayLog = (changes: string, context: HandlerContext) =>
    server.actors.lines.allows(context.sender.server, `${changes} of entries`);
  const staleness = () => {
    const { staleFor } = directory;
    return staleFor === undefined ? {} : { staleFor };
  };
  const withLease = (entry: RegistryEntry): RegistryEntry => {
    const leaseLeft = store.leaseLeft(entry.id);
    return leaseLeft === undefined ? entry : { ...entry, leaseLeft };
  };
  const own = (): RegistryEntry => ({ ...server.entry, revision: 0 });

  return {
    register({ entry }, context) {
      const { id, instance, roles, addresses, state } = entry;
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
        const { revision, before } = await changes.register(entry);
        if (before && !sameInstance(before.instance, instance) && mayLog("replacements", context)) {
          logReplacement(before, entry);
        }
        const isNews = revision !== before?.revision && !(before && isAlike(before, entry));
        if (isNews && mayLog("additions", context)) {
          logger.info("{id} is {state}: {roles} {addresses}", {
            id,
            state,
            roles,
            addresses: addresses.map(formatAddressUrl),
          });
        }
        return { revision, lease: store.lease };
      };
      return change(context, { id, what: "add to the registry", make });
    },

    renew({ id, instance, revision }, context) {
      if (context.sender.server !== id) {
        capabilities.require(context.envelope, {
          capability: ADMIN,
          what: "renew in the registry",
          details: { server: id },
        });
      }
      const entry = directory.get(id);
      if (entry?.revision !== revision || !sameInstance(entry.instance, instance)) return false;
      return store.renew(id, instance);
    },

    remove({ id, instance }, context) {
      const session = ownSession(id, context);
      const make = async () => {
        const { server: by } = context.sender;
        const isRemoved = await changes.remove({ id, instance }, by === id ? "left" : "gone");
        if (session && sameInstance(session.instance, instance)) session.left = true;
        if (isRemoved && mayLog("removals", context)) {
          if (by === id) logger.info("{id} has left", { id });
          else logger.info("{id} was removed by {by}", { id, by });
        }
        return isRemoved;
      };
      const failure = (removed: boolean) =>
        removed ? undefined : `the registry does not have this instance of ${id}`;
      return change(context, { id, what: "remove from the registry", make, failure });
    },

    forget({ id, force }, context) {
      const make = async () => {
        await changes.forget(id, { force });
        logger.info("{id} was removed by {by}", { id, by: context.sender.server });
      };
      return change(context, { id, what: "forget", make });
    },

    lookup({ id }) {
      const entry = id === REGISTRY_ID ? own() : directory.get(id);
      return {
        ...entry && { entry: withLease(entry) },
        cursor: queries.cursor(),
        ...staleness(),
      };
    },

    list(query) {
      // Before the entries: a change that is in both is told again, and none is lost.
      const cursor = queries.cursor();
      const { entries, next } = directory.page(query);
      return {
        entries: entries.map(withLease),
        ...next !== undefined && { next },
        cursor,
        ...staleness(),
      };
    },

    changes: (query, { sender }) => queries.ask(sender, query),

    registries: () => store.registries(),

    async lock(claim, { envelope, sender }) {
      // Renewals are not in the audit log.
      if (!claim.renews || !capabilities.allows(envelope, LOADER)) {
        const action = { capability: LOADER, what: "lock", details: { lock: claim.name } };
        capabilities.require(envelope, action);
      }
      const answer = await store.lock({ ...claim, console: sender.server });
      return { ...answer, lease: store.lease };
    },

    // It takes the key of the holder.
    unlock: (claim) => store.unlock(claim),

    lockHolder: ({ name }) => store.lockHolder(name),

    async presence({ id, instance }, context) {
      // It connects to addresses that a member announced, and its answer shows what is there.
      capabilities.require(context.envelope, {
        capability: ADMIN,
        what: "presence",
        details: { server: id },
      });
      const entry = directory.get(id);
      if (!entry || !sameInstance(entry.instance, instance)) return "gone";
      return await server.presence(entry);
    },
  };
}

/** The connection of a server that asks about itself. */
function ownSession(id: string, { envelope }: HandlerContext): Session | undefined {
  const session = sessionOf(envelope);
  return session?.peer === id ? session : undefined;
}

/** Whether an entry differs from another one in what is not logged: the groups. */
function isAlike(old: RegistryEntry, entry: OwnEntry): boolean {
  const logged = ({ instance, state, roles, addresses }: OwnEntry | RegistryEntry) => ({
    instance,
    state,
    roles,
    addresses,
  });
  return isDeepStrictEqual(logged(old), logged(entry));
}

function logReplacement(old: RegistryEntry, entry: OwnEntry): void {
  const describe = (entry: Pick<OwnEntry, "id" | "instance" | "pid" | "host" | "addresses">) =>
    `instance ${shortInstance(entry.instance)} of ${entry.id} as ${describePlace(entry)}`;
  logger.warn("{new} replaces {old}", { new: describe(entry), old: describe(old) });
}
