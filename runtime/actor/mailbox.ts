/**
 * The mailbox: the messages that wait for an actor.
 *
 * @module
 */
import type { Case } from "./cases.ts";
import { type Envelope, messageType } from "./envelope.ts";
import { MessageQueue, type Taken } from "./message_queue.ts";

/** How many messages wait when a mailbox warns for the first time; then each time they have doubled. */
export const FIRST_WARNING = 10_000;

/** How long a mailbox that has warned does not warn of the same length again, in ms. */
const WARNING_PAUSE = 60_000;

/**
 * An actor's messages in the order they came, but for the system's: `ping` and `shutdown` are taken before
 * all others, so that an actor with a long backlog can still be asked how it is, and told to end.
 */
export class Mailbox {
  readonly #system = new MessageQueue();
  readonly #others = new MessageQueue();
  readonly #onLong: (length: number) => void;
  #warnAt = FIRST_WARNING;
  #warned: { length: number; at: number } | undefined;

  /** Makes an empty mailbox; `onLong` is called each time its length has doubled past 10,000. */
  constructor(onLong: (length: number) => void) {
    this.#onLong = onLong;
  }

  /** How many envelopes are waiting. */
  get length(): number {
    return this.#system.length + this.#others.length;
  }

  /** Adds an envelope; `type` is the type of its message. */
  push(envelope: Envelope, type: string | undefined = messageType(envelope.message)): void {
    let length: number;
    if (type === "ping" || type === "shutdown") {
      // An actor that takes none keeps none but those of the last seconds.
      this.#system.dropExpired();
      length = this.#system.push(envelope, type) + this.#others.length;
    } else {
      length = this.#others.push(envelope, type) + this.#system.length;
    }
    if (length >= this.#warnAt) this.#warn(length);
    else if (length === 1) this.#warnAt = FIRST_WARNING;
  }

  /** Takes the first envelope that one of the cases matches, the system's before all others. */
  take<Result>(cases: readonly Case<Result>[]): Taken<Result> | undefined {
    return (this.#system.length > 0 ? this.#system.take(cases) : undefined) ??
      this.#others.take(cases);
  }

  /** Takes everything out, in order, and gives what has not expired: nobody waits for the rest any more. */
  clear(): Envelope[] {
    return [...this.#system.clear(), ...this.#others.clear()];
  }

  #warn(length: number): void {
    this.#warnAt = 2 * length;
    const at = performance.now();
    const last = this.#warned;
    if (last && length <= last.length && at - last.at < WARNING_PAUSE) return;
    this.#warned = { length, at };
    this.#onLong(length);
  }
}
