/**
 * The `etcd:` store: the entries of any number of registries, in an etcd cluster.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { EnsembleError } from "../runtime/errors.ts";
import { sameInstance } from "../runtime/server/credentials.ts";
import type {
  LockAnswer,
  LockClaim,
  LockHolder,
  OwnEntry,
  RegistryEntry,
} from "../runtime/server/registry_protocol.ts";
import type { InternetAddress } from "../runtime/wire/address.ts";
import { type EtcdAccess, EtcdGateway } from "./etcd_gateway.ts";
import { EtcdLease } from "./etcd_lease.ts";
import { EtcdLocks } from "./etcd_locks.ts";
import {
  encodeEntry,
  encodeRegistry,
  encodeRemoval,
  type EtcdEvent,
  EtcdKeys,
  type EtcdPair,
  type EtcdRecord,
  EtcdRecords,
  storeRevision,
} from "./etcd_records.ts";
import { type EtcdHeader, EtcdWatch } from "./etcd_watch.ts";
import { type Expired, Leases, PROCESS_CLOCK } from "./leases.ts";
import { DEFAULT_LEASE, type RegistryStore, type Removal, type StoreFeed } from "./store.ts";

const logger = getLogger(["gxensemble", "registry"]);

/** The shortest and the longest time between two beats, in ms. */
const SHORTEST_BEAT = 500;
const LONGEST_BEAT = 2_500;

/** The shortest time without a beat after which the store counts as stale, in ms: an election takes about a second. */
const SHORTEST_STALE = 2_000;

/** How often is looked whether the store is stale, in ms. */
const STALE_INTERVAL = 500;

/** How long the end of a registry may wait for etcd, in ms. */
const CLOSE_TIMEOUT = 1_000;

/** Options of an {@linkcode EtcdStore}. */
export interface EtcdStoreOptions {
  /** The addresses of members of the cluster. */
  readonly members: readonly InternetAddress[];
  /** What all keys of the ensemble begin with, before a slash. */
  readonly prefix: string;
  /** Who uses the cluster. Default: no user, without TLS. */
  readonly access?: EtcdAccess | undefined;
  /** How long a lease runs, in ms. Default: {@linkcode DEFAULT_LEASE}. */
  readonly lease?: number | undefined;
}

/** What an entry must still be for a change to be made. */
interface Comparison {
  readonly key: string;
  readonly target: "MOD";
  readonly result?: "NOT_EQUAL";
  readonly mod_revision: string;
}

/** A transaction's answer. */
interface TransactionAnswer {
  readonly header: EtcdHeader;
  readonly succeeded?: boolean;
  readonly responses?: readonly {
    readonly response_range?: { readonly kvs?: readonly EtcdPair[] };
  }[];
}

/** What etcd has of an entry when a change of it was not made. */
interface Actual {
  readonly row: EtcdPair | undefined;
  readonly alive: EtcdPair | undefined;
}

/**
 * A store that registries share. Each hears some of the servers, and keeps them reachable with one
 * etcd lease of its own. When it dies, etcd ends that lease, and with it all its servers are
 * `unreachable`, unless another registry has taken charge of them: the one where they renew.
 *
 * At each beat a registry writes its own key. When its watch reports that, it has heard everything
 * that was written before; otherwise what it knows is stale, and it renews no leases.
 */
export class EtcdStore implements RegistryStore {
  /** See {@linkcode RegistryStore.shared}. */
  readonly shared = true;
  /** See {@linkcode RegistryStore.lease}. */
  readonly lease: number;
  readonly #prefix: string;
  readonly #gateway: EtcdGateway;
  readonly #keys: EtcdKeys;
  readonly #records: EtcdRecords;
  readonly #watch: EtcdWatch;
  readonly #etcdLease: EtcdLease;
  readonly #locks: EtcdLocks;
  /** Those of the servers that this registry is in charge of, and of all that are unreachable. */
  readonly #leases: Leases;
  /** The name of this registry's key, other than the one of its predecessor. */
  readonly #name = crypto.randomUUID();
  readonly #expiring = new Set<string>();
  #epoch = "";
  #feed: StoreFeed | undefined;
  #own: OwnEntry | undefined;
  #beats = 0;
  #beatTimer: ReturnType<typeof setTimeout> | undefined;
  /** When the last beat began that was heard again. */
  #heard = 0;
  /** Why the last beat failed. */
  #failure = "";
  #staleSince: number | undefined;
  #staleTimer: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;

  /** Creates a store, which connects when it is started. */
  constructor({ members, prefix, access, lease = DEFAULT_LEASE }: EtcdStoreOptions) {
    this.lease = lease;
    this.#prefix = prefix;
    this.#gateway = new EtcdGateway(members, access);
    this.#keys = new EtcdKeys(prefix);
    this.#records = new EtcdRecords(this.#keys);
    this.#etcdLease = new EtcdLease(this.#gateway, lease);
    this.#locks = new EtcdLocks(this.#gateway, this.#keys, lease);
    this.#leases = new Leases(lease, PROCESS_CLOCK);
    this.#watch = new EtcdWatch(this.#gateway, this.#keys.all, {
      loaded: (pairs, revision) => this.#load(pairs, revision),
      changed: (events, revision) => this.#apply(events, revision),
    });
  }

  /** See {@linkcode RegistryStore.epoch}. */
  get epoch(): string {
    return this.#epoch;
  }

  /** See {@linkcode RegistryStore.start}. */
  async start(feed: StoreFeed): Promise<void> {
    this.#feed = feed;
    try {
      const cluster = await this.#watch.open();
      this.#epoch = `${BigInt(cluster).toString(16)}-${this.#prefix}`;
      await this.#beat();
    } catch (error) {
      await this.close();
      const { message } = error as Error;
      throw new EnsembleError(`cannot open the store in etcd: ${message}`, { cause: error });
    }
    this.#leases.start((expired) => this.#expire(expired));
    this.#staleTimer = setInterval(() => this.#noteStaleness(), STALE_INTERVAL);
    this.#beatLater();
  }

  /** See {@linkcode RegistryStore.put}. */
  async put(entry: OwnEntry, expected: number): Promise<number | undefined> {
    const { id } = entry;
    const record = this.#records.get(id);
    if ((record.entry?.revision ?? 0) !== expected) return undefined;
    const value = encodeEntry(entry);
    return await this.#etcdLease.use(async (lease) => {
      const { revision, actual } = await this.#change(id, {
        compare: record.entry?.state === "unreachable"
          ? [this.#isWritten(id, record), this.#isNotAlive(id)]
          : [this.#isWritten(id, record)],
        success: [
          { request_put: { key: this.#keys.server(id), value } },
          { request_put: { key: this.#keys.alive(id), lease } },
        ],
      });
      if (!actual) {
        void this.#watch.expect(revision);
        return storeRevision(revision);
      }
      // An earlier attempt has made the change, and only its answer was lost.
      const isMade = actual.row?.value === value && actual.alive?.lease === lease;
      return isMade ? storeRevision(Number(actual.row!.mod_revision)) : undefined;
    });
  }

  /**
   * See {@linkcode RegistryStore.renew}.
   *
   * @throws {EnsembleError} while etcd does not answer: then another registry may be heard there.
   */
  renew(id: string, instance: Uint8Array): Promise<boolean> | boolean {
    const record = this.#records.get(id);
    const { entry } = record;
    if (!entry || entry.state === "unreachable" || !sameInstance(entry.instance, instance)) {
      return false;
    }
    const isInCharge = this.#leases.has(id);
    if (isInCharge) this.#leases.renew(id);
    if (performance.now() - this.#heard > this.#staleAfter) {
      throw new EnsembleError("the registry is cut off from its store: use another one, or wait", {
        code: "DISCONNECTED",
      });
    }
    return isInCharge || this.#takeCharge(id, record);
  }

  /** See {@linkcode RegistryStore.lapse}. */
  async lapse(id: string, expected: number): Promise<boolean> {
    const record = this.#records.get(id);
    const { entry, alive } = record;
    if (entry?.revision !== expected || !alive) return false;
    const key = this.#keys.alive(id);
    const { actual } = await this.#change(id, {
      compare: [
        this.#isWritten(id, record),
        // No other registry has taken charge of it.
        { key, target: "MOD", mod_revision: `${alive.revision}` },
      ],
      success: [{ request_delete_range: { key } }],
    });
    return !actual || Number(actual.row?.mod_revision) === record.written && !actual.alive;
  }

  /** See {@linkcode RegistryStore.delete}. */
  async delete(id: string, { expected, as }: { expected: number; as: Removal }): Promise<boolean> {
    const record = this.#records.get(id);
    if (record.entry?.revision !== expected) return false;
    const { actual } = await this.#change(id, {
      compare: record.entry.state === "unreachable"
        ? [this.#isWritten(id, record), this.#isNotAlive(id)]
        : [this.#isWritten(id, record)],
      success: [
        { request_put: { key: this.#keys.removed, value: encodeRemoval(id, as) } },
        { request_delete_range: { key: this.#keys.server(id) } },
        { request_delete_range: { key: this.#keys.alive(id) } },
      ],
    });
    return !actual?.row;
  }

  /** See {@linkcode RegistryStore.leaseLeft}. Only the registry in charge of a server knows it. */
  leaseLeft(id: string): number | undefined {
    return this.#leases.left(id);
  }

  /** See {@linkcode RegistryStore.announce}. */
  async announce(registry: OwnEntry): Promise<void> {
    this.#own = registry;
    await this.#beat();
  }

  /** See {@linkcode RegistryStore.registries}. */
  registries(): Promise<RegistryEntry[]> {
    return Promise.resolve(this.#records.registries());
  }

  /** See {@linkcode RegistryStore.lock}. */
  lock(claim: LockClaim): Promise<LockAnswer> {
    return this.#locks.lock(claim);
  }

  /** See {@linkcode RegistryStore.unlock}. */
  unlock(claim: Pick<LockClaim, "name" | "key">): Promise<boolean> {
    return this.#locks.unlock(claim);
  }

  /** See {@linkcode RegistryStore.lockHolder}. */
  lockHolder(name: string): Promise<LockHolder | undefined> {
    return this.#locks.holder(name);
  }

  /**
   * See {@linkcode RegistryStore.close}. The etcd lease runs on, so that the servers of this
   * registry stay reachable until they have found another one.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#staleTimer);
    clearTimeout(this.#beatTimer);
    this.#leases.stop();
    this.#watch.close();
    this.#feed = undefined;
    if (this.#heard > 0 && this.#staleSince === undefined) {
      const key = this.#keys.registry(this.#name);
      await this.#gateway.request("/v3/kv/deleterange", { key }, { timeout: CLOSE_TIMEOUT })
        .catch(() => {});
    }
    this.#gateway[Symbol.dispose]();
  }

  /** See {@linkcode RegistryStore.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #staleAfter(): number {
    return Math.max(SHORTEST_STALE, this.lease / 3);
  }

  /** Replaces what is known of all servers; their leases begin again. */
  #load(pairs: readonly EtcdPair[], revision: number): void {
    const snapshot = this.#records.load(pairs, revision);
    for (const id of this.#leases.ids()) if (!this.#records.get(id).entry) this.#leases.drop(id);
    for (const { id, state } of snapshot.entries) {
      if (state === "unreachable") this.#leases.lapse(id);
      else this.#noteCharge(id, this.#records.get(id).alive?.lease);
    }
    this.#feed?.snapshot(snapshot);
  }

  #apply(events: readonly EtcdEvent[], revision: number): void {
    const changes = this.#records.apply(events, revision);
    for (const { kv, type } of events) {
      const { kind, name } = this.#keys.parse(kv.key);
      if (kind === "alive" && type !== "DELETE") this.#noteCharge(name, kv.lease);
    }
    for (const change of changes) {
      if (!change.entry) this.#leases.drop(change.id);
      else if (change.entry.state === "unreachable") this.#leases.lapse(change.id);
      this.#feed?.change(change);
    }
  }

  /** Notes under which lease a server is: its lease is measured here, or at another registry. */
  #noteCharge(id: string, lease: string | undefined): void {
    if (lease === this.#etcdLease.id) this.#leases.renew(id);
    else this.#leases.drop(id);
  }

  /** Takes charge of a reachable server that was another registry's. */
  async #takeCharge(id: string, record: EtcdRecord): Promise<boolean> {
    const key = this.#keys.alive(id);
    const isMade = await this.#etcdLease.use(async (lease) => {
      const { actual } = await this.#change(id, {
        compare: [
          this.#isWritten(id, record),
          { key, target: "MOD", result: "NOT_EQUAL", mod_revision: "0" },
        ],
        success: [{ request_put: { key, lease } }],
      });
      return !actual;
    });
    if (isMade) this.#leases.renew(id);
    return isMade;
  }

  #isWritten(id: string, { written }: EtcdRecord): Comparison {
    return { key: this.#keys.server(id), target: "MOD", mod_revision: `${written}` };
  }

  #isNotAlive(id: string): Comparison {
    return { key: this.#keys.alive(id), target: "MOD", mod_revision: "0" };
  }

  /** Makes a change if all comparisons hold; otherwise, returns what there is. */
  async #change(
    id: string,
    { compare, success }: { compare: readonly Comparison[]; success: readonly unknown[] },
  ): Promise<{ readonly revision: number; readonly actual?: Actual }> {
    const keys = [this.#keys.server(id), this.#keys.alive(id)];
    const { header, succeeded, responses = [] } = await this.#gateway.queue<TransactionAnswer>(
      "/v3/kv/txn",
      { compare, success, failure: keys.map((key) => ({ request_range: { key } })) },
    );
    const revision = Number(header.revision);
    if (succeeded) return { revision };
    const [row, alive] = responses.map(({ response_range }) => response_range?.kvs?.[0]);
    return { revision, actual: { row, alive } };
  }

  #expire({ lapsed, gone }: Expired): void {
    if (this.#staleSince !== undefined) return;
    const expire = async (id: string, change: (expected: number) => Promise<boolean>) => {
      const { entry } = this.#records.get(id);
      if (!entry || this.#expiring.has(id)) return;
      this.#expiring.add(id);
      try {
        await change(entry.revision);
      } catch (error) {
        const { message } = error as Error;
        logger.debug("cannot record that the lease of {id} has run out: {reason}", {
          id,
          reason: message,
        });
      } finally {
        this.#expiring.delete(id);
      }
    };
    for (const id of lapsed) void expire(id, (expected) => this.lapse(id, expected));
    for (const id of gone) {
      void expire(id, (expected) => this.delete(id, { expected, as: "gone" }));
    }
  }

  #beatLater(): void {
    if (this.#isClosed) return;
    this.#beatTimer = setTimeout(async () => {
      try {
        await this.#beat();
      } catch (error) {
        this.#failure = (error as Error).message;
      }
      this.#beatLater();
    }, Math.max(SHORTEST_BEAT, Math.min(LONGEST_BEAT, this.lease / 6)));
  }

  /** Writes this registry's key, and waits until the watch reports that. */
  async #beat(): Promise<void> {
    const began = performance.now();
    const value = encodeRegistry(this.#own, ++this.#beats);
    const key = this.#keys.registry(this.#name);
    const [revision] = await Promise.all([
      this.#etcdLease.use(async (lease) => {
        const { header } = await this.#gateway.request<{ header: EtcdHeader }>(
          "/v3/kv/put",
          { key, value, lease },
        );
        return Number(header.revision);
      }),
      this.#etcdLease.renew(),
    ]);
    if (!await this.#watch.expect(revision)) {
      throw new EnsembleError("its watch does not report what was written");
    }
    this.#heard = began;
    this.#noteStaleness();
  }

  #noteStaleness(): void {
    const now = performance.now();
    const isStale = now - this.#heard > this.#staleAfter;
    if (isStale && this.#staleSince === undefined) {
      this.#staleSince = this.#heard;
      this.#feed?.stale(this.#heard);
      logger.warn("etcd does not answer; lookups are answered from what was last known: {reason}", {
        reason: this.#failure || "no answer yet",
      });
    } else if (!isStale && this.#staleSince !== undefined) {
      // Meanwhile, no renewal could be recorded.
      this.#leases.extend(now - this.#staleSince);
      this.#staleSince = undefined;
      this.#failure = "";
      this.#feed?.stale(undefined);
      logger.info("etcd answers again");
    }
  }
}
