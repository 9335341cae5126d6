/**
 * The trace of one actor: its messages and answers as records, which wait to be fetched.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import { type ActorTracer, traceActor } from "../actor/actor_observation.ts";
import { type Destination, type Envelope, messageType } from "../actor/messaging.ts";
import { ActorRef } from "../actor/references.ts";
import { describeThrown } from "../error_report.ts";
import { inspectBounded } from "../inspection.ts";
import { shorten } from "../safe_text.ts";
import {
  FULL_TEXT,
  MAX_TRACE_RECORDS,
  MAX_TRACED_NAME,
  SHOWN_TEXT,
  type TraceEnd,
  type TraceNews,
  type TraceRecord,
} from "./trace_protocol.ts";

/** The largest number of records that wait to be fetched, and of UTF-16 code units in them. */
const MAX_WAITING = 2_000;
const MAX_WAITING_TEXT = 1 << 20;

/** The time in which further records are gathered after the first, in ms. */
const GATHERING = 50;

/**
 * The largest number of records in a second. To write one takes some 10 us, for which the actor
 * waits, so that a trace takes a few percent of a processor core at most.
 */
const MAX_RATE = 2_000;

/** A message whose object has more properties is shown with its type among them. */
const MAX_PROPERTIES = 100;

/** A message that the actor has taken and is not done with. */
interface Begun {
  /** Its number in the trace. */
  readonly number: number;
  /** When it was taken, by `performance.now()`. */
  readonly at: number;
  /** Whether its handler goes on while the actor takes other messages. */
  goesOn: boolean;
}

/** Options of a trace. */
export interface ActorTraceOptions {
  /** How many messages are traced. */
  readonly count: number;
  /** For how long, in ms. */
  readonly time: number;
  /** Whether messages are shown longer. */
  readonly full: boolean;
  /** Whether to leave a message out, since it belongs to the trace itself. */
  readonly ignores: (envelope: Envelope) => boolean;
}

/** Traces an actor. It ends by itself, or with `end`. */
export class ActorTrace implements ActorTracer {
  readonly #options: ActorTraceOptions;
  readonly #tracing: Disposable;
  readonly #timer: ReturnType<typeof setTimeout>;
  /** The messages that wait in the mailbox, and when they came, by `performance.now()`. */
  readonly #arrivals = new WeakMap<Envelope, number>();
  readonly #begun = new Map<Envelope, Begun>();
  /** The message that the actor has taken last, unless it receives again. */
  #current: Envelope | undefined;
  #count = 0;
  #records: TraceRecord[] = [];
  #textLength = 0;
  #lost = 0;
  /** The records in the current second, and its end by `performance.now()`. */
  #rate = 0;
  #rateUntil = 0;
  #end: TraceEnd | undefined;
  #wake: (() => void) | undefined;
  /** Runs while records are gathered for the one that waits. */
  #gathering: ReturnType<typeof setTimeout> | undefined;

  /** Begins. */
  constructor(actor: Actor, options: ActorTraceOptions) {
    this.#options = options;
    this.#tracing = traceActor(actor, this);
    this.#timer = setTimeout(() => this.end({ why: "time" }), options.time);
  }

  /** Takes the records that wait. */
  take(): TraceNews {
    const records = this.#records.splice(0, MAX_TRACE_RECORDS);
    this.#textLength -= lengthOf(records);
    // The records that are left out are behind those that wait.
    if (this.#records.length > 0) return { records, lost: 0 };
    const lost = this.#lost;
    this.#lost = 0;
    return { records, lost, ...this.#end && { end: this.#end } };
  }

  /**
   * Resolves when there is something to take, at the latest after `wait` ms. It gathers records for
   * a moment, so that a busy actor does not cost a message for each; the end does not wait.
   */
  async changed(wait: number): Promise<void> {
    if (this.#isUrgent) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake?.();
    this.#wake = resolve;
    const timer = setTimeout(resolve, this.#records.length > 0 ? Math.min(wait, GATHERING) : wait);
    await promise;
    clearTimeout(timer);
  }

  /** Ends it. What waits can still be taken. The first end counts. */
  end(end: TraceEnd): void {
    if (this.#end) return;
    this.#end = end;
    clearTimeout(this.#timer);
    this.#tracing[Symbol.dispose]();
    this.#begun.clear();
    this.#notify();
  }

  /** See {@linkcode ActorTracer.arrived}. */
  arrived(envelope: Envelope): void {
    this.#arrivals.set(envelope, performance.now());
  }

  /** See {@linkcode ActorTracer.taken}. */
  taken(envelope: Envelope): void {
    const { count, ignores } = this.#options;
    if (this.#count === count || ignores(envelope)) return;
    const at = performance.now();
    const arrived = this.#arrivals.get(envelope);
    const number = this.#count + 1;
    const { message, source } = envelope;
    const isNoted = this.#note(() => ({
      kind: "took",
      number,
      peer: `${source}`,
      ...this.#show(message),
      ...arrived !== undefined && { waited: at - arrived },
    }));
    if (!isNoted) return;
    this.#count = number;
    this.#current = envelope;
    this.#begun.set(envelope, { number, at, goesOn: false });
  }

  /** See {@linkcode ActorTracer.receives}. */
  receives(): void {
    const envelope = this.#current;
    this.#current = undefined;
    // An answer may come later.
    if (!envelope || envelope.replyExpected || this.#begun.get(envelope)?.goesOn) return;
    this.#finish(envelope, { kind: "done" });
  }

  /** See {@linkcode ActorTracer.continues}. */
  continues(envelope: Envelope): void {
    const begun = this.#begun.get(envelope);
    if (begun) begun.goesOn = true;
  }

  /** See {@linkcode ActorTracer.settled}. */
  settled(envelope: Envelope): void {
    if (!envelope.replyExpected) this.#finish(envelope, { kind: "done" });
  }

  /** See {@linkcode ActorTracer.answered}. */
  answered(
    envelope: Envelope,
    { value, failed }: { readonly value: unknown; readonly failed: boolean },
  ): void {
    if (failed) this.failed(envelope, value);
    else this.#finish(envelope, { kind: "answered", shown: () => this.#text(value) });
  }

  /** See {@linkcode ActorTracer.failed}. */
  failed(envelope: Envelope, error: unknown): void {
    this.#finish(envelope, { kind: "failed", shown: () => this.#shorten(describeThrown(error)) });
  }

  /** See {@linkcode ActorTracer.sent}. */
  sent(message: unknown, dest: Destination, { isAsk }: { readonly isAsk: boolean }): void {
    if (this.#count === this.#options.count && this.#begun.size === 0) return;
    const number = this.#current && this.#begun.get(this.#current)?.number;
    this.#note(() => ({
      kind: isAsk ? "asked" : "told",
      ...number !== undefined && { number },
      peer: nameOf(dest),
      ...this.#show(message),
    }));
  }

  /** See {@linkcode ActorTracer.ended}. */
  ended(reason: string | undefined): void {
    const shown = reason === undefined ? {} : { reason: this.#shorten(reason) };
    this.end({ why: "actor", ...shown });
  }

  #finish(
    envelope: Envelope,
    { kind, shown }: { kind: TraceRecord["kind"]; shown?: () => string },
  ): void {
    const begun = this.#begun.get(envelope);
    if (!begun) return;
    this.#begun.delete(envelope);
    const elapsed = performance.now() - begun.at;
    this.#note(() => ({
      kind,
      number: begun.number,
      elapsed,
      ...shown && { text: shown() },
    }));
    if (this.#count === this.#options.count && this.#begun.size === 0) this.end({ why: "count" });
  }

  /** Adds a record, or counts it as lost if there are too many. Returns whether it was added. */
  #note(make: () => Omit<TraceRecord, "at">): boolean {
    if (!this.#hasRoom()) {
      if (this.#lost++ === 0) this.#notify();
      return false;
    }
    const record = { at: Date.now(), ...make() };
    this.#records.push(record);
    this.#textLength += lengthOf([record]);
    this.#notify();
    return true;
  }

  #hasRoom(): boolean {
    const now = performance.now();
    if (now >= this.#rateUntil) {
      this.#rateUntil = now + 1_000;
      this.#rate = 0;
    }
    // Once some are lost, the rest is, until these are told of: records stay in their order.
    return this.#lost === 0 && ++this.#rate <= MAX_RATE && this.#records.length < MAX_WAITING &&
      this.#textLength < MAX_WAITING_TEXT;
  }

  #notify(): void {
    if (this.#isUrgent) this.#wakeNow();
    else if (this.#wake) this.#gathering ??= setTimeout(() => this.#wakeNow(), GATHERING);
  }

  /** Whether what there is should be taken at once. */
  get #isUrgent(): boolean {
    return this.#end !== undefined || this.#lost > 0 || this.#records.length >= MAX_TRACE_RECORDS;
  }

  #wakeNow(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#wake?.();
    this.#wake = undefined;
  }

  /** A message as its type, if it has one, and the rest. */
  #show(message: unknown): Pick<TraceRecord, "type" | "text"> {
    let type: string | undefined;
    try {
      type = messageType(message);
    } catch {
      // It has a getter that throws.
    }
    if (type === undefined) return { text: this.#text(message) };
    const rest = withoutType(message as object);
    return {
      type: shorten(type, MAX_TRACED_NAME),
      ...rest !== undefined && { text: this.#text(rest) },
    };
  }

  #text(value: unknown): string {
    return inspectBounded(value, { limit: this.#limit, oneLine: true });
  }

  #shorten(text: string): string {
    return shorten(text, this.#limit);
  }

  get #limit(): number {
    return this.#options.full ? FULL_TEXT : SHOWN_TEXT;
  }
}

function lengthOf(records: readonly TraceRecord[]): number {
  return records.reduce((sum, { text = "", type = "" }) => sum + text.length + type.length, 0);
}

/**
 * A plain object without its type; undefined if nothing else is in it. Any other object stays as it
 * is.
 */
function withoutType(message: object): object | undefined {
  try {
    const prototype = Object.getPrototypeOf(message);
    if (prototype !== Object.prototype && prototype !== null) return message;
    const properties = Object.getOwnPropertyDescriptors(message) as Record<
      string,
      PropertyDescriptor
    >;
    const count = Object.keys(properties).length;
    if (count > MAX_PROPERTIES) return message;
    if (count === 1) return undefined;
    delete properties.type;
    return Object.defineProperties({}, properties);
  } catch {
    return message;
  }
}

function nameOf(dest: Destination): string {
  const text = dest instanceof ActorRef || typeof dest !== "object" ? `${dest}` : `${dest.ref}`;
  return shorten(text, MAX_TRACED_NAME);
}
