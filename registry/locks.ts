/**
 * The locks of a registry that is the only one over its store.
 *
 * @module
 */
import type { LockAnswer, LockClaim, LockHolder } from "../runtime/server/registry_protocol.ts";
import type { Clock } from "./leases.ts";

/** The maximum number of locks. */
const MAX_LOCKS = 1_024;

interface Lock {
  readonly key: string;
  readonly holder: LockHolder;
  /** When it is free again, by the clock. */
  readonly until: number;
}

/**
 * Locks in memory. They are lost when the process ends; so a registry that may have had a
 * predecessor gives a lock for one lease only to its holder, who renews it within that time.
 */
export class Locks {
  readonly #lease: number;
  readonly #clock: Clock;
  readonly #locks = new Map<string, Lock>();
  /** Until when locks are only renewed. */
  #renewalsUntil = -Infinity;

  /** Creates a table without locks. A lock is held for `lease` ms after each renewal. */
  constructor(lease: number, clock: Clock) {
    this.#lease = lease;
    this.#clock = clock;
  }

  /** Gives locks only to those that held them before, for one lease. */
  recover(): void {
    this.#renewalsUntil = this.#clock.now() + this.#lease;
  }

  /** See `RegistryStore.lock`. */
  lock({ name, key, console, by, renews = false }: LockClaim): LockAnswer {
    const now = this.#clock.now();
    this.#dropFree(now);
    const held = this.#locks.get(name);
    if (held && held.key !== key) {
      return { taken: false, holder: held.holder, wait: Math.ceil(held.until - now) };
    }
    if (!held) {
      const isEarly = !renews && now < this.#renewalsUntil;
      if (isEarly) return { taken: false, wait: Math.ceil(this.#renewalsUntil - now) };
      if (this.#locks.size >= MAX_LOCKS) return { taken: false, wait: this.#lease };
    }
    const holder = held?.holder ?? { console, by, since: Date.now() };
    this.#locks.set(name, { key, holder, until: now + this.#lease });
    return { taken: true };
  }

  /** See `RegistryStore.unlock`. */
  unlock({ name, key }: Pick<LockClaim, "name" | "key">): boolean {
    return this.#locks.get(name)?.key === key && this.#locks.delete(name);
  }

  /** See `RegistryStore.lockHolder`. */
  holder(name: string): LockHolder | undefined {
    this.#dropFree(this.#clock.now());
    return this.#locks.get(name)?.holder;
  }

  #dropFree(now: number): void {
    for (const [name, { until }] of this.#locks) if (until <= now) this.#locks.delete(name);
  }
}
