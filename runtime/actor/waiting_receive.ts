/**
 * Receives that wait for a message, and how the stack of one is read.
 *
 * @module
 */
import { MAX_DELAY } from "../timeout.ts";
import type { Case, Taken } from "./mailbox.ts";

/** The result that wakes a waiting receive. */
export type WakeUp = Taken<unknown> | StackProbe | undefined;

/** A receive that waits. */
export class WaitingReceive {
  /** The cases of the receive. */
  readonly cases: readonly Case[];
  /** Wakes it. */
  resolve: (wakeUp: WakeUp) => void;
  /** Ends it with an error. */
  reject: (error: unknown) => void;
  /** Ends it when its time is over. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Waits with these cases, until one of the functions of a promise is called. */
  constructor(
    cases: readonly Case[],
    { resolve, reject }: Pick<PromiseWithResolvers<WakeUp>, "resolve" | "reject">,
  ) {
    this.cases = cases;
    this.resolve = resolve;
    this.reject = reject;
  }

  /** Ends it after `timeout` ms, when `onOver` is called. */
  limit(timeout: number, onOver: () => void): void {
    this.#timer = setTimeout(() => {
      if (timeout > MAX_DELAY) return this.limit(timeout - MAX_DELAY, onOver);
      onOver();
      this.resolve(undefined);
    }, Math.min(timeout, MAX_DELAY));
  }

  /** Ends the time limit, if it has one. */
  stop(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
  }
}

/** Wakes a waiting receive to read its stack. Then the receive continues to wait. */
export class StackProbe {
  /** The error that the receive creates when woken, for its stack. */
  readonly error: Promise<Error>;
  readonly #show: (error: Error) => void;
  readonly #wakeUp: Promise<WakeUp>;

  /** Wakes the receive. */
  constructor(waiting: WaitingReceive) {
    const shown = Promise.withResolvers<Error>();
    this.error = shown.promise;
    this.#show = shown.resolve;
    const wake = waiting.resolve;
    const next = Promise.withResolvers<WakeUp>();
    this.#wakeUp = next.promise;
    waiting.resolve = next.resolve;
    waiting.reject = next.reject;
    wake(this);
  }

  /** Passes the stack on, and waits for the receive's messages. */
  answer<Result>(error: Error): Promise<Taken<Result> | StackProbe | undefined> {
    this.#show(error);
    return this.#wakeUp as Promise<Taken<Result> | StackProbe | undefined>;
  }
}
