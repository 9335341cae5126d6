/**
 * The registry, for servers: its entries, its requests, and how a server stays registered.
 *
 * @module
 */
import type { Messaging } from "../actor/messaging.ts";
import { ActorRef, REGISTRY_ID } from "../actor/references.ts";
import { type Client, client, type RequestChecks } from "../actor/service.ts";
import { InvalidInputError } from "../errors.ts";
import type { Kernel } from "../own_process.ts";
import { type Address, formatAddress } from "../wire/address.ts";
import { INSTANCE_LENGTH } from "./credentials.ts";
import type { Presence } from "./presence.ts";
import {
  address,
  answerChecks,
  bytes,
  type Check,
  flag,
  listOf,
  MAX_HOST,
  oneOf,
  optional,
  parts,
  requestChecks,
  serverId,
  text,
  utf8,
  wholeNumber,
} from "./request_checks.ts";

/** The registry's actor. */
export const REGISTRY: ActorRef = new ActorRef(REGISTRY_ID, "registry");

/** The maximum number of entries in an answer: some megabytes of the largest ones. */
export const PAGE_SIZE = 256;

/** A page of entries, sorted by id. */
export interface RegistryPage {
  /** At most {@linkcode PAGE_SIZE} of them. */
  readonly entries: RegistryEntry[];
  /** The `after` of the next request; absent on the last page. */
  readonly next?: string | undefined;
}

/** The handlers of the registry's actor, for `client`. */
export type RegistryHandlers = {
  /** Adds a server's entry, replacing an earlier one. */
  add(request: { entry: RegistryEntry }): Promise<void>;
  /** Removes the entry of an instance of a server. Returns whether it existed. */
  remove(request: { id: string; instance: Uint8Array }): Promise<boolean>;
  /** The entry of a server, or of the registry itself, which is in no list. */
  lookup(request: { id: string }): Promise<RegistryEntry | undefined>;
  /** A page of all entries, or of those with a role, after an id. */
  list(request: { role?: string | undefined; after?: string | undefined }): Promise<RegistryPage>;
  /**
   * Whether a registered instance is running, as far as the registry can tell; "gone" if it is not
   * registered.
   */
  presence(request: { id: string; instance: Uint8Array }): Promise<Presence>;
};

/** The longest part of a {@linkcode Kernel}, in UTF-16 code units. */
const MAX_KERNEL = 64;

/** The maximum number of a server's addresses. */
export const MAX_ADDRESSES = 16;

/** The longest address, in UTF-16 code units of its list form. */
export const MAX_ADDRESS = 512;

/** The maximum number of a server's roles. */
export const MAX_ROLES = 32;

/** The longest role, in bytes of UTF-8. */
export const MAX_ROLE = 64;

/** A registered server. */
export interface RegistryEntry {
  /** The server's id, which is the key of the entry. */
  readonly id: string;
  /**
   * The instance key: the public key of the running instance, new at each start. It distinguishes a
   * server from its predecessor with the same id.
   */
  readonly instance: Uint8Array;
  /** The server's addresses, in the announced order. */
  readonly addresses: readonly Address[];
  /** The server's roles, in the announced order. */
  readonly roles: readonly string[];
  /**
   * Its process id on {@linkcode RegistryEntry.host}; absent in entries from databases of version
   * 1.
   */
  readonly pid?: number | undefined;
  /** The name of its host when the process started. */
  readonly host?: string | undefined;
  /** The kernel of its process; absent if the system does not report it. */
  readonly kernel?: Kernel | undefined;
}

/** Formats a registered server for messages: `httpd1 (pid 123 on host a)`. */
export function describeServer(
  { id, pid, host }: Pick<RegistryEntry, "id" | "pid" | "host">,
): string {
  return pid === undefined ? id : `${id} (pid ${pid} on host ${host})`;
}

const instance = bytes(INSTANCE_LENGTH, INSTANCE_LENGTH);

/** An address that fits into an entry. */
const shortAddress: Check<Address> = (value) => {
  const checked = address(value);
  if (formatAddress(checked).length <= MAX_ADDRESS) return checked;
  throw new InvalidInputError(`an address must not be longer than ${MAX_ADDRESS} characters`);
};

const process = {
  pid: optional(wholeNumber),
  host: optional(text(MAX_HOST)),
  kernel: optional(parts({ boot: text(MAX_KERNEL), processes: text(MAX_KERNEL) })),
};

/** The host and process of a server. */
export const serverProcess: Check<Pick<RegistryEntry, "pid" | "host" | "kernel">> = parts(process);

/** A complete entry. */
export const registryEntry: Check<RegistryEntry> = parts({
  id: serverId,
  instance,
  addresses: listOf(shortAddress, MAX_ADDRESSES),
  roles: listOf(utf8(MAX_ROLE), MAX_ROLES),
  ...process,
});

/** The checks of the registry's actor. */
export const registryChecks: RequestChecks = requestChecks<RegistryHandlers>({
  // It is stored and passed on, so every part is checked.
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

/**
 * A client of the registry: `add`, `remove`, `lookup`, `list` of a page, `presence`. Its answers
 * are checked, since they contain addresses to connect to.
 */
export function registryClient(asker: Pick<Messaging, "ask">): Client<RegistryHandlers> {
  return client<RegistryHandlers>(asker, REGISTRY, { answers });
}
