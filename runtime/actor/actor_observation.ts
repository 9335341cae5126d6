/**
 * Observing an actor: its time in handlers, and what tracers are told of it.
 *
 * An actor that is not observed has none, and pays only for looking whether it has.
 *
 * @module
 */
import type { Actor } from "./actor.ts";
import type { Taken } from "./mailbox.ts";
import type { MessageSpans } from "./message_spans.ts";
import type { Destination, Envelope } from "./messaging.ts";

/** Is told of all that an actor does with messages. It must not throw. */
export interface ActorTracer {
  /** A message has come: it is taken at once, or waits in the mailbox. */
  arrived(envelope: Envelope): void;
  /** The actor has taken a message. */
  taken(envelope: Envelope): void;
  /** The actor is ready for its next message: it is done with the last, unless that handler goes on. */
  receives(): void;
  /** The handler of a message has returned a promise, and goes on. */
  continues(envelope: Envelope): void;
  /** Such a handler is done with its message. */
  settled(envelope: Envelope): void;
  /** A message is answered, with a value or a failure. */
  answered(envelope: Envelope, answer: { readonly value: unknown; readonly failed: boolean }): void;
  /** The handler of a message whose sender waits for no answer has failed. */
  failed(envelope: Envelope, error: unknown): void;
  /** The actor sends a message. */
  sent(message: unknown, dest: Destination, options: { readonly isAsk: boolean }): void;
  /** The actor has ended: with a reason, unless it ended normally. */
  ended(reason: string | undefined): void;
}

/**
 * What is observed of one actor.
 *
 * It is *in handlers* from when it takes a message until it waits for the next one, also while a
 * handler waits for something else. An actor that takes several requests at once is in handlers while
 * any of them runs. So it is never for more time than passes.
 */
export class ActorObservation {
  readonly #actor: Actor;
  /** Whether the server measures handlers, or only the tracers need this. */
  isMeasured = false;
  /** Makes spans of its messages, if its server does. */
  spans: MessageSpans | undefined;
  /** Those that are told. */
  readonly tracers: Set<ActorTracer> = new Set<ActorTracer>();
  /** The time in handlers until `#since`, in ms. */
  #time = 0;
  /** The time by `performance.now()` since when it is in handlers; undefined while it is not. */
  #since: number | undefined;
  #waits: boolean;

  /** Begins to observe an actor, which may be in a handler. */
  constructor(actor: Actor) {
    this.#actor = actor;
    this.#waits = actor.activity !== "running";
    const isHandling = actor.requests.isRunning || !this.#waits && actor.handled > 0;
    if (isHandling) this.#since = performance.now();
  }

  /** The time in handlers since it is observed, in ms. */
  get handlerTime(): number {
    return this.#since === undefined ? this.#time : this.#time + performance.now() - this.#since;
  }

  /** See {@linkcode ActorTracer.arrived}. */
  arrived(envelope: Envelope): void {
    for (const tracer of this.tracers) tracer.arrived(envelope);
  }

  /** The actor has taken a message: runs the reaction to it, inside a span if there is one. */
  react<Result>(taken: Taken<Result>): Result {
    const { envelope, reaction } = taken;
    this.taken(envelope);
    if (this.spans !== undefined) return this.spans.react(taken, this.#actor);
    return reaction.react(envelope.message as never, envelope);
  }

  /** See {@linkcode ActorTracer.taken}. */
  taken(envelope: Envelope): void {
    this.#since ??= performance.now();
    for (const tracer of this.tracers) {
      // It took the one before without waiting for this one.
      if (!this.#waits) tracer.receives();
      tracer.taken(envelope);
    }
    this.#waits = false;
  }

  /** The actor waits for its next message. */
  waits(): void {
    this.#waits = true;
    this.#pause();
    for (const tracer of this.tracers) tracer.receives();
  }

  /** See {@linkcode ActorTracer.continues}. */
  continues(envelope: Envelope): void {
    for (const tracer of this.tracers) tracer.continues(envelope);
  }

  /** See {@linkcode ActorTracer.settled}. */
  settled(envelope: Envelope): void {
    if (this.#waits) this.#pause();
    for (const tracer of this.tracers) tracer.settled(envelope);
  }

  /** See {@linkcode ActorTracer.answered}. */
  answered(
    envelope: Envelope,
    answer: { readonly value: unknown; readonly failed: boolean },
  ): void {
    for (const tracer of this.tracers) tracer.answered(envelope, answer);
  }

  /** See {@linkcode ActorTracer.failed}. */
  failed(envelope: Envelope, error: unknown): void {
    for (const tracer of this.tracers) tracer.failed(envelope, error);
  }

  /** See {@linkcode ActorTracer.sent}. */
  sent(message: unknown, dest: Destination, options: { readonly isAsk: boolean }): void {
    for (const tracer of this.tracers) tracer.sent(message, dest, options);
  }

  /** See {@linkcode ActorTracer.ended}. */
  ended(reason: string | undefined): void {
    this.#pause();
    for (const tracer of this.tracers) tracer.ended(reason);
    this.tracers.clear();
  }

  /** Ends the time in handlers, unless a handler that returned a promise goes on. */
  #pause(): void {
    if (this.#since === undefined || this.#actor.requests.isRunning) return;
    this.#time += performance.now() - this.#since;
    this.#since = undefined;
  }
}

/** Begins to measure the time of an actor in handlers. */
export function measureActor(actor: Actor): void {
  observe(actor).isMeasured = true;
}

/** Ends what {@linkcode measureActor} began. */
export function endMeasuring(actor: Actor): void {
  if (!actor.observation) return;
  actor.observation.isMeasured = false;
  endUnused(actor);
}

/** Tells a tracer of all that an actor does, until it ends or the result is disposed. */
export function traceActor(actor: Actor, tracer: ActorTracer): Disposable {
  observe(actor).tracers.add(tracer);
  return {
    [Symbol.dispose]() {
      actor.observation?.tracers.delete(tracer);
      endUnused(actor);
    },
  };
}

function observe(actor: Actor): ActorObservation {
  return actor.observation ??= new ActorObservation(actor);
}

/** Makes spans of the messages of an actor; undefined ends that. */
export function makeSpans(actor: Actor, spans: MessageSpans | undefined): void {
  if (spans) observe(actor).spans = spans;
  else if (actor.observation) {
    actor.observation.spans = undefined;
    endUnused(actor);
  }
}

function endUnused(actor: Actor): void {
  const { observation } = actor;
  if (!observation || observation.isMeasured || observation.spans) return;
  if (observation.tracers.size === 0) actor.observation = undefined;
}
