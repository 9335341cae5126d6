/**
 * What the requests of the registry look like.
 *
 * @module
 */
import type { RequestChecks } from "../actor/service.ts";
import { INSTANCE_LENGTH } from "./instance.ts";
import { MAX_ADDRESSES, MAX_ROLE, MAX_ROLES } from "./registry_entry.ts";
import type { RegistryHandlers } from "./registry_protocol.ts";
import {
  address,
  bytes,
  listOf,
  nothing,
  optional,
  parts,
  requestChecks,
  serverId,
  text,
} from "./request_checks.ts";

const instance = bytes(INSTANCE_LENGTH, INSTANCE_LENGTH);

/** The checks of the registry's actor. */
export const registryChecks: RequestChecks = requestChecks<RegistryHandlers>({
  // It is kept for long and handed to others: it must be an entry in every part.
  add: parts({
    entry: parts({
      id: serverId,
      instance,
      addresses: listOf(address, MAX_ADDRESSES),
      roles: listOf(text(MAX_ROLE), MAX_ROLES),
    }),
  }),
  remove: parts({ id: serverId, instance: optional(instance) }),
  lookup: parts({ id: serverId }),
  lookupRole: parts({ role: text(MAX_ROLE) }),
  list: nothing,
});
