/**
 * The requests that an actor has taken and not answered yet.
 *
 * @module
 */
import { type Envelope, messageType } from "./messaging.ts";

/** The number of requests from which those whose senders have given up are removed first. */
const FIRST_SWEEP = 1024;

/** The number of requests without a time limit that are remembered. */
const MAX_OPEN = 65_536;

/** The number of requests after which their table is made anew. */
const RENEWAL = 1024;

/** Requests whose senders wait for their answers, in the order in which they were taken. */
export class OpenRequests {
  #envelopes: Set<Envelope> | undefined;
  /** The number of requests from which those whose senders have given up are removed. */
  #sweepAt = FIRST_SWEEP;
  /** The number of requests that may be added before the table is made anew. */
  #untilRenewal = RENEWAL;

  /** Their number, with those whose senders have given up, as far as these are not removed. */
  get size(): number {
    return this.#envelopes?.size ?? 0;
  }

  /** Adds a request. */
  add(envelope: Envelope): void {
    const { timeout } = envelope;
    if (timeout !== undefined) envelope.expires ??= performance.now() + timeout;
    this.#envelopes ??= new Set();
    if (--this.#untilRenewal === 0) this.#renew(this.#envelopes);
    this.#envelopes.add(envelope);
    if (this.size >= this.#sweepAt) this.#sweep(this.#envelopes);
  }

  /** Removes a request, which is answered. */
  delete(envelope: Envelope): void {
    this.#envelopes?.delete(envelope);
  }

  /** Takes all out. */
  clear(): Envelope[] {
    const all = [...this.#envelopes ?? []];
    this.#envelopes = undefined;
    return all;
  }

  /** The time when one of the senders gives up; undefined if none waits. */
  nextGivesUp(): number | undefined {
    const now = performance.now();
    for (const { expires = Infinity, message } of this.#envelopes ?? []) {
      // The sender of the shutdown waits for the others.
      if (expires > now && messageType(message) !== "shutdown") return expires;
    }
    return undefined;
  }

  /**
   * Makes a table that V8 has not linked with earlier ones: these would keep answered requests
   * alive, see `NumberTable`.
   */
  #renew(envelopes: Set<Envelope>): void {
    this.#envelopes = new Set(envelopes);
    this.#untilRenewal = Math.max(RENEWAL, 2 * envelopes.size);
  }

  /**
   * Removes those whose senders have given up, since an actor may never answer some, and they must
   * not accumulate.
   */
  #sweep(envelopes: Set<Envelope>): void {
    const now = performance.now();
    for (const each of envelopes) {
      if (each.expires !== undefined && each.expires <= now) envelopes.delete(each);
    }
    for (const oldest of envelopes) {
      if (envelopes.size <= MAX_OPEN) break;
      envelopes.delete(oldest);
    }
    this.#sweepAt = Math.max(FIRST_SWEEP, 2 * envelopes.size);
  }
}
