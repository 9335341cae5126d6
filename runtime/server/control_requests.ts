/**
 * What the requests of the control protocol look like.
 *
 * @module
 */
import type { RequestChecks } from "../actor/service.ts";
import { checkCapabilities } from "./capabilities.ts";
import type { ControlHandlers } from "./control.ts";
import { MAX_ADDRESSES } from "./registry_entry.ts";
import { SIGNATURE_LENGTH } from "./instance.ts";
import {
  actorId,
  address,
  bytes,
  listOf,
  nothing,
  optional,
  parts,
  requestChecks,
  serverId,
  shortened,
  wholeNumber,
} from "./request_checks.ts";

/** How much of the reason that an actor elsewhere ended for is kept, in UTF-16 code units. */
const MAX_REASON = 1000;

/** The checks of the actor `server`. */
export const controlChecks: RequestChecks = requestChecks<ControlHandlers>({
  listActors: nothing,
  listConnections: nothing,
  challenge: parts({ capabilities: checkCapabilities }),
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
