/**
 * The trace context of messages, as the W3C recommendation "Trace Context" has it.
 *
 * @module
 */
import {
  type Context,
  createContextKey,
  createTraceState,
  isSpanContextValid,
  ROOT_CONTEXT,
  type SpanContext,
  trace,
  TraceFlags,
} from "npm:@opentelemetry/api@~1.9.0";
import type { TraceContext } from "../actor/messaging.ts";
import { MAX_TRACE_STATE } from "../wire/limits.ts";

/** Version, id of the trace, id of the parent span, flags, and what later versions add. */
const PARENT = /^(?!ff)([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/**
 * The `tracestate` that came with a trace, since the spans of Deno's own SDK do not pass it on.
 */
const STATE = createContextKey("gxensemble tracestate");

interface KnownState {
  readonly traceId: string;
  readonly state: string;
}

/** The trace context of what a context sends; undefined if it belongs to no trace. */
export function outgoingTrace(context: Context): TraceContext | undefined {
  const span = trace.getSpanContext(context);
  if (!span || !isSpanContextValid(span)) return undefined;
  const { traceId, spanId, traceFlags, traceState } = span;
  const known = context.getValue(STATE) as KnownState | undefined;
  const own = traceState?.serialize() || (known?.traceId === traceId ? known.state : "");
  const flags = traceFlags & TraceFlags.SAMPLED ? "01" : "00";
  return {
    parent: `00-${traceId}-${spanId}-${flags}`,
    state: own.length <= MAX_TRACE_STATE ? own : "",
  };
}

/**
 * The context for the work on a message. Without a valid trace context it is the root, so that the
 * work does not belong to what its actor was started for.
 */
export function incomingContext(from: TraceContext | undefined, isRemote: boolean): Context {
  const parent = from && parseParent(from.parent);
  if (!parent || !isSpanContextValid(parent)) return ROOT_CONTEXT;
  const { traceId } = parent;
  if (from.state === "") return trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote });
  const traceState = createTraceState(from.state);
  const known: KnownState = { traceId, state: traceState.serialize() };
  return trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote, traceState })
    .setValue(STATE, known);
}

function parseParent(text: string): SpanContext | undefined {
  const [, version, traceId, spanId, flags, more] = PARENT.exec(text) ?? [];
  if (version === undefined || version === "00" && more !== undefined) return undefined;
  return {
    traceId: traceId!,
    spanId: spanId!,
    traceFlags: parseInt(flags!, 16) & TraceFlags.SAMPLED,
  };
}

/** Whether a context belongs to a trace of which no spans are recorded. */
export function isUnsampled(context: Context): boolean {
  const span = trace.getSpanContext(context);
  return span !== undefined && isSpanContextValid(span) && !(span.traceFlags & TraceFlags.SAMPLED);
}
