/**
 * The registry's stores: what each of them does, and the choice of one.
 *
 * @module
 */
import { InvalidInputError } from "../runtime/errors.ts";
import { parseSeconds } from "../runtime/measures.ts";
import { quoted } from "../runtime/safe_text.ts";
import { type InternetAddress, parseAddresses } from "../runtime/wire/address.ts";
import type { EtcdAccessFiles } from "./etcd_access.ts";
import type {
  EntryChange,
  LockAnswer,
  LockClaim,
  LockHolder,
  OwnEntry,
  RegistryEntry,
} from "../runtime/server/registry_protocol.ts";

/** The default time that a lease runs after each renewal, in ms. */
export const DEFAULT_LEASE = 15_000;

/** The shortest and the longest lease, in ms. */
const SHORTEST_LEASE = 2_000;
const LONGEST_LEASE = 3_600_000;

/**
 * Parses a lease in seconds, and returns it in ms.
 *
 * @throws {InvalidInputError} if it is not from 2 to 3600 seconds.
 */
export function parseLease(text: string): number {
  const lease = parseSeconds(text, { isZeroAllowed: false });
  if (lease >= SHORTEST_LEASE && lease <= LONGEST_LEASE) return lease;
  throw new InvalidInputError(`a lease has 2 to 3600 seconds: ${quoted(text)}`);
}

/**
 * How long an entry stays `unreachable` before it is gone, in leases.
 */
export const UNREACHABLE_LEASES = 4;

/** The number of changes that are kept for queries with an older cursor. */
export const KEPT_CHANGES = 10_000;

/** A change as a store records it. Entries in it have no `leaseLeft`. */
export interface StoredChange extends EntryChange {
  /** The roles that the entry had before the change and does not have now. */
  readonly lostRoles: readonly string[];
  /** The groups that had members before the change and have none now. */
  readonly lostGroups: readonly string[];
}

/** All entries at a revision, and the latest changes up to it. */
export interface Snapshot {
  /** The entries, in any order. */
  readonly entries: Iterable<RegistryEntry>;
  /** The revision of the store. */
  readonly revision: number;
  /** The latest changes, in the order of their revisions. Default: none. */
  readonly changes?: readonly StoredChange[];
  /** All changes after this revision are in `changes`. Default: {@linkcode Snapshot.revision}. */
  readonly since?: number;
}

/** What a store reports to the registry that uses it. */
export interface StoreFeed {
  /**
   * All entries. Reported once before all changes, and again if the store could not go on from its
   * last change.
   */
  snapshot(snapshot: Snapshot): void;
  /** A change, in the order of revisions, by this registry or by another one over the store. */
  change(change: StoredChange): void;
  /**
   * That the store does not answer, with the time at which it was last heard, by
   * `performance.now()`; undefined when it answers again.
   */
  stale(since: number | undefined): void;
}

/** How an entry was removed. */
export type Removal = "left" | "gone";

/**
 * A set of entries, one for each server id, with leases. Every change has a revision, which is
 * greater than all earlier ones.
 *
 * A change is made only if the entry still has the expected revision, with 0 for none. So of two
 * registries that change an entry at once, one looks again. A change resolves when it is as durable
 * as the store promises, and rejects with a message for people if it cannot be made; it may be
 * reported to the feed before or after that.
 *
 * When a lease runs out, the store makes the entry `unreachable`, and removes it as `gone` after
 * {@linkcode UNREACHABLE_LEASES}. After a restart of the registry, every lease runs for its full
 * time again.
 */
export interface RegistryStore extends AsyncDisposable {
  /**
   * Identifies the revisions: stores that have the same epoch have the same changes. Valid when
   * {@linkcode RegistryStore.start} has resolved. Short text without colons.
   */
  readonly epoch: string;

  /** Whether other registries over the store may know later changes than this one. */
  readonly shared: boolean;

  /** How long a lease runs after each renewal, in ms. */
  readonly lease: number;

  /**
   * Begins to report to a feed, first a snapshot.
   *
   * @throws {EnsembleError} if the store cannot be read.
   */
  start(feed: StoreFeed): Promise<void>;

  /**
   * Adds or replaces an entry, and starts its lease.
   *
   * @returns the revision of the change; undefined if the entry does not have the expected one.
   */
  put(entry: OwnEntry, expected: number): Promise<number | undefined>;

  /**
   * Renews the lease of a reachable entry.
   *
   * @returns false if there is no such entry, or its lease has run out.
   */
  renew(id: string, instance: Uint8Array): Promise<boolean> | boolean;

  /**
   * Makes an entry unreachable before its lease has run out.
   *
   * @returns false if it does not have the expected revision.
   */
  lapse(id: string, expected: number): Promise<boolean>;

  /**
   * Removes an entry.
   *
   * @returns false if it does not have the expected revision.
   */
  delete(
    id: string,
    options: { readonly expected: number; readonly as: Removal },
  ): Promise<boolean>;

  /** How long the lease of an entry still runs, in ms; undefined if that is not known. */
  leaseLeft(id: string): number | undefined;

  /** Makes the registry that uses this store known to the others over it, until it is closed. */
  announce(registry: OwnEntry): Promise<void>;

  /** The registries over this store, the announced one included. */
  registries(): Promise<RegistryEntry[]>;

  /**
   * Takes a lock, or renews it for the full lease if the key is that of its holder. All registries
   * over the store see the same locks. A lock survives a restart of a registry.
   */
  lock(claim: LockClaim): Promise<LockAnswer>;

  /** Frees a lock. Returns false if the key is not that of its holder. */
  unlock(claim: Pick<LockClaim, "name" | "key">): Promise<boolean>;

  /** Who holds a lock; undefined if it is free. */
  lockHolder(name: string): Promise<LockHolder | undefined>;

  /** Closes the store, which then reports nothing more. The same as disposing of it. */
  close(): Promise<void>;
}

/** The location of a store, from `--store`. */
export type StoreLocation =
  | {
    readonly kind: "sqlite"; /** The file. Default: in the server's directory. */
    readonly path?: string;
  }
  | { readonly kind: "memory" }
  | {
    readonly kind: "etcd";
    /** Where members of the cluster take clients. */
    readonly members: readonly InternetAddress[];
    /** What the keys of the ensemble begin with, before a slash. */
    readonly prefix: string;
  };

/** The longest prefix of keys in etcd, in characters. */
const MAX_PREFIX = 64;

/** The port of etcd for clients. */
const ETCD_PORT = 2379;

/**
 * Parses the URL of a store: `sqlite:`, `sqlite:<path>`, `memory:` or
 * `etcd://<host>:<port>,<host>:<port>/<prefix>`.
 *
 * @throws {InvalidInputError} for anything else.
 */
export function parseStoreLocation(text: string): StoreLocation {
  if (text === "memory:") return { kind: "memory" };
  if (text === "sqlite:") return { kind: "sqlite" };
  if (text.startsWith("sqlite:")) return { kind: "sqlite", path: text.slice("sqlite:".length) };
  if (text.startsWith("etcd://")) return parseEtcd(text);
  throw storeError(
    text,
    'use "sqlite:", "sqlite:<path>", "memory:" or "etcd://<host>:<port>,.../<prefix>"',
  );
}

function parseEtcd(text: string): StoreLocation {
  const [, hosts = "", prefix] = /^etcd:\/\/([^/]*)(?:\/(.*))?$/s.exec(text)!;
  if (hosts.includes("@")) {
    throw storeError(text, "name the user with --store-user, and its --store-password-file");
  }
  if (!/^[\w.:%[\],-]*$/.test(hosts)) {
    throw storeError(text, "write host:port, with commas between several");
  }
  if (!prefix) {
    throw storeError(
      text,
      "add what the keys of this ensemble begin with, as in etcd://host:2379/ensemble",
    );
  }
  if (!/^[\w.-]+(?:\/[\w.-]+)*$/.test(prefix) || prefix.length > MAX_PREFIX) {
    throw storeError(
      text,
      `its prefix may have letters, digits, and . _ - / between them, ${MAX_PREFIX} at most`,
    );
  }
  const members = hosts.split(",").map((host) => {
    const endpoint = /:\d+$/.test(host) ? host : `${host}:${ETCD_PORT}`;
    try {
      return parseAddresses(`tcp://${endpoint}`)[0] as InternetAddress;
    } catch (error) {
      const { message } = error as Error;
      throw storeError(text, message.replace(/^not an address: /, ""));
    }
  });
  return { kind: "etcd", members, prefix };
}

function storeError(text: string, why: string): InvalidInputError {
  return new InvalidInputError(`not a registry store: ${JSON.stringify(text)}: ${why}`);
}

/** Options of {@linkcode openStore}. */
export interface OpenStoreOptions {
  /** The file of a `sqlite:` store without a path. */
  readonly defaultPath: string;
  /** How long a lease runs, in ms. Default: {@linkcode DEFAULT_LEASE}. */
  readonly lease?: number | undefined;
  /** The access to the store in etcd. */
  readonly access?: EtcdAccessFiles | undefined;
}

/**
 * Opens a store.
 *
 * @throws {EnsembleError} if the store cannot be opened.
 */
export async function openStore(
  location: StoreLocation,
  { defaultPath, lease, access = {} }: OpenStoreOptions,
): Promise<RegistryStore> {
  if (location.kind !== "etcd" && Object.values(access).some((value) => value !== undefined)) {
    throw new InvalidInputError(
      "--store-user, --store-password-file, --store-ca, --store-cert and --store-key are for a " +
        "store in etcd",
    );
  }
  if (location.kind === "memory") {
    const { MemoryStore } = await import("./local_store.ts");
    return new MemoryStore({ lease });
  }
  if (location.kind === "etcd") {
    const { readEtcdAccess } = await import("./etcd_access.ts");
    const { EtcdStore } = await import("./etcd_store.ts");
    return new EtcdStore({ ...location, lease, access: await readEtcdAccess(access) });
  }
  // SQLite is loaded only if it is used.
  const { SqliteStore } = await import("./sqlite_store.ts");
  return await SqliteStore.open(location.path ?? defaultPath, { lease });
}
