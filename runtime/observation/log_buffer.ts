/**
 * The last records of a log, in memory, for readers in other servers.
 *
 * @module
 */
import type { LogRecord } from "npm:@logtape/logtape@^2.4.2";
import { EnsembleError } from "../errors.ts";
import { describeRecord, shortCategory } from "../home/log_format.ts";
import { currentLogTrace } from "../home/log_trace.ts";
import { shorten } from "../safe_text.ts";
import {
  type LogFilter,
  type LoggedRecord,
  type LogPage,
  type LogQuery,
  MAX_CATEGORY,
  MAX_RECORDS,
  RECORD_LEVELS,
} from "./log_protocol.ts";

/** The maximum size of all records together, in UTF-16 code units. Older ones are dropped. */
export const MAX_BUFFER_SIZE: number = 1024 * 1024;

/** The maximum length of each part of a record, in UTF-16 code units. */
const MAX_PART = 4_000;

/** The size of a record without texts. */
const RECORD_SIZE = 200;

/** The maximum number of readers that wait at the same time. */
const MAX_WAITING = 100;

/** The time in which further records are gathered after the first, in ms. */
const GATHERING = 50;

/** The number of records after which no more are gathered. */
const ENOUGH: number = MAX_RECORDS / 4;

/** A record, and what it counts against the size. */
interface Kept {
  readonly record: LoggedRecord;
  readonly size: number;
}

/**
 * Keeps the last records of a log. Each has a sequence number, from 1 on without gaps. The oldest
 * are dropped when there are more than {@linkcode MAX_RECORDS}, or when all are larger than
 * {@linkcode MAX_BUFFER_SIZE}.
 *
 * A record is rendered when it is logged, so that it neither holds nor changes with what it refers to.
 */
export class LogBuffer {
  /** Names this log: a process that starts again has another. */
  readonly id: string = crypto.randomUUID();
  /** By their sequence numbers, modulo the maximum. */
  readonly #kept: (Kept | undefined)[] = new Array(MAX_RECORDS);
  /** Readers that wait. Each is called for each record. */
  readonly #waiting = new Set<(record: LoggedRecord) => void>();
  /** The sequence numbers of the oldest record, and of the next. */
  #first = 1;
  #next = 1;
  #size = 0;
  #warnings = 0;
  #errors = 0;

  /** The number of warnings so far. */
  get warnings(): number {
    return this.#warnings;
  }

  /** The number of errors so far, fatal ones included. */
  get errors(): number {
    return this.#errors;
  }

  /** Keeps a record. */
  add(record: LogRecord): void {
    const sequence = this.#next++;
    const { properties, ...texts } = describeRecord(record, {
      limit: MAX_PART,
      trace: currentLogTrace(),
    });
    const logged: LoggedRecord = {
      sequence,
      at: Number.isNaN(new Date(record.timestamp).getTime()) ? Date.now() : record.timestamp,
      level: record.level,
      category: shorten(record.category.join("."), MAX_CATEGORY),
      ...texts,
      properties: JSON.stringify(properties),
    };
    const size = RECORD_SIZE + logged.properties.length +
      Object.values(texts).reduce((length, text) => length + text.length, 0);
    if (record.level === "warning") this.#warnings++;
    else if (record.level === "error" || record.level === "fatal") this.#errors++;
    if (sequence - this.#first === MAX_RECORDS) this.#dropOldest();
    this.#kept[sequence % MAX_RECORDS] = { record: logged, size };
    this.#size += size;
    while (this.#size > MAX_BUFFER_SIZE && this.#first < sequence) this.#dropOldest();
    for (const onRecord of this.#waiting) onRecord(logged);
  }

  /** Reads records, without waiting. */
  read({ after, limit, ...filter }: LogQuery): LogPage {
    const matches = matcher(filter);
    if (!after) return this.#page(this.#newest(matches, limit), this.#next - 1);
    const last = after.log === this.id ? Math.min(after.sequence, this.#next - 1) : 0;
    const begin = Math.max(this.#first, last + 1);
    const records: LoggedRecord[] = [];
    let sequence = begin;
    for (; sequence < this.#next && records.length < limit; sequence++) {
      const record = this.#at(sequence);
      if (matches(record)) records.push(record);
    }
    return this.#page(records, sequence - 1, begin - last - 1);
  }

  /**
   * Waits until a record matches, and for a moment longer, since records come in groups. Ends at
   * once when one of the signals is aborted.
   *
   * @throws {EnsembleError} if too many readers wait.
   */
  async wait(
    filter: LogFilter,
    { timeout, signals }: { readonly timeout: number; readonly signals: readonly AbortSignal[] },
  ): Promise<void> {
    if (this.#waiting.size >= MAX_WAITING) {
      throw new EnsembleError(
        `${MAX_WAITING} readers wait for records of this log, and no more can: try again later`,
      );
    }
    if (signals.some(({ aborted }) => aborted)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const matches = matcher(filter);
    let count = 0;
    let timer = setTimeout(resolve, timeout);
    const onRecord = (record: LoggedRecord) => {
      if (!matches(record)) return;
      count++;
      if (count === ENOUGH) resolve();
      if (count > 1) return;
      clearTimeout(timer);
      timer = setTimeout(resolve, Math.min(timeout, GATHERING));
    };
    const end = () => resolve();
    this.#waiting.add(onRecord);
    for (const signal of signals) signal.addEventListener("abort", end);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(onRecord);
      for (const signal of signals) signal.removeEventListener("abort", end);
    }
  }

  /** The newest records that match, oldest first. */
  #newest(matches: (record: LoggedRecord) => boolean, limit: number): LoggedRecord[] {
    const records: LoggedRecord[] = [];
    for (let at = this.#next - 1; at >= this.#first && records.length < limit; at--) {
      const record = this.#at(at);
      if (matches(record)) records.push(record);
    }
    return records.reverse();
  }

  #page(records: LoggedRecord[], sequence: number, lost = 0): LogPage {
    return { records, position: { log: this.id, sequence }, lost };
  }

  #at(sequence: number): LoggedRecord {
    return this.#kept[sequence % MAX_RECORDS]!.record;
  }

  #dropOldest(): void {
    const index = this.#first++ % MAX_RECORDS;
    this.#size -= this.#kept[index]!.size;
    this.#kept[index] = undefined;
  }
}

/** Whether a record is one that a reader wants. */
function matcher({ level, category, text, age }: LogFilter): (record: LoggedRecord) => boolean {
  const least = level === undefined ? 0 : RECORD_LEVELS.indexOf(level);
  const since = age === undefined ? 0 : Date.now() - age;
  const contains = text === undefined ? () => true : finder(text);
  return (record) =>
    record.at >= since &&
    RECORD_LEVELS.indexOf(record.level) >= least &&
    (category === undefined || isBelow(record.category, category)) &&
    contains(record);
}

/** Whether a category is the given one, or below it. */
function isBelow(category: string, given: string): boolean {
  const names = [category, shortCategory(category)];
  return names.some((name) => name === given || name.startsWith(`${given}.`));
}

/** Finds a text. If it has no capital letter, case does not matter. */
function finder(text: string): (record: LoggedRecord) => boolean {
  const ignoresCase = text === text.toLowerCase();
  return ({ message, fields, errors }) => {
    const whole = `${message}${fields}\n${errors}`;
    return (ignoresCase ? whole.toLowerCase() : whole).includes(text);
  };
}
