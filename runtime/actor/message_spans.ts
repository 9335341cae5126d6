/**
 * Spans of messages: what telemetry follows of them.
 *
 * @module
 */
import type { Actor } from "./actor.ts";
import type { Taken } from "./mailbox.ts";
import type { Envelope } from "./messaging.ts";
import type { ActorRef } from "./references.ts";

/** A span that has begun. */
export interface OpenSpan {
  /** Ends it, with the error if what it is about has failed. Only the first call counts. */
  end(error?: unknown): void;
}

/**
 * Makes spans of messages, and runs the reactions to them inside. An `ActorSystem` without
 * one, as most are, does nothing for that.
 */
export interface MessageSpans {
  /** Begins the span of an ask at its sender, and marks its envelope as a part of the trace. */
  asked(envelope: Envelope, dest: ActorRef): OpenSpan | undefined;
  /** Makes the span of a message to which no answer is waited for. */
  told(envelope: Envelope, dest: ActorRef): void;
  /** Runs the reaction to a message inside a span, and returns its result. */
  react<Result>(taken: Taken<Result>, actor: Actor): Result;
  /** Keeps the span of a message open until a promise is settled. It never rejects. */
  continues(envelope: Envelope, work: Promise<void>): void;
  /** The handler of a message has failed. */
  failed(envelope: Envelope, error: unknown): void;
  /** A message is answered, by a value or a failure. */
  answered(envelope: Envelope, value: unknown, failed: boolean): void;
}
