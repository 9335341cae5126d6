/**
 * The trace that a record of the log belongs to. Telemetry provides it; without telemetry there is
 * none.
 *
 * @module
 */

/** A trace and its span, with the names that OpenTelemetry specifies for logs in other formats. */
export interface LogTrace {
  /** The trace, in hex. */
  readonly trace_id: string;
  /** The span, in hex. */
  readonly span_id: string;
  /** `01` if the trace is recorded, else `00`. */
  readonly trace_flags: string;
}

let find: (() => LogTrace | undefined) | undefined;

/** Has records belong to the trace that a function finds for the running code; undefined for none. */
export function provideLogTrace(current: (() => LogTrace | undefined) | undefined): void {
  find = current;
}

/** The trace of what is logged now. Sinks run inside the call that logs. */
export function currentLogTrace(): LogTrace | undefined {
  return find?.();
}
