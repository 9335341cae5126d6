/**
 * Which handlers have taken the place of others, for services that start with those of an earlier
 * version.
 *
 * @module
 */
import type { Handlers } from "./service.ts";

/** Handlers that answer in place of others. */
export interface NewerHandlers {
  /** The handlers that answer. */
  readonly to: Handlers;
  /** Converts the state of a service. Default: it stays. */
  readonly convert?: ((state: unknown) => unknown) | undefined;
}

/** The handlers that have been exchanged in a server. */
export class HandlerVersions {
  readonly #newer = new WeakMap<Handlers, NewerHandlers>();

  /** Takes note that handlers answer in place of others from now on. */
  replaced(from: Handlers, newer: NewerHandlers): void {
    // They may have been replaced before, if this goes back to them.
    this.#newer.delete(newer.to);
    this.#newer.set(from, newer);
  }

  /** What answers in place of handlers; undefined if they are current. */
  after(handlers: Handlers): NewerHandlers | undefined {
    return this.#newer.get(handlers);
  }
}
