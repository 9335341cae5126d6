/**
 * The control protocol, which the actor `server` of every server answers.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import type { ActorSystem } from "../actor/actor_system.ts";
import { type ActorId, ActorRef, MAX_ACTOR_NAME, SERVER_ACTOR } from "../actor/references.ts";
import type { HandlersOf, RequestChecks } from "../actor/service.ts";
import {
  type ActorInfo,
  type Backtrace,
  backtrace,
  describeActor,
  describeGroup,
  findGroup,
  type GroupInfo,
} from "../actor/introspection.ts";
import { EnsembleError, InvalidInputError } from "../errors.ts";
import type { Address } from "../wire/address.ts";
import type { ActorServer } from "./actor_server.ts";
import { ADMIN, type Delegation, type Retraction, sessionOf } from "./capabilities.ts";
import { checkCapabilities, parseCapabilities, parseCapability } from "./capability_names.ts";
import type { ConnectionInfo, Traffic } from "./connection.ts";
import { MAX_COOKIES } from "./cookie_keys.ts";
import type { DrainStatus } from "./draining.ts";
import {
  type Bytes,
  INSTANCE_LENGTH,
  sameInstance,
  shortInstance,
  SIGNATURE_LENGTH,
} from "./credentials.ts";
import { CHALLENGE_LENGTH } from "./elevation.ts";
import {
  groupName,
  MAX_ADDRESSES,
  registryClient,
  type RegistryEntry,
  registryEntry,
} from "./registry_protocol.ts";
import {
  actorId,
  address,
  answerChecks,
  bytes,
  type Check,
  finiteNumber,
  flag,
  listOf,
  nothing,
  oneOf,
  optional,
  parts,
  requestChecks,
  serverId,
  shortened,
  text,
  timestamp,
  wholeNumber,
} from "./request_checks.ts";
import type { SecretsInUse } from "./server_secrets.ts";

/** The handlers of the actor `server`, for `client`. */
export type ControlHandlers = {
  /** The registered names of its actors, sorted. */
  listActors(): string[];
  /** Its members of a group, in the order in which they joined. */
  listMembers(request: { group: string }): ActorId[];
  /**
   * The actors that have names, sorted by them; or the one with a name or serial number. With
   * `tree`, the actors that have names or supervisors, in the order they started.
   */
  describeActors(request: { actor?: ActorId; tree?: boolean }): ActorInfo[];
  /** Its connections, except the one of the request. */
  listConnections(): ConnectionInfo[];
  /**
   * Starts an elevation. Returns the nonce to sign, or an empty one; see `Elevations.challenge`.
   */
  challenge(request: { capabilities: string[]; claimed?: string | undefined }): Uint8Array;
  /** Ends an elevation with an administrator's signature. */
  elevate(request: { signature: Bytes }): Promise<void>;
  /**
   * Grants capabilities in this server to the running instance of another. Returns that instance.
   */
  authorize(request: { server: string; capabilities: string[] }): Promise<RegistryEntry>;
  /** Revokes every capability of a server here. */
  retract(request: { server: string }): Retraction;
  /** The servers that have capabilities here, sorted. */
  delegations(): Delegation[];
  /** The cookies and administrators' keys that it uses, by their fingerprints. */
  secrets(): Promise<SecretsInUse>;
  /** Reads them again. Returns those that it uses then. */
  rereadSecrets(): Promise<SecretsInUse>;
  /** Connects to another server, through the registry or at the given addresses. */
  connect(request: { server: string; addresses?: Address[] }): Promise<void>;
  /** Takes the server out of use; see `ActorServer.drain`. Does not wait. */
  drain(): Promise<void>;
  /** Takes it into use again. Returns when the registry has that. */
  undrain(): Promise<void>;
  /** How far its draining is: when it is done, or else after `wait` ms. */
  drained(request: { wait: number }): Promise<DrainStatus>;
  /** Begins to stop the server. Returns the time that its actors have to shut down, in ms. */
  shutdown(): { grace: number };
  /** Ends an actor at once; see `ActorSystem.kill`. */
  kill(request: { actor: ActorId; reason?: string }): void;
  /** The state of the group or actor with a serial number; without one, of the root group. */
  threadState(request: { serial?: number }): GroupInfo | ActorInfo;
  /** The backtrace of an actor. */
  threadBacktrace(request: { serial: number }): Promise<Backtrace>;
  /** Monitors an actor for the asking server, which gets `down` once. */
  monitor(request: { monitor: number; actor: ActorId }): void;
  /** Ends a monitor. */
  demonitor(request: { monitor: number }): void;
  /** An actor monitored from here has ended. */
  down(request: { monitor: number; reason?: string }): void;
};

/** Makes the handlers of a server's actor `server`, to serve with {@linkcode controlChecks}. */
export function controlHandlers(server: ActorServer): HandlersOf<ControlHandlers> {
  const { actors, capabilities } = server;
  const describe = (actor: Actor): ActorInfo => {
    const essential = actor.name === SERVER_ACTOR || actors.essential.has(actor);
    return { ...describeActor(actor), ...(essential && { essential }) };
  };
  return {
    listActors: () => actors.actors().flatMap(({ name }) => name ?? []).sort(),

    listMembers: ({ group }) => actors.groups.members(group).map(({ ref }) => ref.actor),

    describeActors({ actor, tree }) {
      if (tree) {
        const shown = actors.actors().filter(({ name, keeper }) => name !== undefined || keeper);
        return shown.map(describe);
      }
      const named = actor === undefined
        ? actors.actors().filter(({ name }) => name !== undefined)
        : [actors.find(actor) ?? []].flat();
      return named.map(describe).sort((a, b) => a.name! < b.name! ? -1 : 1);
    },

    listConnections: (_request, context) =>
      server.connections().filter(({ peer }) => peer !== context.sender.server),

    challenge: (request, context) => server.elevations.challenge(context.envelope, request),

    elevate: ({ signature }, context) => server.elevations.elevate(context.envelope, signature),

    authorize({ server: id, capabilities: conferred }, context) {
      const delegate = async () => {
        const { entry } = await registryClient(actors).lookup({ id });
        if (!entry) {
          throw new EnsembleError(
            `no server ${id} is registered: only a running server can be authorized`,
            { code: "UNKNOWN_SERVER" },
          );
        }
        const instance = new Uint8Array(entry.instance);
        const connected = server.session(id)?.instance ?? instance;
        if (!sameInstance(connected, instance)) {
          throw new EnsembleError(
            `instance ${
              shortInstance(connected)
            } of ${id} is connected with ${actors.id}, and the ` +
              `registry knows ${
                shortInstance(instance)
              }: make sure which one is meant, and try again`,
          );
        }
        const by = capabilities.grantor(sessionOf(context.envelope));
        capabilities.delegate({ server: id, instance, capabilities: conferred, by });
        return entry;
      };
      return capabilities.attempt(context.envelope, {
        capability: ADMIN,
        what: "authorize",
        details: { server: id, capabilities: conferred },
        work: delegate,
      });
    },

    retract({ server: id }, context) {
      return capabilities.attempt(context.envelope, {
        capability: ADMIN,
        what: "retract",
        details: { server: id },
        work: () => capabilities.retract(id, server.session(id)),
        failure: ({ retracted }) =>
          retracted.length > 0 ? undefined : `${id} has no capabilities in ${actors.id}`,
      });
    },

    delegations: () => capabilities.delegations(),

    secrets: (_request, context) =>
      capabilities.attempt(context.envelope, {
        capability: ADMIN,
        what: "secrets",
        work: () => server.secrets.inUse(),
      }),

    rereadSecrets: (_request, context) =>
      capabilities.attempt(context.envelope, {
        capability: ADMIN,
        what: "reread secrets",
        work: () => server.secrets.reread(),
      }),

    connect(request, context) {
      const { server: id, addresses } = request;
      // The whole server would use these addresses, and connecting probes ports and sockets that
      // the sender may not be able to reach itself.
      return capabilities.attempt(context.envelope, {
        capability: ADMIN,
        what: "connect",
        details: { server: id },
        work: () => server.connect(id, addresses),
      });
    },

    threadState({ serial = actors.root.serial }) {
      const group = findGroup(actors, serial);
      if (group) return describeGroup(group);
      return describeActor(requireActor(actors, serial));
    },

    threadBacktrace: async ({ serial }) => await backtrace(requireActor(actors, serial)),

    drain: (_request, context) =>
      capabilities.attempt(context.envelope, {
        capability: ADMIN,
        what: "drain",
        details: {},
        work: () => server.drain({ timeout: 0 }),
      }),

    undrain: (_request, context) =>
      capabilities.attempt(context.envelope, {
        capability: ADMIN,
        what: "undrain",
        details: {},
        work: () => server.undrain(),
      }),

    drained: ({ wait }) => server.drainStatus(Math.min(wait, LONGEST_DRAIN_WAIT)),

    shutdown(_request, { envelope, sender }) {
      return { grace: server.beginStop(sessionOf(envelope)?.claimed ?? sender.server) };
    },

    kill({ actor, reason }, context) {
      capabilities.attempt(context.envelope, {
        capability: "shutdown",
        what: "shutdown",
        details: { actor, force: true, ...(reason !== undefined && { reason }) },
        work: () => server.kill(actor, reason),
      });
    },

    monitor: ({ monitor, actor }, context) => {
      const asker = context.sender.server;
      actors.watch({
        monitor,
        watcher: new ActorRef(asker, SERVER_ACTOR),
        watched: new ActorRef(actors.id, actor),
      });
    },

    demonitor: ({ monitor }, context) => actors.unwatch(monitor, context.sender.server),

    down: ({ monitor, reason }, context) =>
      actors.down({ monitor, server: context.sender.server, reason }),
  };
}

function requireActor(actors: ActorSystem, serial: number): Actor {
  const actor = actors.find(serial);
  if (!actor) {
    throw new EnsembleError(`no actor or group has the serial number ${serial}`, {
      code: "UNKNOWN_ACTOR",
    });
  }
  return actor;
}

/** The longest time that a request waits until the server is drained, in ms. */
const LONGEST_DRAIN_WAIT = 60_000;

/** Length limit for the reason in `down` messages from other servers, in UTF-16 code units. */
const MAX_REASON = 1000;

/** Length limit for the user that a client claims, in UTF-16 code units. */
const MAX_CLAIM = 128;

/** The checks of the actor `server`. */
export const controlChecks: RequestChecks = requestChecks<ControlHandlers>({
  listActors: nothing,
  listMembers: parts({ group: groupName }),
  describeActors: parts({ actor: optional(actorId), tree: optional(flag) }),
  listConnections: nothing,
  challenge: parts({
    capabilities: checkCapabilities,
    claimed: optional(shortened(MAX_CLAIM)),
  }),
  // A client that cancels sends an empty one.
  elevate: parts({ signature: bytes(SIGNATURE_LENGTH) }),
  authorize: parts({ server: serverId, capabilities: checkCapabilities }),
  retract: parts({ server: serverId }),
  delegations: nothing,
  secrets: nothing,
  rereadSecrets: nothing,
  connect: parts({ server: serverId, addresses: optional(listOf(address, MAX_ADDRESSES)) }),
  drain: nothing,
  undrain: nothing,
  drained: parts({ wait: wholeNumber }),
  shutdown: nothing,
  kill: parts({ actor: actorId, reason: optional(shortened(MAX_REASON)) }),
  threadState: parts({ serial: optional(wholeNumber) }),
  threadBacktrace: parts({ serial: wholeNumber }),
  monitor: parts({ monitor: wholeNumber, actor: actorId }),
  demonitor: parts({ monitor: wholeNumber }),
  down: parts({ monitor: wholeNumber, reason: optional(shortened(MAX_REASON)) }),
});

/** The maximum number of actors, connections and groups in an answer. */
const MAX_LISTED = 1_000_000;

/**
 * The maximum length of a group's path, a message's type and a stack frame, in UTF-16 code units.
 */
const MAX_LINE = 10_000;

/** The maximum length of a grantor's name, in UTF-16 code units. */
const MAX_GRANTOR = 200;

const line = text(MAX_LINE);
const capabilities = listOf(parseCapability, MAX_LISTED);

const actorInfo: Check<ActorInfo> = parts({
  serial: wholeNumber,
  name: optional(text(MAX_ACTOR_NAME)),
  group: line,
  state: oneOf("running", "receiving", "dead", "restarting"),
  mailbox: wholeNumber,
  handled: wholeNumber,
  age: finiteNumber,
  receives: optional(listOf(line, MAX_LINE)),
  types: optional(listOf(line, MAX_LINE)),
  child: optional(parts({ supervisor: wholeNumber, id: line, restarts: wholeNumber })),
  essential: optional(flag),
});

/** A group with all below it. Each group counts once for every group that contains it. */
function groupInfo(): Check<GroupInfo> {
  let left = MAX_LINE;
  const group: Check<GroupInfo> = (value) => {
    if (--left < 0) throw new InvalidInputError(`more than ${MAX_LINE} groups of actors`);
    return ofOne(value);
  };
  const ofOne: Check<GroupInfo> = parts({
    serial: wholeNumber,
    name: line,
    actors: listOf(actorInfo, MAX_LISTED),
    groups: listOf(group, MAX_LINE),
  });
  return group;
}

/** Bytes, or none. */
function noneOr(check: Check<Bytes>): Check<Bytes> {
  return (value) =>
    value instanceof Uint8Array && value.length === 0 ? new Uint8Array() : check(value);
}

const traffic: Check<Traffic> = parts({ messages: wholeNumber, bytes: wholeNumber });

/** The length of a fingerprint, in hex digits. */
const FINGERPRINT_LENGTH = 64;

const secretsInUse: Check<SecretsInUse> = parts({
  cookies: listOf(text(FINGERPRINT_LENGTH), MAX_COOKIES),
  adminKeys: listOf(text(FINGERPRINT_LENGTH), MAX_COOKIES),
  given: listOf(oneOf("cookie", "adminKey"), 2),
  behind: listOf(serverId, MAX_LISTED),
});

/** The checks of answers from another server's actor `server`. */
export const controlAnswers = answerChecks<ControlHandlers>({
  listActors: listOf(text(MAX_ACTOR_NAME), MAX_LISTED),
  listMembers: listOf(actorId, MAX_LISTED),
  describeActors: listOf(actorInfo, MAX_LISTED),
  listConnections: listOf(
    parts({
      peer: serverId,
      address,
      since: timestamp,
      received: traffic,
      sent: traffic,
      waiting: wholeNumber,
    }),
    MAX_LISTED,
  ),
  challenge: noneOr(bytes(CHALLENGE_LENGTH, CHALLENGE_LENGTH)),
  authorize: registryEntry,
  retract: parts({ retracted: capabilities, returning: capabilities }),
  delegations: listOf(
    parts({
      server: serverId,
      instance: optional(bytes(INSTANCE_LENGTH, INSTANCE_LENGTH)),
      capabilities: parseCapabilities,
      by: text(MAX_GRANTOR),
      since: timestamp,
    }),
    MAX_LISTED,
  ),
  secrets: secretsInUse,
  rereadSecrets: secretsInUse,
  drained: parts({
    isDraining: flag,
    isRegistered: flag,
    isDone: flag,
    busy: listOf(
      parts({ actor: text(MAX_ACTOR_NAME), begun: wholeNumber, waiting: wholeNumber }),
      MAX_LISTED,
    ),
  }),
  shutdown: parts({ grace: finiteNumber }),
  threadState: (value): GroupInfo | ActorInfo =>
    nothing(value) && Object.hasOwn(value as object, "groups")
      ? groupInfo()(value)
      : actorInfo(value),
  threadBacktrace: parts({
    suspended: optional(listOf(line, MAX_LINE)),
    started: listOf(line, MAX_LINE),
  }),
});
