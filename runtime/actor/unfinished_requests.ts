/**
 * The requests that an actor has taken and not finished yet: what a shutdown waits for.
 *
 * @module
 */
import { coarseNow } from "../clock.ts";
import { within } from "../timeout.ts";
import { type Envelope, messageType } from "./messaging.ts";

/** The number of requests from which those whose senders have given up are removed first. */
const FIRST_SWEEP = 1024;

/** The number of requests without a time limit that are remembered. */
const MAX_OPEN = 65_536;

/** The number of requests after which their table is made anew. */
const RENEWAL = 1024;

/**
 * The requests that an actor has taken and whose senders wait for their answers, in the order in
 * which they were taken, and the handlers of a service that have not returned yet.
 */
export class UnfinishedRequests {
  #envelopes: Set<Envelope> | undefined;
  /** The number of requests from which those whose senders have given up are removed. */
  #sweepAt = FIRST_SWEEP;
  /** The number of requests that may be added before the table is made anew. */
  #untilRenewal = RENEWAL;
  /** The number of pending promises of handlers. */
  #running = 0;
  /** Why the handlers should finish. */
  #haste: Error | undefined;
  #hurry: AbortController | undefined;
  /** Resolved when a request is finished, while that is waited for. */
  #finished: PromiseWithResolvers<void> | undefined;
  #isEnded = false;

  /**
   * Their number, also of those whose senders have given up, and whose handlers go on; and of some
   * others whose senders have given up.
   */
  get size(): number {
    return Math.max(this.#envelopes?.size ?? 0, this.#running);
  }

  /** Whether the promise of any handler is pending. */
  get isRunning(): boolean {
    return this.#running > 0;
  }

  /** Whether any handler runs, or any sender waits. Not after the end of the actor. */
  get hasAny(): boolean {
    return !this.#isEnded && (this.#running > 0 || this.#nextGivesUp() !== undefined);
  }

  /** Aborted when the handlers should finish. */
  get signal(): AbortSignal {
    this.#hurry ??= new AbortController();
    if (this.#haste) this.#hurry.abort(this.#haste);
    return this.#hurry.signal;
  }

  /** Whether anything listens to the signal. */
  get hasSignal(): boolean {
    return this.#hurry !== undefined;
  }

  /** Adds a request. */
  add(envelope: Envelope): void {
    const { timeout } = envelope;
    if (timeout !== undefined) envelope.expires ??= coarseNow() + timeout;
    this.#envelopes ??= new Set();
    if (--this.#untilRenewal === 0) this.#renew(this.#envelopes);
    this.#envelopes.add(envelope);
    if (this.#envelopes.size >= this.#sweepAt) this.#sweep(this.#envelopes);
  }

  /** Removes a request that was answered. */
  delete(envelope: Envelope): void {
    this.#envelopes?.delete(envelope);
    if (this.#finished) this.#noteFinished();
  }

  /** Counts a handler whose promise is pending. */
  handlerBegan(): void {
    this.#running++;
  }

  /** Counts such a handler as settled. */
  handlerEnded(): void {
    this.#running--;
    if (this.#finished) this.#noteFinished();
  }

  /** Waits until no handler's promise is pending. */
  async idle(): Promise<void> {
    while (this.#running > 0) await this.#nextFinished();
  }

  /** Waits until there are no more. */
  async finish(): Promise<void> {
    while (this.hasAny) {
      const until = this.#running > 0 ? Infinity : this.#nextGivesUp() ?? 0;
      await within(until - performance.now(), this.#nextFinished());
    }
  }

  /** Aborts the signal. The first reason counts. */
  hurry(reason: Error): void {
    this.#haste ??= reason;
    this.#hurry?.abort(this.#haste);
  }

  /** Takes out those whose senders wait, because the actor has ended. Nothing waits for the rest. */
  end(): Envelope[] {
    const all = [...this.#envelopes ?? []];
    this.#envelopes = undefined;
    this.#isEnded = true;
    if (this.#finished) this.#noteFinished();
    return all;
  }

  /** The time when one of the senders gives up; undefined if none waits. */
  #nextGivesUp(): number | undefined {
    const now = performance.now();
    for (const { expires = Infinity, message } of this.#envelopes ?? []) {
      // The sender of the shutdown waits for the others.
      if (expires > now && messageType(message) !== "shutdown") return expires;
    }
    return undefined;
  }

  #nextFinished(): Promise<void> {
    this.#finished ??= Promise.withResolvers();
    return this.#finished.promise;
  }

  #noteFinished(): void {
    this.#finished?.resolve();
    this.#finished = undefined;
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
