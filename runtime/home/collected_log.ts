/**
 * Collects the log of a process for a test, to be shown if the test fails.
 *
 * @module
 */
import { inspectLogger, type LogRecord, type Sink } from "npm:@logtape/logtape@^2.4.2";
import { formatRecord } from "./log_format.ts";
import { root } from "./root_logger.ts";

/** The maximum number of records. */
const MAX_RECORDS = 10_000;

/**
 * Collects the log of this process, at all levels, until disposed. If the program has configured
 * LogTape itself, nothing is collected, and its configuration stays.
 */
export class CollectedLog implements Disposable {
  readonly #records: LogRecord[] = [];
  readonly #sink: Sink = (record) => {
    if (this.#records.length === MAX_RECORDS) this.#records.shift();
    this.#records.push(record);
  };

  /** Starts collecting. */
  constructor() {
    if (inspectLogger([]).source === "unconfigured") root.sinks.push(this.#sink);
  }

  /** The last records, one per line. */
  get text(): string {
    return this.#records.map((record) => formatRecord(record, "text")).join("").trimEnd();
  }

  /** Stops collecting. The collected records stay. */
  [Symbol.dispose](): void {
    const index = root.sinks.indexOf(this.#sink);
    if (index >= 0) root.sinks.splice(index, 1);
  }
}
