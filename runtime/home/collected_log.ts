/**
 * The log of a process as a test keeps it, to be shown when the test fails.
 *
 * @module
 */
import { getLogger, inspectLogger, type LogRecord, type Sink } from "npm:@logtape/logtape@^2.4.2";
import { formatRecord } from "./log_format.ts";

/** How many records are kept. */
const MAX_RECORDS = 10_000;

/** The logger above all others: see `logging.ts`. */
const root = getLogger([]) as unknown as { sinks: Sink[] };

/**
 * Collects what this process logs, at all levels, until disposed of. In a program that has configured LogTape itself
 * nothing is collected, and that goes on as it is.
 */
export class CollectedLog implements Disposable {
  readonly #records: LogRecord[] = [];
  readonly #sink: Sink = (record) => {
    if (this.#records.length === MAX_RECORDS) this.#records.shift();
    this.#records.push(record);
  };

  /** Starts to collect. */
  constructor() {
    if (inspectLogger([]).source === "unconfigured") root.sinks.push(this.#sink);
  }

  /** The last records, a line each. */
  get text(): string {
    return this.#records.map((record) => formatRecord(record, "text")).join("").trimEnd();
  }

  /** Ends the collection. What was collected stays. */
  [Symbol.dispose](): void {
    const index = root.sinks.indexOf(this.#sink);
    if (index >= 0) root.sinks.splice(index, 1);
  }
}
