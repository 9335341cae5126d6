/**
 * The requests of a server's log: reading its last records, and changing its levels.
 *
 * @module
 */
import type { HandlerContext } from "../actor/handler_context.ts";
import type { CategoryLevel } from "../home/log_levels.ts";
import type { LogLevel } from "../home/log_options.ts";
import { MAX_OPERATOR } from "../server/registry_protocol.ts";
import {
  type AnswerForms,
  type Check,
  flag,
  listOf,
  nothing,
  oneOf,
  optional,
  parts,
  positive,
  type RequestForms,
  text,
  timestamp,
  wholeNumber,
} from "../server/request_checks.ts";

/** The maximum number of records that a server keeps, and that an answer has. */
export const MAX_RECORDS = 2_000;

/** The longest time that a reader waits for records, in ms. */
const MAX_LOG_WAIT = 30_000;

/** The longest time that a level is changed for, in ms: a week. */
const MAX_LEVEL_DURATION = 7 * 86_400_000;

/** The longest category, and the longest text to look for, in UTF-16 code units. */
export const MAX_CATEGORY = 200;
const MAX_SOUGHT = 1_000;

/** The longest part of a record in an answer, in UTF-16 code units. */
const MAX_TEXT = 100_000;

/** LogTape's levels, most verbose first. */
export const RECORD_LEVELS = ["trace", "debug", "info", "warning", "error", "fatal"] as const;

/** A level of LogTape. */
export type RecordLevel = typeof RECORD_LEVELS[number];

/** A record that a server has logged. Its texts come from a program: show them escaped. */
export interface LoggedRecord {
  /** Its number in the log of its process: 1 for the first. */
  readonly sequence: number;
  /** When it was logged, in ms since 1970, by the clock of its server. */
  readonly at: number;
  /** How severe it is. */
  readonly level: RecordLevel;
  /** Its category, with dots between its parts. */
  readonly category: string;
  /** The message, with the values in it. */
  readonly message: string;
  /** The properties that the message does not contain, each as ` name=value`. */
  readonly fields: string;
  /** The lines of the errors among its properties, indented, with stacks and causes; or empty. */
  readonly errors: string;
  /** Its properties, as the text of a JSON object. */
  readonly properties: string;
}

/** The place of a reader in a log. */
export interface LogPosition {
  /** The log: a process that starts again has another. */
  readonly log: string;
  /** The sequence number of the last record that was read or passed over. */
  readonly sequence: number;
}

/** Which records to read. */
export interface LogFilter {
  /** The least severe level. */
  readonly level?: RecordLevel | undefined;
  /** The category, or one above it; the runtime's own also without `gxensemble`. */
  readonly category?: string | undefined;
  /**
   * A text in the message, its fields or errors. If it has no capital letter, case does not matter.
   */
  readonly text?: string | undefined;
  /** The greatest age of a record, in ms. */
  readonly age?: number | undefined;
}

/** Which records to read, and from where on. */
export interface LogQuery extends LogFilter {
  /**
   * Where to go on, oldest first; all records, if the process has started again since. Without it,
   * the newest are read.
   */
  readonly after?: LogPosition | undefined;
  /** The maximum number of records. */
  readonly limit: number;
  /** The time to wait if there are none, in ms. Default: the answer comes at once. */
  readonly wait?: number | undefined;
}

/** The answer to a {@linkcode LogQuery}. */
export interface LogPage {
  /** The records, oldest first. */
  readonly records: LoggedRecord[];
  /** Where to go on. */
  readonly position: LogPosition;
  /**
   * The number of records of any kind that came after the position of the query, and were dropped
   * before they were read.
   */
  readonly lost: number;
}

/** A change of the level of a category. */
export interface LevelChange {
  /** The category, as in {@linkcode LogFilter}; empty for all that have no level of their own. */
  readonly category: string;
  /** The level; absent for that before it was changed. */
  readonly level?: LogLevel | undefined;
  /** The time after which it is as before, in ms. Default: it stays. */
  readonly duration?: number | undefined;
  /** Who changes it, for the log: `user@host`, as the console says. */
  readonly by: string;
}

/** The levels of the log of a process. */
export interface LogLevels {
  /** Of each category that has one, that of all others first. */
  readonly levels: CategoryLevel[];
}

/** The result of a {@linkcode LevelChange}. */
export interface LevelOutcome extends LogLevels {
  /** The full name of the category. */
  readonly category: string;
  /** Whether the program has a logger for it so far. */
  readonly exists: boolean;
}

/** The handlers of the log, in the actor `observer`. */
export type LogHandlers = {
  /** Reads records of the log of the server's process. */
  readLog(request: LogQuery, context: HandlerContext): Promise<LogPage>;
  /** The levels. */
  logLevels(request: Record<never, never>, context: HandlerContext): LogLevels;
  /** Changes a level. */
  setLogLevel(request: LevelChange, context: HandlerContext): LevelOutcome;
};

const category = text(MAX_CATEGORY);
const sequence = wholeNumber;
const position = parts({ log: text(64), sequence });

/** A number up to a maximum. */
function upTo(most: number, check: Check<number>): Check<number> {
  return (value) => Math.min(check(value), most);
}

/** The checks of requests. */
export const logChecks: RequestForms<LogHandlers> = {
  readLog: parts({
    after: optional(position),
    limit: upTo(MAX_RECORDS, positive),
    wait: optional(upTo(MAX_LOG_WAIT, wholeNumber)),
    level: optional(oneOf(...RECORD_LEVELS)),
    category: optional(category),
    text: optional(text(MAX_SOUGHT)),
    age: optional(wholeNumber),
  }),
  logLevels: nothing,
  setLogLevel: parts({
    category,
    level: optional(oneOf("debug", "info", "warning", "error")),
    duration: optional(upTo(MAX_LEVEL_DURATION, positive)),
    by: text(MAX_OPERATOR),
  }),
};

const level = oneOf(...RECORD_LEVELS, "off");

const levels = listOf(
  parts({
    category: text(MAX_TEXT),
    level,
    before: optional(level),
    until: optional(timestamp),
  }),
  MAX_RECORDS,
);

/** The checks of answers. */
export const logAnswers: AnswerForms<LogHandlers> = {
  readLog: parts({
    records: listOf(
      parts({
        sequence,
        at: timestamp,
        level: oneOf(...RECORD_LEVELS),
        category: text(MAX_TEXT),
        message: text(MAX_TEXT),
        fields: text(MAX_TEXT),
        errors: text(MAX_TEXT),
        properties: text(MAX_TEXT),
      }),
      MAX_RECORDS,
    ),
    position,
    lost: wholeNumber,
  }),
  logLevels: parts({ levels }),
  setLogLevel: parts({ levels, category: text(MAX_TEXT), exists: flag }),
};
