/**
 * What the requests of the control protocol look like, and its answers.
 *
 * @module
 */
import { checkCapabilities, parseCapabilities, parseCapability } from "../actor/capability.ts";
import { MAX_ACTOR_NAME } from "../actor/ref.ts";
import type { RequestChecks } from "../actor/service.ts";
import type { ActorInfo, GroupInfo } from "../actor/thread_state.ts";
import { InvalidInputError } from "../errors.ts";
import { NONCE_LENGTH } from "./capabilities.ts";
import type { ControlHandlers } from "./control.ts";
import type { Bytes } from "./handshake_messages.ts";
import { INSTANCE_LENGTH, SIGNATURE_LENGTH } from "./instance.ts";
import { MAX_ADDRESSES } from "./registry_entry.ts";
import { registryEntry } from "./registry_requests.ts";
import {
  actorId,
  address,
  answerChecks,
  bytes,
  type Check,
  finiteNumber,
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

/** How much of the reason that an actor elsewhere ended for is kept, in UTF-16 code units. */
const MAX_REASON = 1000;

/** How much is kept of what a client says who is at work, in UTF-16 code units. */
const MAX_CLAIM = 128;

/** The checks of the actor `server`. */
export const controlChecks: RequestChecks = requestChecks<ControlHandlers>({
  listActors: nothing,
  listConnections: nothing,
  challenge: parts({
    capabilities: checkCapabilities,
    claimed: optional(shortened(MAX_CLAIM)),
  }),
  // A client that gives up says so with an empty one.
  elevate: parts({ signature: bytes(SIGNATURE_LENGTH) }),
  authorize: parts({ server: serverId, capabilities: checkCapabilities }),
  retract: parts({ server: serverId }),
  delegations: nothing,
  connect: parts({ server: serverId, addresses: optional(listOf(address, MAX_ADDRESSES)) }),
  shutdown: nothing,
  kill: parts({ actor: actorId }),
  threadState: parts({ serial: optional(wholeNumber) }),
  threadBacktrace: parts({ serial: wholeNumber }),
  monitor: parts({ monitor: wholeNumber, actor: actorId }),
  demonitor: parts({ monitor: wholeNumber }),
  down: parts({ monitor: wholeNumber, reason: optional(shortened(MAX_REASON)) }),
});

/** The most actors, connections and groups that an answer may have. */
const MAX_LISTED = 1_000_000;

/** The longest path of a group, type of a message and frame of a stack, in UTF-16 code units. */
const MAX_LINE = 10_000;

/** The longest name of who conferred a capability, in UTF-16 code units. */
const MAX_GRANTOR = 200;

const line = text(MAX_LINE);
const capabilities = listOf(parseCapability, MAX_LISTED);

const actorInfo: Check<ActorInfo> = parts({
  serial: wholeNumber,
  name: optional(text(MAX_ACTOR_NAME)),
  group: line,
  state: oneOf("running", "receiving", "dead"),
  mailbox: wholeNumber,
  handled: wholeNumber,
  age: finiteNumber,
  receives: optional(listOf(line, MAX_LINE)),
});

/** A group with all below it; groups that are in each other in any number of ways are as many groups. */
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

/** Bytes that may be missing. */
function noneOr(check: Check<Bytes>): Check<Bytes> {
  return (value) =>
    value instanceof Uint8Array && value.length === 0 ? new Uint8Array() : check(value);
}

/** The checks of what the actor `server` of another server answers. */
export const controlAnswers = answerChecks<ControlHandlers>({
  listActors: listOf(text(MAX_ACTOR_NAME), MAX_LISTED),
  listConnections: listOf(parts({ peer: serverId, address }), MAX_LISTED),
  challenge: noneOr(bytes(NONCE_LENGTH, NONCE_LENGTH)),
  authorize: registryEntry,
  retract: parts({ retracted: capabilities, returning: capabilities }),
  delegations: listOf(
    parts({
      server: serverId,
      instance: bytes(INSTANCE_LENGTH, INSTANCE_LENGTH),
      capabilities: parseCapabilities,
      by: text(MAX_GRANTOR),
      since: timestamp,
    }),
    MAX_LISTED,
  ),
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
