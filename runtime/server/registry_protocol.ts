/**
 * The registry's protocol: its entries, its requests and their answers.
 *
 * @module
 */
import { checkGroupName, MAX_GROUP_NAME, MAX_GROUPS } from "../actor/memberships.ts";
import type { Messaging } from "../actor/messaging.ts";
import { ActorRef, REGISTRY_ID } from "../actor/references.ts";
import { type Client, client, type RequestChecks } from "../actor/service.ts";
import { DisconnectedError, EnsembleError, InvalidInputError } from "../errors.ts";
import type { Kernel } from "../own_process.ts";
import { type Address, formatAddress, formatAddressUrl } from "../wire/address.ts";
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
  positive,
  recordOf,
  requestChecks,
  serverId,
  text,
  timestamp,
  utf8,
  wholeNumber,
} from "./request_checks.ts";

/** The registry's actor. */
export const REGISTRY: ActorRef = new ActorRef(REGISTRY_ID, "registry");

/** The maximum number of entries in an answer: some megabytes of the largest ones. */
export const PAGE_SIZE = 256;

/** The maximum number of changes in an answer. */
export const MAX_CHANGES = 256;

/** The maximum number of ids in a query for changes. A server that follows more asks for all. */
export const MAX_WATCHED_IDS = 256;

/** The maximum number of roles in a query for changes. */
export const MAX_WATCHED_ROLES = 32;

/** The maximum number of groups in a query for changes. */
export const MAX_WATCHED_GROUPS = 256;

/** The longest time that a query for changes may wait, in ms. */
export const LONGEST_WAIT = 300_000;

/** The longest part of a {@linkcode Kernel}, in UTF-16 code units. */
const MAX_KERNEL = 64;

/** The longest version of a server's program, in UTF-16 code units. */
const MAX_VERSION = 64;

/** The longest cursor, in UTF-16 code units. */
const MAX_CURSOR = 192;

/** The maximum number of a server's addresses. */
export const MAX_ADDRESSES = 16;

/** The longest address, in UTF-16 code units of its list form. */
export const MAX_ADDRESS = 512;

/** What an address has besides its host and path, in UTF-16 code units of its list form. */
const SHORTEST_ADDRESS = 32;

/** The maximum number of a server's roles. */
export const MAX_ROLES = 32;

/** The longest role, in bytes of UTF-8. */
export const MAX_ROLE = 64;

/** The maximum number of registries over one store. */
export const MAX_REGISTRIES = 64;

/** The longest name of a lock, in bytes of UTF-8. */
export const MAX_LOCK = 128;

/** The longest key of a lock, in UTF-16 code units. */
const MAX_LOCK_KEY = 64;

/** The longest `user@host`, in UTF-16 code units. */
export const MAX_OPERATOR = 512;

/** The states that a server has by its own account. */
export const OWN_STATES = ["starting", "up", "draining"] as const;

/** The states of a registered server. */
export const SERVER_STATES = [...OWN_STATES, "unreachable"] as const satisfies ServerState[];

/**
 * The state that a server has by its own account: `starting` until it is ready, then `up`, and
 * `draining` when it takes no new work.
 */
export type OwnState = typeof OWN_STATES[number];

/**
 * The state of a registered server. It is `unreachable` when its lease has run out, or when its
 * connection broke and its addresses refuse.
 *
 * @example Look up servers that are about to be up, too
 * ```ts
 * import { type ServerState, startServer } from "@gxensemble/ensemble";
 *
 * const states: ServerState[] = ["starting", "up"];
 * await using client = await startServer();
 * console.log(await client.lookup({ role: "worker", states }));
 * ```
 */
export type ServerState = "starting" | "up" | "draining" | "unreachable";

/** What a server says of itself. */
export interface OwnEntry {
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
  /** Its state. */
  readonly state: OwnState;
  /** How many of its actors are in each group that has any of them; absent if there is none. */
  readonly groups?: Readonly<Record<string, number>> | undefined;
  /**
   * Its process id on {@linkcode OwnEntry.host}; absent in entries from databases of version 1.
   */
  readonly pid?: number | undefined;
  /** The name of its host when the process started. */
  readonly host?: string | undefined;
  /** The kernel of its process; absent if the system does not report it. */
  readonly kernel?: Kernel | undefined;
  /** The version of gxensemble that it runs. */
  readonly version?: string | undefined;
  /** When it started, in ms since 1970. */
  readonly startedAt?: number | undefined;
}

/** A registered server. */
export interface RegistryEntry extends Omit<OwnEntry, "state"> {
  /** Its state, as the registry sees it. */
  readonly state: ServerState;
  /** The revision of the store at which the entry last changed; 0 for the registry's own. */
  readonly revision: number;
  /** How long its lease still runs, in ms. Only in answers, and only if the registry knows. */
  readonly leaseLeft?: number | undefined;
}

/** The kinds of changes of an entry. */
export const CHANGE_KINDS = [...SERVER_STATES, "changed", "left", "gone"] as const;

/**
 * What happened to an entry: it got this state, or is new with it; it `changed` and kept its state;
 * its server `left`; or it is `gone`, since it was unreachable for long or an administrator removed
 * it. When another instance takes an id over, that is one change, with the new entry.
 */
export type ChangeKind = typeof CHANGE_KINDS[number];

/** A change of an entry. */
export interface EntryChange {
  /** What happened. */
  readonly change: ChangeKind;
  /** The id of the entry. */
  readonly id: string;
  /** The revision of the store with this change. Later changes have greater ones. */
  readonly revision: number;
  /** Its roles; if it was removed, those that it had. */
  readonly roles: readonly string[];
  /** The entry; absent if it was removed. */
  readonly entry?: RegistryEntry | undefined;
}

/** Whether the registry's knowledge is current. */
export interface Staleness {
  /** How long ago the registry last heard from its store, in ms; absent if the store answers. */
  readonly staleFor?: number | undefined;
}

/** The answer to a lookup. */
export interface RegistryLookup extends Staleness {
  /** The entry, if there is one. */
  readonly entry?: RegistryEntry | undefined;
  /** The cursor for the changes after this answer. */
  readonly cursor: string;
}

/** A page of entries, sorted by id. */
export interface RegistryPage extends Staleness {
  /** At most {@linkcode PAGE_SIZE} of them. */
  readonly entries: RegistryEntry[];
  /** The `after` of the next request; absent on the last page. A page may be short, or empty. */
  readonly next?: string | undefined;
  /**
   * The cursor for the changes after this page. A list of several pages goes on with the cursor of
   * the first one: entries of later pages may then include changes that are told again, with a
   * revision that is not greater than that of the entry.
   */
  readonly cursor: string;
}

/** A query for a page of entries. */
export interface ListQuery {
  /** Only servers with this role. Default: all. */
  readonly role?: string | undefined;
  /** Only servers with members of this group, if there is no role. Default: all. */
  readonly group?: string | undefined;
  /** Only servers in these states. Default: `up` with a role or a group, else all states. */
  readonly states?: readonly ServerState[] | undefined;
  /** Only ids after this one. Default: from the first. */
  readonly after?: string | undefined;
  /** The maximum number of entries. Default and maximum: {@linkcode PAGE_SIZE}. */
  readonly limit?: number | undefined;
}

/** A query for changes: of all entries, or of those with these ids, roles or groups. */
export interface ChangesQuery {
  /** The cursor of a list, or of earlier changes. */
  readonly after: string;
  /** The ids of servers. */
  readonly ids?: readonly string[] | undefined;
  /** Roles: changes of entries that have one of them, or had one before the change. */
  readonly roles?: readonly string[] | undefined;
  /** Groups: changes of entries that have members of one, or had some before the change. */
  readonly groups?: readonly string[] | undefined;
  /** Whether to give all changes, whatever the ids, roles and groups. */
  readonly all?: boolean | undefined;
  /** How long to wait for a change if there is none, in ms. */
  readonly wait: number;
}

/** The answer to a query for changes. */
export interface RegistryChanges extends Staleness {
  /** The cursor for the changes after these. */
  readonly cursor: string;
  /** The changes, in the order of their revisions; at most {@linkcode MAX_CHANGES}. */
  readonly changes: EntryChange[];
  /**
   * Set if the registry does not have the changes after the given cursor any more: list again. Then
   * there are no changes in the answer.
   */
  readonly compacted?: boolean | undefined;
}

/** What a server gets for its registration. */
export interface Lease {
  /** The revision of its entry, for {@linkcode RegistryHandlers.renew}. */
  readonly revision: number;
  /** How long the lease runs after each renewal, in ms. Servers renew it at a third of that. */
  readonly lease: number;
}

/** Who holds a lock. */
export interface LockHolder {
  /** The id of the server that asked for it. */
  readonly console: string;
  /** The operator, by the server's account: `user@host`. */
  readonly by: string;
  /** Since when, in ms since 1970. */
  readonly since: number;
}

/** A request for a lock. */
export interface LockClaim extends Omit<LockHolder, "since"> {
  /** The name of the lock. */
  readonly name: string;
  /** A secret of the holder, who renews and frees the lock with it. */
  readonly key: string;
  /** Whether the holder has the lock, as far as it knows. */
  readonly renews?: boolean | undefined;
}

/** The answer to a request for a lock. */
export interface LockAnswer {
  /** Whether the server that asked holds it now, for one lease. */
  readonly taken: boolean;
  /** Who else holds it; absent if a holder may be known only later. */
  readonly holder?: LockHolder | undefined;
  /** How long it takes at most until the lock is free, if it is not renewed, in ms. */
  readonly wait?: number | undefined;
}

/** The handlers of the registry's actor, for `client`. */
export type RegistryHandlers = {
  /**
   * Adds a server's entry, or changes it, such as to another state. Refused with `ID_TAKEN` while
   * the id belongs to another instance.
   */
  register(request: { entry: OwnEntry }): Promise<Lease>;
  /**
   * Renews the lease of an entry. The answer is false if the registry does not have this instance
   * with this revision as a reachable server: then it has to register again.
   */
  renew(request: { id: string; instance: Uint8Array; revision: number }): Promise<boolean>;
  /** Removes the entry of an instance of a server. Returns whether it existed. */
  remove(request: { id: string; instance: Uint8Array }): Promise<boolean>;
  /**
   * Removes the entry of a server that is not alive; with `force`, of any. A server that runs
   * registers again. Where capabilities are enforced, it takes the capability `admin`.
   */
  forget(request: { id: string; force?: boolean | undefined }): Promise<void>;
  /** The entry of a server in any state, or of the registry itself, which is in no list. */
  lookup(request: { id: string }): Promise<RegistryLookup>;
  /** A page of entries. */
  list(request: ListQuery): Promise<RegistryPage>;
  /**
   * The changes after a cursor. If there are none, waits for one. A newer query of the same actor
   * ends the waiting of its earlier one.
   */
  changes(request: ChangesQuery): Promise<RegistryChanges>;
  /** The entries of all registries over the same store, this one included. */
  registries(): Promise<RegistryEntry[]>;
  /**
   * Takes a lock for one lease, or renews it. Where capabilities are enforced, it takes the
   * capability `loader`.
   */
  lock(request: Omit<LockClaim, "console">): Promise<LockAnswer & { readonly lease: number }>;
  /** Frees a lock. Returns whether it was held with this key. */
  unlock(request: Pick<LockClaim, "name" | "key">): Promise<boolean>;
  /** Who holds a lock. */
  lockHolder(request: { name: string }): Promise<LockHolder | undefined>;
  /**
   * Whether a registered instance is running, as far as the registry can tell; "gone" if it is not
   * registered.
   */
  presence(request: { id: string; instance: Uint8Array }): Promise<Presence>;
};

/** Which store a cursor is of: only those of the same one can be compared. */
export function epochOf(cursor: string): string {
  return cursor.slice(0, cursor.lastIndexOf(":"));
}

/** The revision of the store that a cursor stands for. */
export function revisionOf(cursor: string): number {
  return Number(cursor.slice(cursor.lastIndexOf(":") + 1));
}

/** The groups that have members in a server. */
export function groupsOf(entry: Pick<OwnEntry, "groups"> | undefined): string[] {
  return Object.keys(entry?.groups ?? {});
}

/** How many members of a group are in a server. */
export function membersIn({ groups }: Pick<OwnEntry, "groups">, group: string): number {
  // A group may have the name of something that all objects have.
  return groups && Object.hasOwn(groups, group) ? groups[group]! : 0;
}

/** Whether a cursor of the same store comes before another. */
export function isOlder(cursor: string | undefined, other: string | undefined): boolean {
  return cursor !== undefined && other !== undefined && epochOf(cursor) === epochOf(other) &&
    revisionOf(cursor) < revisionOf(other);
}

/** Formats a registered server for messages: `httpd1 (pid 123 on host a)`. */
export function describeServer(
  { id, pid, host }: Pick<RegistryEntry, "id" | "pid" | "host">,
): string {
  return pid === undefined ? id : `${id} (pid ${pid} on host ${host})`;
}

/**
 * Formats where an instance runs, for messages, with the first of its addresses: `pid 123 on host a
 * at tcp://a:4000`.
 */
export function describePlace(
  { pid, host, addresses }: Pick<RegistryEntry, "pid" | "host" | "addresses">,
): string {
  const process = pid === undefined ? "a process" : `pid ${pid} on host ${host}`;
  const [first] = addresses;
  return first ? `${process} at ${formatAddressUrl(first)}` : process;
}

/**
 * What keeps an id for the instance that is registered: its connection stands, it answers at its
 * address, or its lease still runs.
 */
export type Holder = "connection" | "answer" | "lease";

/** Makes the error for a server whose id is another instance's. */
export function idTaken(entry: RegistryEntry, holder: Holder): EnsembleError {
  const { leaseLeft } = entry;
  const until = holder === "lease" && leaseLeft !== undefined
    ? `; its lease ends in ${Math.ceil(leaseLeft / 1000)} s`
    : "";
  return new EnsembleError(`${entry.id} is already running: ${describePlace(entry)}${until}`, {
    code: "ID_TAKEN",
  });
}

/** Adds to the message of an error of {@linkcode idTaken} where the refused server is. */
export function withClaimant(
  { message }: Error,
  claimant: Pick<OwnEntry, "pid" | "host" | "addresses">,
): EnsembleError {
  const advice = "stop that one, or choose another id";
  return new EnsembleError(`${message}; this one is ${describePlace(claimant)}: ${advice}`, {
    code: "ID_TAKEN",
  });
}

const instance = bytes(INSTANCE_LENGTH, INSTANCE_LENGTH);

/** An address that fits into an entry. */
const shortAddress: Check<Address> = (value) => {
  const checked = address(value);
  const { length } = checked.kind === "unix" ? checked.host + checked.path : checked.host;
  // In the list form, a code unit takes at most seven characters.
  if (7 * length <= MAX_ADDRESS - SHORTEST_ADDRESS) return checked;
  if (formatAddress(checked).length <= MAX_ADDRESS) return checked;
  throw new InvalidInputError(`an address must not be longer than ${MAX_ADDRESS} characters`);
};

const process = {
  pid: optional(wholeNumber),
  host: optional(text(MAX_HOST)),
  kernel: optional(parts({ boot: text(MAX_KERNEL), processes: text(MAX_KERNEL) })),
};

/** The host and process of a server. */
export const serverProcess: Check<Pick<OwnEntry, "pid" | "host" | "kernel">> = parts(process);

const roles = listOf(utf8(MAX_ROLE), MAX_ROLES);

/** The name of a group. */
export const groupName: Check<string> = (value) => checkGroupName(utf8(MAX_GROUP_NAME)(value));

const described = {
  id: serverId,
  instance,
  addresses: listOf(shortAddress, MAX_ADDRESSES),
  roles,
  groups: optional(recordOf(groupName, positive, MAX_GROUPS)),
  ...process,
  version: optional(text(MAX_VERSION)),
  startedAt: optional((value) => wholeNumber(timestamp(value))),
};

/** What a server says of itself. */
export const ownEntry: Check<OwnEntry> = parts({ ...described, state: oneOf(...OWN_STATES) });

/** Who holds a lock. */
export const lockHolder: Check<LockHolder> = parts({
  console: serverId,
  by: text(MAX_OPERATOR),
  since: timestamp,
});

const lockKey = { name: utf8(MAX_LOCK), key: text(MAX_LOCK_KEY) };

/** A complete entry. */
export const registryEntry: Check<RegistryEntry> = parts({
  ...described,
  state: oneOf(...SERVER_STATES),
  revision: wholeNumber,
  leaseLeft: optional(wholeNumber),
});

const cursor = text(MAX_CURSOR);

const oneInstance = { id: serverId, instance };

/** The checks of the registry's actor. */
export const registryChecks: RequestChecks = requestChecks<RegistryHandlers>({
  // It is stored and passed on, so every part is checked.
  register: parts({ entry: ownEntry }),
  renew: parts({ ...oneInstance, revision: wholeNumber }),
  remove: parts(oneInstance),
  forget: parts({ id: serverId, force: optional(flag) }),
  lookup: parts({ id: serverId }),
  list: parts({
    role: optional(utf8(MAX_ROLE)),
    group: optional(groupName),
    states: optional(listOf(oneOf(...SERVER_STATES), SERVER_STATES.length)),
    after: optional(serverId),
    limit: optional(wholeNumber),
  }),
  changes: parts({
    after: cursor,
    ids: optional(listOf(serverId, MAX_WATCHED_IDS)),
    roles: optional(listOf(utf8(MAX_ROLE), MAX_WATCHED_ROLES)),
    groups: optional(listOf(groupName, MAX_WATCHED_GROUPS)),
    all: optional(flag),
    wait: wholeNumber,
  }),
  registries: parts({}),
  lock: parts({ ...lockKey, by: text(MAX_OPERATOR), renews: optional(flag) }),
  unlock: parts(lockKey),
  lockHolder: parts({ name: lockKey.name }),
  presence: parts(oneInstance),
});

const staleness = { staleFor: optional(wholeNumber) };

const answers = answerChecks<RegistryHandlers>({
  register: parts({ revision: wholeNumber, lease: wholeNumber }),
  renew: flag,
  remove: flag,
  lookup: parts({ entry: optional(registryEntry), cursor, ...staleness }),
  list: parts({
    entries: listOf(registryEntry, PAGE_SIZE),
    next: optional(serverId),
    cursor,
    ...staleness,
  }),
  changes: parts({
    cursor,
    changes: listOf(
      parts({
        change: oneOf(...CHANGE_KINDS),
        id: serverId,
        revision: wholeNumber,
        roles,
        entry: optional(registryEntry),
      }),
      MAX_CHANGES,
    ),
    compacted: optional(flag),
    ...staleness,
  }),
  registries: listOf(registryEntry, MAX_REGISTRIES),
  lock: parts({
    taken: flag,
    holder: optional(lockHolder),
    wait: optional(wholeNumber),
    lease: wholeNumber,
  }),
  unlock: flag,
  lockHolder: optional(lockHolder),
  presence: oneOf("running", "gone", "unknown"),
});

/**
 * A client of the registry: its methods are those of {@linkcode RegistryHandlers}. Its answers are
 * checked, since they contain addresses to connect to.
 *
 * If the connection is lost before an answer, it asks once again: another registry may answer, or
 * the same one after a restart. Every request may be made twice.
 */
export function registryClient(asker: Pick<Messaging, "ask">): Client<RegistryHandlers> {
  const ask: Messaging["ask"] = async <Reply>(
    ...[destination, request, options]: Parameters<Messaging["ask"]>
  ) => {
    try {
      return await asker.ask<Reply>(destination, request, options);
    } catch (error) {
      if (!(error instanceof DisconnectedError && error.wasConnected)) throw error;
      return await asker.ask<Reply>(destination, request, options);
    }
  };
  return client<RegistryHandlers>({ ask }, REGISTRY, { answers });
}
