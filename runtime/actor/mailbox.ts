/**
 * The mailbox: the messages waiting for an actor.
 *
 * @module
 */
import { InvalidInputError } from "../errors.ts";
import { describeValue } from "../inspection.ts";
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

/**
 * One envelope's place in the queue. It is in two doubly linked lists: of all envelopes, and of its
 * type.
 */
class Slot {
  readonly envelope: Envelope;
  readonly type: string | undefined;
  /** Its number in the order of arrival; NaN once it was removed from an index. */
  order: number;
  previous: Slot | undefined = undefined;
  next: Slot | undefined = undefined;
  previousOfType: Slot | undefined = undefined;
  nextOfType: Slot | undefined = undefined;

  constructor(envelope: Envelope, type: string | undefined, order: number) {
    this.envelope = envelope;
    this.type = type;
    this.order = order;
    const { timeout } = envelope;
    if (timeout !== undefined) envelope.expires ??= performance.now() + timeout;
  }
}

/** The first and last slot of one type. */
interface TypeQueue {
  first: Slot | undefined;
  last: Slot | undefined;
}

/** The answers to one nonce, in order; usually one. Removed ones are skipped. */
interface Answers {
  readonly slots: Slot[];
  next: number;
}

/** Finds slots without passing over others. */
class Index {
  readonly #byType = new Map<string | undefined, TypeQueue>();
  readonly #byReply = new Map<number, Answers>();

  get size(): number {
    return this.#byType.size + this.#byReply.size;
  }

  /** The first slot that matches a case, which has a `type` or a `replyTo`. */
  first({ type, replyTo }: Case<unknown>): Slot | undefined {
    if (type !== undefined) return this.#byType.get(type)?.first;
    const answers = this.#byReply.get(replyTo!);
    return answers?.slots[answers.next];
  }

  add(slot: Slot): void {
    let queue = this.#byType.get(slot.type);
    if (!queue) this.#byType.set(slot.type, queue = { first: undefined, last: undefined });
    slot.previousOfType = queue.last;
    if (queue.last) queue.last.nextOfType = slot;
    else queue.first = slot;
    queue.last = slot;
    const { replyTo } = slot.envelope;
    if (replyTo === undefined) return;
    const answers = this.#byReply.get(replyTo);
    if (answers) answers.slots.push(slot);
    else this.#byReply.set(replyTo, { slots: [slot], next: 0 });
  }

  remove(slot: Slot): void {
    slot.order = NaN;
    const queue = this.#byType.get(slot.type)!;
    if (slot.previousOfType) slot.previousOfType.nextOfType = slot.nextOfType;
    else queue.first = slot.nextOfType;
    if (slot.nextOfType) slot.nextOfType.previousOfType = slot.previousOfType;
    else queue.last = slot.previousOfType;
    if (!queue.first) this.#byType.delete(slot.type);
    const { replyTo } = slot.envelope;
    if (replyTo === undefined) return;
    const answers = this.#byReply.get(replyTo)!;
    while (Number.isNaN(answers.slots[answers.next]?.order)) answers.next++;
    if (answers.next === answers.slots.length) this.#byReply.delete(replyTo);
  }
}

/** The number of envelopes that a receive passes over before the queue makes an index. */
const SCAN_LIMIT = 32;

/**
 * A queue of envelopes. The first that matches is taken, and the others stay in order.
 *
 * The cost of taking one is the number of envelopes passed over, until there are more than a few.
 * Then the queue is indexed by message type and by the nonce of answers, so that a receive by these
 * finds its envelope at once, however long the backlog is. (A case with a guard still has to check
 * each envelope.) The index is dropped when the queue is empty again.
 */
export class MessageQueue {
  #first: Slot | undefined;
  #last: Slot | undefined;
  #order = 0;
  #length = 0;
  #index: Index | undefined;

  /** The number of waiting envelopes. */
  get length(): number {
    return this.#length;
  }

  /** The number of keys of its index, types and nonces; undefined if there is no index. */
  get keys(): number | undefined {
    return this.#index?.size;
  }

  /**
   * Adds an envelope at the end; `type` is the type of its message. Returns the number of waiting
   * envelopes.
   */
  push(envelope: Envelope, type: string | undefined): number {
    const slot = new Slot(envelope, type, this.#order++);
    slot.previous = this.#last;
    if (this.#last) this.#last.next = slot;
    else this.#first = slot;
    this.#last = slot;
    this.#index?.add(slot);
    return ++this.#length;
  }

  /** Takes the first envelope that matches a case. Expired ones on the way are dropped. */
  take<Result>(cases: readonly Case<Result>[]): Taken<Result> | undefined {
    if (this.#index && cases.every(isIndexed)) return this.#takeIndexed(cases, this.#index);
    let passed = 0;
    let slot = this.#first;
    while (slot) {
      if (isExpired(slot)) {
        this.#remove(slot);
      } else {
        const reaction = findCase(cases, slot.envelope, slot.type);
        if (reaction) {
          this.#remove(slot);
          return { envelope: slot.envelope, reaction };
        }
        if (++passed === SCAN_LIMIT) {
          this.#index ??= this.#makeIndex();
          if (cases.every(isIndexed)) return this.#takeIndexed(cases, this.#index);
        }
      }
      // Checked here, because a guard may have added one.
      slot = slot.next;
    }
    return undefined;
  }

  /** Takes the first envelope. */
  shift(): Envelope | undefined {
    const first = this.#first;
    if (first) this.#remove(first);
    return first?.envelope;
  }

  /** Drops expired envelopes at its head. */
  dropExpired(): void {
    while (this.#first && isExpired(this.#first)) this.#remove(this.#first);
  }

  /** Takes out all envelopes, in order, and returns those that have not expired. */
  clear(): Envelope[] {
    const all: Envelope[] = [];
    for (let slot = this.#first; slot; slot = slot.next) {
      if (!isExpired(slot)) all.push(slot.envelope);
    }
    this.#first = this.#last = this.#index = undefined;
    this.#length = 0;
    return all;
  }

  #takeIndexed<Result>(cases: readonly Case<Result>[], index: Index): Taken<Result> | undefined {
    let best: Slot | undefined;
    let reaction: Case<Result> | undefined;
    for (const each of cases) {
      let first = index.first(each);
      while (first && isExpired(first)) {
        this.#remove(first);
        first = index.first(each);
      }
      if (first && (!best || first.order < best.order)) {
        best = first;
        reaction = each;
      }
    }
    if (!best || !reaction) return undefined;
    this.#remove(best);
    return { envelope: best.envelope, reaction };
  }

  #makeIndex(): Index {
    const index = new Index();
    for (let slot = this.#first; slot; slot = slot.next) index.add(slot);
    return index;
  }

  #remove(slot: Slot): void {
    if (slot.previous) slot.previous.next = slot.next;
    else this.#first = slot.next;
    if (slot.next) slot.next.previous = slot.previous;
    else this.#last = slot.previous;
    this.#index?.remove(slot);
    if (--this.#length === 0) this.#index = undefined;
  }
}

function isIndexed({ type, replyTo }: Case<unknown>): boolean {
  return type !== undefined || replyTo !== undefined;
}

function isExpired({ envelope: { expires } }: Slot): boolean {
  return expires !== undefined && expires <= performance.now();
}

/** Finds the first case that matches an envelope. `type` is the type of its message. */
export function findCase<Result>(
  cases: readonly Case<Result>[],
  envelope: Envelope,
  type: string | undefined,
): Case<Result> | undefined {
  for (let i = 0; i < cases.length; i++) {
    const candidate = cases[i]!;
    if (
      candidate.type !== undefined
        ? candidate.type === type
        : candidate.replyTo !== undefined
        ? candidate.replyTo === envelope.replyTo
        : candidate.matches?.(envelope)
    ) {
      return candidate;
    }
  }
  return undefined;
}
