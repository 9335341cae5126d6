/**
 * The leases of a registry that is the only one over its store.
 *
 * @module
 */
import { UNREACHABLE_LEASES } from "./store.ts";

/** The time and the timer of a store: a test has its own. */
export interface Clock {
  /** The time in ms, which no change of the date affects. */
  now(): number;
  /** Calls a function again and again, each `interval` ms, until the result is called. */
  repeat(interval: number, react: () => void): () => void;
}

/** The clock of this process. */
export const PROCESS_CLOCK: Clock = {
  now: () => performance.now(),
  repeat(interval, react) {
    const timer = setInterval(react, interval);
    return () => clearInterval(timer);
  },
};

/** How often expired leases are looked for, in ms. */
const LONGEST_INTERVAL = 500;

/** What has expired. */
export interface Expired {
  /** Reachable entries whose leases have run out. */
  readonly lapsed: readonly string[];
  /** Unreachable entries whose time is over. */
  readonly gone: readonly string[];
}

/**
 * When leases run out, and when unreachable entries are gone, in one table each and with one timer
 * for all. Both tables are in the order of their times, since all leases have the same length and a
 * renewed one goes to the end. So looking for expired ones takes as long as there are any.
 *
 * A registry that was held up, such as by a suspended host, has not heard renewals meanwhile. So
 * the time by which its timer is late does not count for any lease.
 */
export class Leases {
  /** How long a lease runs, in ms. */
  readonly lease: number;
  readonly #clock: Clock;
  readonly #interval: number;
  /** When the leases of reachable entries run out, by {@linkcode Leases.now}. */
  readonly #reachable = new Map<string, number>();
  /** When unreachable entries are gone. */
  readonly #unreachable = new Map<string, number>();
  #looked: number;
  /** The time that does not count, in ms. */
  #heldUp = 0;
  #stop: (() => void) | undefined;

  /** Creates an empty table. */
  constructor(lease: number, clock: Clock) {
    this.lease = lease;
    this.#clock = clock;
    this.#interval = Math.min(LONGEST_INTERVAL, lease / 8);
    this.#looked = clock.now();
  }

  /** Begins to report what has expired. What is not changed by the report is reported again. */
  start(report: (expired: Expired) => void): void {
    this.#noteDelay();
    this.#stop = this.#clock.repeat(this.#interval, () => {
      this.#noteDelay();
      const expired = {
        lapsed: this.#until(this.#reachable),
        gone: this.#until(this.#unreachable),
      };
      if (expired.lapsed.length > 0 || expired.gone.length > 0) report(expired);
    });
  }

  /** Ends the reports. */
  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Starts a lease, for its full time. */
  renew(id: string): void {
    this.drop(id);
    this.#reachable.set(id, this.#now() + this.lease);
  }

  /** Ends a lease: the entry is unreachable from now on. */
  lapse(id: string): void {
    this.drop(id);
    this.#unreachable.set(id, this.#now() + UNREACHABLE_LEASES * this.lease);
  }

  /** Forgets an entry. */
  drop(id: string): void {
    this.#reachable.delete(id);
    this.#unreachable.delete(id);
  }

  /** Makes some time not count for any lease, in ms, since no renewals could be heard. */
  extend(time: number): void {
    this.#heldUp += time;
  }

  /** The ids of all entries in the tables. */
  ids(): string[] {
    return [...this.#reachable.keys(), ...this.#unreachable.keys()];
  }

  /** Whether an entry has a lease that has not been reported as run out. */
  has(id: string): boolean {
    return this.#reachable.has(id);
  }

  /** How long a lease still runs, in whole ms; undefined if there is none. */
  left(id: string): number | undefined {
    const end = this.#reachable.get(id);
    return end === undefined ? undefined : Math.max(0, Math.round(end - this.#now()));
  }

  #now(): number {
    return this.#clock.now() - this.#heldUp - this.#delay();
  }

  #noteDelay(): void {
    this.#heldUp += this.#delay();
    this.#looked = this.#clock.now();
  }

  /** By how much the timer is late, in ms. It always is a little, which counts. */
  #delay(): number {
    const late = this.#clock.now() - this.#looked - this.#interval;
    return late > this.#interval ? late : 0;
  }

  #until(ends: ReadonlyMap<string, number>): string[] {
    const now = this.#now();
    const ids: string[] = [];
    for (const [id, end] of ends) {
      if (end > now) break;
      ids.push(id);
    }
    return ids;
  }
}
