/**
 * The log of this process, as a part of its telemetry.
 *
 * @module
 */
import { context, isSpanContextValid, trace, TraceFlags } from "npm:@opentelemetry/api@~1.9.0";
import type { LogRecord, Sink } from "npm:@logtape/logtape@^2.4.2";
import { describeRecord, shortCategory } from "../home/log_format.ts";
import { type LogTrace, provideLogTrace } from "../home/log_trace.ts";
import { attachSink, detachSink, isConfigured } from "../home/root_logger.ts";
import { isConsoleReplaced } from "../home/telemetry_variables.ts";

/** The level of records that are sent if there is no other log. */
const DEFAULT_LEVEL = "info";

/** The maximum length of each part of a record, in UTF-16 code units. */
const MAX_PART = 10_000;

/** The method of `console` that Deno sends with the level of a record. */
const METHODS = {
  trace: "debug",
  debug: "debug",
  info: "info",
  warning: "warn",
  error: "error",
  fatal: "error",
} as const;

/** The number of servers of this process with telemetry. */
let servers = 0;

/**
 * Has the records of this process name their traces, and be sent where that is possible, until
 * disposed.
 *
 * Deno sends only what is printed with `console`, which would print each record for a second time.
 * So records are sent if that does not print.
 */
export function traceLog(): Disposable {
  provideLogTrace(currentTrace);
  if (servers++ === 0 && isConsoleReplaced() && !isConfigured()) {
    attachSink(send, { level: DEFAULT_LEVEL });
  }
  return {
    [Symbol.dispose]() {
      if (--servers > 0) return;
      detachSink(send);
      provideLogTrace(undefined);
    },
  };
}

const send: Sink = (record: LogRecord) => {
  const { message, fields, errors } = describeRecord(record, { limit: MAX_PART });
  const category = shortCategory(record.category.join("."));
  const text = `${category}: ${message}${fields}`;
  console[METHODS[record.level]](errors === "" ? text : `${text}\n${errors}`);
};

function currentTrace(): LogTrace | undefined {
  const span = trace.getSpanContext(context.active());
  if (!span || !isSpanContextValid(span)) return undefined;
  return {
    trace_id: span.traceId,
    span_id: span.spanId,
    trace_flags: span.traceFlags & TraceFlags.SAMPLED ? "01" : "00",
  };
}
