/**
 * The SDK of OpenTelemetry, as a program would register it, which keeps spans in memory.
 *
 * @module
 */
import assert from "node:assert/strict";
import { context, SpanKind, SpanStatusCode, trace } from "npm:@opentelemetry/api@~1.9.0";
import { AsyncLocalStorageContextManager } from "npm:@opentelemetry/context-async-hooks@^2.0.0";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "npm:@opentelemetry/sdk-trace-base@^2.0.0";

/** How long a test waits for a span, in ms: one that never comes is a failure, and no test that hangs. */
const DEADLINE = 20_000;

/** The spans that have ended since it was made. The SDK is registered until it is disposed. */
export class FinishedSpans implements Disposable {
  readonly #exporter = new InMemorySpanExporter();

  /** Registers the SDK. */
  constructor() {
    const spanProcessors = [new SimpleSpanProcessor(this.#exporter)];
    assert.ok(trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors })));
    assert.ok(context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
  }

  /** All of them, as `client counter/add`, with the code of the error if there is one. */
  get names(): string[] {
    return this.#exporter.getFinishedSpans().map(describe).sort();
  }

  /** Waits until as many have ended, and returns them by their descriptions, without doubles. */
  async wait(count: number): Promise<Record<string, ReadableSpan>> {
    const late = performance.now() + DEADLINE;
    while (this.names.length < count) {
      assert.ok(performance.now() < late, `only ${this.names.join(", ")}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(this.names.length, count, this.names.join(", "));
    const spans = this.#exporter.getFinishedSpans();
    return Object.fromEntries(spans.map((span) => [describe(span), span]));
  }

  [Symbol.dispose](): void {
    trace.disable();
    context.disable();
  }
}

function describe({ kind, name, status, attributes }: ReadableSpan): string {
  const error = status.code === SpanStatusCode.ERROR ? ` ${attributes["error.type"]}` : "";
  return `${SpanKind[kind]!.toLowerCase()} ${name}${error}`;
}

/** The id of a span, and that of its parent. */
export function idOf(span: ReadableSpan | undefined): string {
  return span!.spanContext().spanId;
}

/** The id of the parent of a span; undefined for the first of a trace. */
export function parentOf(span: ReadableSpan | undefined): string | undefined {
  return span!.parentSpanContext?.spanId;
}
