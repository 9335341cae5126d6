/**
 * The stores of a registry that is the only one over its store: in memory, or with a journal.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { sameInstance } from "../runtime/server/credentials.ts";
import type {
  LockAnswer,
  LockClaim,
  LockHolder,
  OwnEntry,
  RegistryEntry,
} from "../runtime/server/registry_protocol.ts";
import { type Clock, type Expired, Leases, PROCESS_CLOCK } from "./leases.ts";
import { Locks } from "./locks.ts";
import {
  DEFAULT_LEASE,
  type RegistryStore,
  type Removal,
  type Snapshot,
  type StoredChange,
  type StoreFeed,
} from "./store.ts";
import { removed, replaced } from "./stored_change.ts";

const logger = getLogger(["gxensemble", "registry"]);

/** Options of a {@linkcode LocalStore}. */
export interface LocalStoreOptions {
  /** How long a lease runs, in ms. Default: {@linkcode DEFAULT_LEASE}. */
  readonly lease?: number | undefined;
  /** The clock of the leases. Default: that of the process. */
  readonly clock?: Clock | undefined;
}

/** Where a {@linkcode LocalStore} keeps its changes. */
export interface Journal {
  /** Identifies the revisions; see {@linkcode RegistryStore.epoch}. */
  readonly epoch: string;
  /** Reads everything that was written. */
  read(): Snapshot;
  /** Writes changes, all or none. They are durable when it returns. */
  write(changes: readonly StoredChange[]): void;
  /** Closes it. */
  close(): void;
}

/** A change that is not written yet. */
interface Pending {
  readonly change: StoredChange;
  readonly before: RegistryEntry | undefined;
  readonly written: PromiseWithResolvers<void>;
}

/**
 * A store with one user. Changes of one turn of the event loop are written together: the disk is
 * waited for once, however many servers register at once.
 */
export class LocalStore implements RegistryStore {
  /** See {@linkcode RegistryStore.shared}. */
  readonly shared = false;
  /** See {@linkcode RegistryStore.lease}. */
  readonly lease: number;
  /** See {@linkcode RegistryStore.epoch}. */
  readonly epoch: string;
  readonly #journal: Journal | undefined;
  readonly #leases: Leases;
  readonly #locks: Locks;
  /** The entries, with the changes that are not written yet. */
  readonly #entries = new Map<string, RegistryEntry>();
  #revision = 0;
  #pending: Pending[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #feed: StoreFeed | undefined;
  #own: OwnEntry | undefined;

  /** Creates a store over a journal, which it closes; without one, only in memory. */
  constructor(
    journal: Journal | undefined,
    { lease = DEFAULT_LEASE, clock = PROCESS_CLOCK }: LocalStoreOptions = {},
  ) {
    this.lease = lease;
    this.epoch = journal?.epoch ?? crypto.randomUUID();
    this.#journal = journal;
    this.#leases = new Leases(lease, clock);
    this.#locks = new Locks(lease, clock);
  }

  /** See {@linkcode RegistryStore.start}. */
  // deno-lint-ignore require-await -- the interface is asynchronous; errors become rejections
  async start(feed: StoreFeed): Promise<void> {
    const snapshot = this.#journal?.read() ??
      { entries: [...this.#entries.values()], revision: this.#revision };
    this.#revision = snapshot.revision;
    for (const entry of snapshot.entries) this.#set(entry.id, entry);
    // A registry before this one may have given locks, of which a journal has nothing.
    if (!this.#journal || this.#entries.size > 0) this.#locks.recover();
    this.#feed = feed;
    feed.snapshot(snapshot);
    this.#leases.start((expired) => this.#expire(expired));
  }

  /** See {@linkcode RegistryStore.put}. */
  async put(entry: OwnEntry, expected: number): Promise<number | undefined> {
    const before = this.#entries.get(entry.id);
    if ((before?.revision ?? 0) !== expected) return undefined;
    const change = replaced(before, { ...entry, revision: ++this.#revision });
    await this.#write(change, before);
    return change.revision;
  }

  /** See {@linkcode RegistryStore.renew}. */
  renew(id: string, instance: Uint8Array): boolean {
    const entry = this.#entries.get(id);
    if (!entry || !this.#leases.has(id) || !sameInstance(entry.instance, instance)) return false;
    this.#leases.renew(id);
    return true;
  }

  /** See {@linkcode RegistryStore.lapse}. */
  async lapse(id: string, expected: number): Promise<boolean> {
    const before = this.#entries.get(id);
    if (before?.revision !== expected) return false;
    await this.#write(
      replaced(before, {
        ...before,
        state: "unreachable",
        revision: ++this.#revision,
      }),
      before,
    );
    return true;
  }

  /** See {@linkcode RegistryStore.delete}. */
  async delete(id: string, { expected, as }: { expected: number; as: Removal }): Promise<boolean> {
    const before = this.#entries.get(id);
    if (before?.revision !== expected) return false;
    await this.#write(removed(before, { as, revision: ++this.#revision }), before);
    return true;
  }

  /** See {@linkcode RegistryStore.leaseLeft}. */
  leaseLeft(id: string): number | undefined {
    return this.#leases.left(id);
  }

  /** See {@linkcode RegistryStore.announce}. There are no others. */
  announce(registry: OwnEntry): Promise<void> {
    this.#own = registry;
    return Promise.resolve();
  }

  /** See {@linkcode RegistryStore.registries}. */
  registries(): Promise<RegistryEntry[]> {
    return Promise.resolve(this.#own ? [{ ...this.#own, revision: 0 }] : []);
  }

  /** See {@linkcode RegistryStore.lock}. */
  lock(claim: LockClaim): Promise<LockAnswer> {
    return Promise.resolve(this.#locks.lock(claim));
  }

  /** See {@linkcode RegistryStore.unlock}. */
  unlock(claim: Pick<LockClaim, "name" | "key">): Promise<boolean> {
    return Promise.resolve(this.#locks.unlock(claim));
  }

  /** See {@linkcode RegistryStore.lockHolder}. */
  lockHolder(name: string): Promise<LockHolder | undefined> {
    return Promise.resolve(this.#locks.holder(name));
  }

  /** See {@linkcode RegistryStore.close}. */
  // deno-lint-ignore require-await -- as above
  async close(): Promise<void> {
    this.#leases.stop();
    this.#flush();
    this.#feed = undefined;
    this.#journal?.close();
  }

  /** See {@linkcode RegistryStore.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #runLease({ id, state }: RegistryEntry): void {
    if (state === "unreachable") this.#leases.lapse(id);
    else this.#leases.renew(id);
  }

  /** Makes a change here, and resolves when it is written. */
  #write(change: StoredChange, before: RegistryEntry | undefined): Promise<void> {
    this.#set(change.id, change.entry);
    const written = Promise.withResolvers<void>();
    this.#pending.push({ change, before, written });
    // A timer, since Deno polls its sockets only after many turns of `setImmediate`.
    this.#timer ??= setTimeout(() => this.#flush());
    return written.promise;
  }

  #set(id: string, entry: RegistryEntry | undefined): void {
    if (entry) {
      this.#entries.set(id, entry);
      this.#runLease(entry);
    } else {
      this.#entries.delete(id);
      this.#leases.drop(id);
    }
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const pending = this.#pending;
    this.#pending = [];
    if (pending.length === 0) return;
    try {
      this.#journal?.write(pending.map(({ change }) => change));
    } catch (error) {
      // Each later change of an entry was made on top of the earlier one.
      for (const { change, before } of pending.toReversed()) this.#set(change.id, before);
      for (const { written } of pending) written.reject(error);
      return;
    }
    for (const { change, written } of pending) {
      this.#feed?.change(change);
      written.resolve();
    }
  }

  #expire({ lapsed, gone }: Expired): void {
    const revisionOf = (id: string) => this.#entries.get(id)!.revision;
    const changes = [
      ...lapsed.map((id) => this.lapse(id, revisionOf(id))),
      ...gone.map((id) => this.delete(id, { expected: revisionOf(id), as: "gone" })),
    ];
    Promise.all(changes).catch((error) => {
      logger.error("cannot record leases that have run out: {reason}", { reason: error.message });
    });
  }
}

/** Stores the entries in memory: they are lost when the process ends. */
export class MemoryStore extends LocalStore {
  /** Creates an empty store. */
  constructor(options?: LocalStoreOptions) {
    super(undefined, options);
  }
}
