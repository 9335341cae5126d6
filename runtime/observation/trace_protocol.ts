/**
 * Traces of actors: what the actor `observer` answers about them.
 *
 * @module
 */
import {
  actorId,
  type AnswerForms,
  type Check,
  finiteNumber,
  flag,
  listOf,
  oneOf,
  optional,
  parts,
  positive,
  type RequestForms,
  text,
  timestamp,
  wholeNumber,
} from "../server/request_checks.ts";
import type { ActorId } from "../actor/references.ts";

/** The largest number of messages in a trace. */
export const MAX_TRACED = 100_000;

/** The longest time that a trace lasts, in ms. */
export const MAX_TRACE_TIME = 600_000;

/** The longest time that a request for records waits, in ms. */
export const MAX_TRACE_WAIT = 10_000;

/** The largest number of records in an answer. */
export const MAX_TRACE_RECORDS = 500;

/** The longest text of a message or an answer, in UTF-16 code units; and if it is shown in full. */
export const SHOWN_TEXT = 200;
export const FULL_TEXT = 10_000;

/** The longest reference or message type in a record, in UTF-16 code units. */
export const MAX_TRACED_NAME = 400;

/** The kinds of records. */
const RECORD_KINDS = [
  "took",
  "answered",
  "failed",
  "done",
  "told",
  "asked",
] as const;

/** One event of a trace. */
export interface TraceRecord {
  /**
   * What the actor did:
   *
   * - `took`: took a message out of its mailbox.
   * - `answered`: answered it.
   * - `failed`: answered it with an error, or failed to handle it.
   * - `done`: is done with a message to which no answer is waited for.
   * - `told` and `asked`: sent a message, in its own name.
   */
  readonly kind: typeof RECORD_KINDS[number];
  /** The number of the message in the trace, from 1; absent if it sent something by itself. */
  readonly number?: number;
  /** When, in ms since 1970 by the server's clock. */
  readonly at: number;
  /** The sender of the message, or the receiver of what it sent; absent for what it is done with. */
  readonly peer?: string;
  /** The type of the message, if it has one. */
  readonly type?: string;
  /** The message without its type, the answer or the error, as shortened text. */
  readonly text?: string;
  /** How long the message has waited in the mailbox, in ms; absent if it came before the trace. */
  readonly waited?: number;
  /** The time since the actor took the message, in ms. */
  readonly elapsed?: number;
}

/** Why a trace has ended. */
export interface TraceEnd {
  /**
   * - `count`: the actor has handled as many messages as were asked for.
   * - `time`: its time is over.
   * - `actor`: the actor has ended.
   * - `stopped`: it was not allowed any more, or the server stops.
   */
  readonly why: "count" | "time" | "actor" | "stopped";
  /** Why the actor has ended, if it failed. */
  readonly reason?: string;
}

/** What came of a trace since the last request. */
export interface TraceNews {
  /** The records, in order. */
  readonly records: readonly TraceRecord[];
  /** The number of records that are left out after these, because there were too many. */
  readonly lost: number;
  /** Why it has ended; absent while it goes on. */
  readonly end?: TraceEnd;
}

/** The handlers of the actor `observer` for traces. */
export type TraceHandlers = {
  /**
   * Begins to trace an actor, for the connection of the request. Answers with the number of the
   * trace, or none if there is no such actor.
   */
  beginTrace(request: { actor: ActorId; count: number; time: number; full?: boolean }): {
    trace?: number;
  };
  /** What came since the last request, at the latest after `wait` ms. */
  followTrace(request: { trace: number; wait: number }): Promise<TraceNews>;
};

/** The checks of their requests. */
export const traceChecks: RequestForms<TraceHandlers> = {
  beginTrace: parts({ actor: actorId, count: positive, time: positive, full: optional(flag) }),
  followTrace: parts({ trace: wholeNumber, wait: wholeNumber }),
};

const name = text(MAX_TRACED_NAME);

/** The length that a text has after it was shortened. */
const shown = text(FULL_TEXT + 100);

const record: Check<TraceRecord> = parts({
  kind: oneOf(...RECORD_KINDS),
  number: optional(wholeNumber),
  at: timestamp,
  peer: optional(name),
  type: optional(name),
  text: optional(shown),
  waited: optional(finiteNumber),
  elapsed: optional(finiteNumber),
});

/** The checks of their answers. */
export const traceAnswers: AnswerForms<TraceHandlers> = {
  beginTrace: parts({ trace: optional(wholeNumber) }),
  followTrace: parts({
    records: listOf(record, MAX_TRACE_RECORDS),
    lost: wholeNumber,
    end: optional(
      parts({ why: oneOf("count", "time", "actor", "stopped"), reason: optional(shown) }),
    ),
  }),
};
