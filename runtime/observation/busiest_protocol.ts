/**
 * The request to the actor `observer` for the busiest actors of its server.
 *
 * @module
 */
import { MAX_ACTOR_NAME } from "../actor/references.ts";
import {
  type AnswerForms,
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

/** By what the busiest actors are found: waiting messages, messages a second, or time in handlers. */
export const BUSY_ORDERS = ["mailbox", "handled", "time"] as const;

/** One of {@linkcode BUSY_ORDERS}. */
export type BusyOrder = typeof BUSY_ORDERS[number];

/** One of the busiest actors. */
export interface BusyActor {
  /** Its serial number. */
  readonly serial: number;
  /** Its registered name. */
  readonly name?: string;
  /** Its group, with its parents: `root/sessions`. */
  readonly group: string;
  /** Running its own code, waiting in a receive, ended, or waiting for its restart. */
  readonly state: "running" | "receiving" | "dead" | "restarting";
  /** The number of messages that wait. */
  readonly mailbox: number;
  /** The number of messages that it has taken. */
  readonly handled: number;
  /** The messages that it took in each second; absent in the first answer after a pause. */
  readonly handledPerSecond?: number;
  /**
   * The part of the time in which it was in handlers: 1 is all of it; absent in the first answer
   * after a pause. A handler that waits for something else counts, too.
   */
  readonly busy?: number;
  /** How often its supervisor has restarted it; absent without one. */
  readonly restarts?: number;
  /** Whether it is a part of its server. */
  readonly essential?: boolean;
}

/** The busiest actors of a server. */
export interface BusiestActors {
  /** The time of the server's clock, in ms since 1970. */
  readonly now: number;
  /**
   * The time over which rates are computed, in ms: at least a second; absent in the first answer
   * after a pause.
   */
  readonly interval?: number;
  /** The number of all its actors. */
  readonly actors: number;
  /** The busiest of them, in the order that was asked for. */
  readonly busiest: readonly BusyActor[];
}

/** The handlers of the actor `observer` for the busiest actors. */
export type BusiestHandlers = {
  /**
   * The busiest actors, at most `limit`. From the first request on, until ten seconds after the
   * last one, the server measures the time of its actors in handlers.
   */
  busiest(request: { sort: BusyOrder; limit: number }): BusiestActors;
};

/** The largest number of actors in an answer. More are cut off. */
export const MAX_BUSIEST = 1_000;

/** The longest path of a group, in UTF-16 code units. */
const MAX_GROUP = 10_000;

/** The checks of their requests. */
export const busiestChecks: RequestForms<BusiestHandlers> = {
  busiest: parts({ sort: oneOf(...BUSY_ORDERS), limit: positive }),
};

/** The checks of their answers. */
export const busiestAnswers: AnswerForms<BusiestHandlers> = {
  busiest: parts({
    now: timestamp,
    interval: optional(finiteNumber),
    actors: wholeNumber,
    busiest: listOf(
      parts({
        serial: wholeNumber,
        name: optional(text(MAX_ACTOR_NAME)),
        group: text(MAX_GROUP),
        state: oneOf("running", "receiving", "dead", "restarting"),
        mailbox: wholeNumber,
        handled: wholeNumber,
        handledPerSecond: optional(finiteNumber),
        busy: optional(finiteNumber),
        restarts: optional(wholeNumber),
        essential: optional(flag),
      }),
      MAX_BUSIEST,
    ),
  }),
};
