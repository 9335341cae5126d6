import assert from "node:assert/strict";
import { ROOT_CONTEXT, trace } from "npm:@opentelemetry/api@~1.9.0";
import {
  incomingContext,
  isUnsampled,
  outgoingTrace,
} from "../../../runtime/observation/trace_context.ts";

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

Deno.test("a trace context arrives as it was sent", () => {
  for (const state of ["", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"]) {
    const received = incomingContext({ parent: PARENT, state }, true);
    assert.equal(trace.getSpanContext(received)!.isRemote, true);
    assert.deepEqual(outgoingTrace(received), { parent: PARENT, state });
  }
  assert.equal(outgoingTrace(ROOT_CONTEXT), undefined);
});

Deno.test("a span that does not pass the tracestate on keeps it in its context", () => {
  const received = incomingContext({ parent: PARENT, state: "congo=t61rcWkgMzE" }, true);
  const { traceId } = trace.getSpanContext(received)!;
  const child = { traceId, spanId: "00f067aa0ba902b7", traceFlags: 1 };
  assert.deepEqual(outgoingTrace(trace.setSpanContext(received, child)), {
    parent: "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
    state: "congo=t61rcWkgMzE",
  });
  const other = { ...child, traceId: "1".repeat(32) };
  assert.equal(outgoingTrace(trace.setSpanContext(received, other))!.state, "");
});

Deno.test("a trace context that is not valid begins a new trace", () => {
  const parents = [
    "",
    "x",
    PARENT.toUpperCase(),
    PARENT.slice(0, -1),
    PARENT.replace("00-", "ff-"),
    `${PARENT}-more`,
    PARENT.replace(/-[\da-f]{32}-/, `-${"0".repeat(32)}-`),
    PARENT.replace(/-[\da-f]{16}-/, `-${"0".repeat(16)}-`),
  ];
  for (const parent of parents) {
    assert.equal(incomingContext({ parent, state: "" }, true), ROOT_CONTEXT, parent);
  }
  assert.equal(incomingContext(undefined, true), ROOT_CONTEXT);
});

Deno.test("a traceparent of a later version is read as far as it is known", () => {
  const received = incomingContext(
    { parent: `${PARENT.replace("00-", "01-")}-more`, state: "" },
    true,
  );
  assert.deepEqual(outgoingTrace(received), { parent: PARENT, state: "" });
});

Deno.test("isUnsampled tells a trace without spans from none, and from one with spans", () => {
  const from = (parent: string) => incomingContext({ parent, state: "" }, true);
  assert.equal(isUnsampled(ROOT_CONTEXT), false);
  assert.equal(isUnsampled(from(PARENT)), false);
  assert.equal(isUnsampled(from(PARENT.replace(/01$/, "00"))), true);
  // The first bit says so.
  assert.equal(isUnsampled(from(PARENT.replace(/01$/, "02"))), true);
  assert.equal(isUnsampled(from(PARENT.replace(/01$/, "03"))), false);
});
