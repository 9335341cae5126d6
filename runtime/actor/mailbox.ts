/**
 * The mailbox: the messages waiting for an actor.
 *
 * @module
 */
import { InvalidInputError } from "../errors.ts";
import { describeValue } from "../inspection.ts";
import { MessageQueue } from "./message_queue.ts";
import { type Envelope, messageType } from "./messaging.ts";

/**
 * The number of waiting messages at which a mailbox warns first. It warns again each time they have
 * doubled.
 */
export const FIRST_WARNING = 10_000;

/** The type of the message that exchanges the handlers of a service. */
export const HANDLER_EXCHANGE = "handler-exchange";

/** How long a mailbox does not repeat a warning of the same length, in ms. */
const WARNING_PAUSE = 60_000;

/**
 * A bound of a mailbox.
 *
 * @example Keep the newest 10,000 messages
 * ```ts
 * import { currentServer, on } from "@gxensemble/ensemble";
 *
 * currentServer().spawn(
 *   "measurements",
 *   (self) => self.loop([on("measured", ({ value }: { value: number }) => console.log(value))]),
 *   { mailbox: { limit: 10_000, overflow: "drop-oldest" } },
 * );
 * ```
 */
export interface MailboxOptions {
  /**
   * The maximum number of waiting messages. `ping`, `shutdown` and messages of monitors are
   * accepted beyond it.
   */
  readonly limit: number;
  /**
   * The handling of a message beyond the limit. If the sender of a dropped message waits for an
   * answer, it gets an error with the code `MAILBOX_FULL` at once.
   *
   * - `reject`, the default: the message is dropped, and a warning is logged.
   * - `drop-newest`: the message is dropped.
   * - `drop-oldest`: the message is accepted, and the one that has waited longest is dropped.
   */
  readonly overflow?: "reject" | "drop-oldest" | "drop-newest";
}

/**
 * The bound of actors that are parts of their server. They must be reachable, whatever the server's
 * default.
 */
export const UNBOUNDED: MailboxOptions = { limit: Infinity };

/**
 * Checks the bound of a mailbox.
 *
 * @throws {InvalidInputError} if it is not valid.
 */
export function checkMailboxOptions(options: MailboxOptions): MailboxOptions {
  const { limit, overflow = "reject" } = options;
  if (limit !== Infinity && !(Number.isSafeInteger(limit) && limit > 0)) {
    throw new InvalidInputError(
      `not the limit of a mailbox: ${describeValue(limit)}: it is a number of messages from 1`,
    );
  }
  if (!["reject", "drop-oldest", "drop-newest"].includes(overflow)) {
    throw new InvalidInputError(
      `not what a mailbox does on overflow: ${
        describeValue(overflow)
      }: it is "reject", "drop-oldest" or "drop-newest"`,
    );
  }
  return { limit, overflow };
}

/**
 * An actor's messages in the order they arrived, except that `ping`, `shutdown` and the exchange of
 * a service's handlers come first, so that an actor with a long backlog still answers pings, can be
 * ended, and gets new code.
 */
export class Mailbox {
  readonly #system = new MessageQueue();
  readonly #others = new MessageQueue();
  readonly #onLong: (length: number) => void;
  readonly #limit: number;
  readonly #dropsOldest: boolean;
  #warnAt = FIRST_WARNING;
  #warned: { length: number; at: number } | undefined;

  /**
   * Makes an empty mailbox. Without a limit, `onLong` is called each time its length has doubled
   * past 10,000.
   */
  constructor(
    onLong: (length: number) => void,
    { limit, overflow }: MailboxOptions = { limit: Infinity },
  ) {
    this.#onLong = onLong;
    this.#limit = limit;
    this.#dropsOldest = overflow === "drop-oldest";
    if (limit !== Infinity) this.#warnAt = Infinity;
  }

  /** The number of waiting envelopes. */
  get length(): number {
    return this.#system.length + this.#others.length;
  }

  /**
   * Adds an envelope; `type` is the type of its message. If that exceeds the limit, returns the
   * dropped envelope, which is this one or the oldest.
   */
  push(
    envelope: Envelope,
    type: string | undefined = messageType(envelope.message),
  ): Envelope | undefined {
    let length: number;
    let dropped: Envelope | undefined;
    if (type === "ping" || type === "shutdown" || type === HANDLER_EXCHANGE) {
      // An actor that never takes them keeps only those of the last few seconds.
      this.#system.dropExpired();
      length = this.#system.push(envelope, type) + this.#others.length;
    } else {
      // An actor that misses the end of another would wait for it forever.
      const isBound = this.#others.length >= this.#limit &&
        (type !== "down" || envelope.session !== undefined);
      if (isBound) {
        this.#others.dropExpired();
        if (this.#others.length >= this.#limit) {
          if (!this.#dropsOldest) return envelope;
          dropped = this.#others.shift();
        }
      }
      length = this.#others.push(envelope, type) + this.#system.length;
    }
    if (length >= this.#warnAt) this.#warn(length);
    else if (length === 1 && this.#limit === Infinity) this.#warnAt = FIRST_WARNING;
    return dropped;
  }

  /** Takes the first envelope that matches a case, system messages before all others. */
  take<Result>(cases: readonly Case<Result>[]): Taken<Result> | undefined {
    return (this.#system.length > 0 ? this.#system.take(cases) : undefined) ??
      this.#others.take(cases);
  }

  /** Empties the mailbox and returns the messages that have not expired, in order. */
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

/**
 * One case of a receive. The first case that matches an envelope reacts to it.
 *
 * @example A case that matches by the sender
 * ```ts
 * import { type Actor, type Case } from "@gxensemble/ensemble";
 *
 * const fromWeb1: Case = {
 *   matches: ({ source }) => source.server === "web1",
 *   react: (message) => console.log(message),
 * };
 *
 * const listener = (self: Actor) => self.loop([fromWeb1]);
 * ```
 */
export interface Case<Result = unknown> {
  /** The `type` of the messages it matches, if that alone decides. Mailboxes are indexed by it. */
  readonly type?: string;
  /**
   * The nonce of the envelope whose answers it matches, if that alone decides. Mailboxes are
   * indexed by it.
   */
  readonly replyTo?: number;
  /** Whether it matches. Not called if `type` or `replyTo` is given. */
  matches?(envelope: Envelope): boolean;
  /** Handles a matching envelope. */
  react(message: never, envelope: Envelope): Result;
}

/** The result of a receive: the envelope and the case that it matched. */
export interface Taken<Result> {
  readonly envelope: Envelope;
  readonly reaction: Case<Result>;
}
