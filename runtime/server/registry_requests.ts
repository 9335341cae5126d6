/**
 * What the requests of the registry look like, and its answers.
 *
 * @module
 */
import type { Messaging } from "../actor/messaging.ts";
import { type Client, client, type RequestChecks } from "../actor/service.ts";
import { InvalidInputError } from "../errors.ts";
import { type Address, formatAddress } from "../wire/address.ts";
import { INSTANCE_LENGTH } from "./instance.ts";
import { MAX_KERNEL } from "./kernel.ts";
import {
  MAX_ADDRESS,
  MAX_ADDRESSES,
  MAX_HOST,
  MAX_ROLE,
  MAX_ROLES,
  type RegistryEntry,
} from "./registry_entry.ts";
import { PAGE_SIZE, REGISTRY, type RegistryHandlers } from "./registry_protocol.ts";
import {
  address,
  answerChecks,
  bytes,
  type Check,
  flag,
  listOf,
  oneOf,
  optional,
  parts,
  requestChecks,
  serverId,
  text,
  utf8,
  wholeNumber,
} from "./request_checks.ts";

const instance = bytes(INSTANCE_LENGTH, INSTANCE_LENGTH);

/** An address that fits into an entry. */
const shortAddress: Check<Address> = (value) => {
  const checked = address(value);
  if (formatAddress(checked).length <= MAX_ADDRESS) return checked;
  throw new InvalidInputError(`an address of a server has up to ${MAX_ADDRESS} characters`);
};

const process = {
  pid: optional(wholeNumber),
  host: optional(text(MAX_HOST)),
  kernel: optional(parts({ boot: text(MAX_KERNEL), processes: text(MAX_KERNEL) })),
};

/** Where a server runs. */
export const serverProcess: Check<Pick<RegistryEntry, "pid" | "host" | "kernel">> = parts(process);

/** A server's entry in every part. */
export const registryEntry: Check<RegistryEntry> = parts({
  id: serverId,
  instance,
  addresses: listOf(shortAddress, MAX_ADDRESSES),
  roles: listOf(utf8(MAX_ROLE), MAX_ROLES),
  ...process,
});

/** The checks of the registry's actor. */
export const registryChecks: RequestChecks = requestChecks<RegistryHandlers>({
  // It is kept for long and handed to others: it must be an entry in every part.
  add: parts({ entry: registryEntry }),
  remove: parts({ id: serverId, instance }),
  lookup: parts({ id: serverId }),
  list: parts({ role: optional(utf8(MAX_ROLE)), after: optional(serverId) }),
  presence: parts({ id: serverId, instance }),
});

const answers = answerChecks<RegistryHandlers>({
  remove: flag,
  lookup: optional(registryEntry),
  list: parts({ entries: listOf(registryEntry, PAGE_SIZE), next: optional(serverId) }),
  presence: oneOf("running", "gone", "unknown"),
});

/** The registry, as a server or a command asks it. Its answers are checked: it says where others are. */
export function askRegistry(asker: Pick<Messaging, "ask">): Client<RegistryHandlers> {
  return client<RegistryHandlers>(asker, REGISTRY, { answers });
}
