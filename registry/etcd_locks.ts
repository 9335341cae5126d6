/**
 * The locks that registries over one etcd cluster share.
 *
 * @module
 */
import type { LockAnswer, LockClaim, LockHolder } from "../runtime/server/registry_protocol.ts";
import { lockHolder } from "../runtime/server/registry_protocol.ts";
import { EtcdError, type EtcdGateway } from "./etcd_gateway.ts";
import { decodeText, encodeText, type EtcdKeys, type EtcdPair } from "./etcd_records.ts";

interface RangeAnswer {
  readonly kvs?: readonly EtcdPair[];
}

interface Lock {
  readonly key: string;
  readonly holder: LockHolder;
  readonly lease: string;
}

/**
 * Locks in etcd: a key each, under an etcd lease of its own. So a lock outlives the registry that
 * gave it, any registry can renew it, and etcd frees it when nothing does.
 */
export class EtcdLocks {
  readonly #gateway: EtcdGateway;
  readonly #keys: EtcdKeys;
  readonly #lease: number;

  /** Keeps locks for `lease` ms after each renewal. etcd rounds that up, to at least some seconds. */
  constructor(gateway: EtcdGateway, keys: EtcdKeys, lease: number) {
    this.#gateway = gateway;
    this.#keys = keys;
    this.#lease = lease;
  }

  /** See `RegistryStore.lock`. */
  async lock(claim: LockClaim): Promise<LockAnswer> {
    const held = await this.#read(claim.name) ?? await this.#take(claim);
    if (!held) return { taken: true };
    if (held.key !== claim.key) return { taken: false, holder: held.holder, wait: this.#lease };
    if (await this.#renew(held)) return { taken: true };
    // Its lease ran out meanwhile.
    const other = await this.#take(claim);
    if (!other || other.key === claim.key) return { taken: true };
    return { taken: false, holder: other.holder, wait: this.#lease };
  }

  /** See `RegistryStore.unlock`. */
  async unlock({ name, key }: Pick<LockClaim, "name" | "key">): Promise<boolean> {
    const held = await this.#read(name);
    if (held?.key !== key) return false;
    await this.#revoke(held.lease);
    return true;
  }

  /** See `RegistryStore.lockHolder`. */
  async holder(name: string): Promise<LockHolder | undefined> {
    return (await this.#read(name))?.holder;
  }

  /** Takes a lock that is free. Returns the lock that there is otherwise. */
  async #take({ name, key: own, console, by }: LockClaim): Promise<Lock | undefined> {
    const { ID: lease } = await this.#gateway.request<{ ID: string }>("/v3/lease/grant", {
      TTL: `${Math.ceil(this.#lease / 1000)}`,
    });
    const key = this.#keys.lock(name);
    const value = encodeText(JSON.stringify({ key: own, console, by, since: Date.now() }));
    const { succeeded, responses = [] } = await this.#gateway.request<{
      succeeded?: boolean;
      responses?: readonly { response_range?: RangeAnswer }[];
    }>("/v3/kv/txn", {
      compare: [{ key, target: "MOD", mod_revision: "0" }],
      success: [{ request_put: { key, value, lease } }],
      failure: [{ request_range: { key } }],
    });
    if (succeeded) return undefined;
    const held = readLock(responses[0]?.response_range);
    if (held?.lease !== lease) await this.#revoke(lease);
    return held;
  }

  async #read(name: string): Promise<Lock | undefined> {
    const key = this.#keys.lock(name);
    return readLock(await this.#gateway.request<RangeAnswer>("/v3/kv/range", { key }));
  }

  /** Returns false if the lease has run out. */
  async #renew({ lease }: Lock): Promise<boolean> {
    const { result } = await this.#gateway.request<{ result: { TTL?: string } }>(
      "/v3/lease/keepalive",
      { ID: lease },
    );
    return result.TTL !== undefined;
  }

  /** Ends a lease, and with it the lock under it. */
  async #revoke(lease: string): Promise<void> {
    try {
      await this.#gateway.request("/v3/lease/revoke", { ID: lease });
    } catch (error) {
      if (!(error instanceof EtcdError) || !error.isNotFound) throw error;
    }
  }
}

/** Reads a lock. One whose value is damaged counts as held, by an unknown holder. */
function readLock({ kvs: [pair] = [] }: RangeAnswer = {}): Lock | undefined {
  if (!pair) return undefined;
  const lease = pair.lease ?? "";
  try {
    const { key, ...holder } = JSON.parse(decodeText(pair.value ?? ""));
    return { key: String(key), holder: lockHolder(holder), lease };
  } catch {
    return { key: "", holder: { console: "unknown", by: "unknown", since: 0 }, lease };
  }
}
