/**
 * An endpoint that receives telemetry: OTLP over HTTP, as JSON.
 *
 * @module
 */
import assert from "node:assert/strict";

/** How long a test waits for telemetry, in ms: one that never comes is a failure, and no test that hangs. */
const DEADLINE = 20_000;

/** The kinds of spans, by their numbers in OTLP. */
const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"] as const;

/** The attributes of something, by their names. */
export type Attributes = Readonly<Record<string, unknown>>;

/** A span. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** An empty text for none. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: typeof KINDS[number];
  readonly attributes: Attributes;
  /** The message of its error; undefined if it has none. */
  readonly error: string | undefined;
  readonly events: readonly { readonly name: string; readonly attributes: Attributes }[];
  /** The `service.name` of the process that sent it. */
  readonly service: string;
}

/** A point of a metric. */
export interface ReceivedPoint {
  readonly name: string;
  readonly unit: string;
  readonly attributes: Attributes;
  /** Its value, or the number of values of a histogram. */
  readonly value: number;
  readonly service: string;
}

/** A record of a log. */
export interface ReceivedRecord {
  readonly body: string;
  readonly level: string;
  readonly traceId: string;
  readonly spanId: string;
}

/** Receives telemetry until disposed. */
export class OtlpReceiver implements AsyncDisposable {
  readonly spans: ReceivedSpan[] = [];
  readonly points: ReceivedPoint[] = [];
  readonly records: ReceivedRecord[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #end = new AbortController();
  #news = Promise.withResolvers<void>();
  #spansWait = false;

  /** Listens on a free port. */
  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, signal: this.#end.signal, onListen() {} },
      async (request) => {
        // deno-lint-ignore no-explicit-any -- the form of OTLP
        this.#take(await request.json() as any);
        if (this.#spansWait && new URL(request.url).pathname === "/v1/traces") {
          const { length } = this.points;
          await this.until(() => this.points.length > length, "metrics after the spans");
        }
        return Response.json({});
      },
    );
  }

  /** The environment variables with which Deno sends telemetry here, soon. */
  environment(service: string): Record<string, string> {
    return {
      OTEL_DENO: "true",
      OTEL_SERVICE_NAME: service,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${this.#server.addr.port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_BSP_SCHEDULE_DELAY: "100",
      OTEL_BLRP_SCHEDULE_DELAY: "100",
      OTEL_METRIC_EXPORT_INTERVAL: "500",
    };
  }

  /** From now on, spans are answered only when metrics have come after them. */
  answerSpansAfterMetrics(): void {
    this.#spansWait = true;
  }

  /** Waits until a function finds what it looks for in what has come. */
  async until<Found>(find: () => Found | undefined | false, what: string): Promise<Found> {
    const deadline = performance.now() + DEADLINE;
    while (true) {
      const found = find();
      if (found) return found;
      const names = [...new Set([...this.spans, ...this.points].map(({ name }) => name))];
      assert.ok(performance.now() < deadline, `no ${what} among ${names.join(", ")}`);
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, deadline - performance.now());
      await Promise.race([this.#news.promise, late.promise]);
      clearTimeout(timer);
    }
  }

  /** Waits for a span with a name. */
  async span(name: string, kind: ReceivedSpan["kind"]): Promise<ReceivedSpan> {
    const find = () => this.spans.find((span) => span.name === name && span.kind === kind);
    return await this.until(find, `${kind} span ${name}`);
  }

  // deno-lint-ignore no-explicit-any -- the form of OTLP
  #take({ resourceSpans = [], resourceMetrics = [], resourceLogs = [] }: any): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = serviceOf(resource);
      for (const { spans } of scopeSpans) {
        for (const span of spans) this.spans.push(readSpan(span, service));
      }
    }
    for (const { resource, scopeMetrics } of resourceMetrics) {
      const service = serviceOf(resource);
      for (const { metrics } of scopeMetrics) {
        for (const metric of metrics) this.points.push(...readPoints(metric, service));
      }
    }
    for (const { scopeLogs } of resourceLogs) {
      for (const { logRecords } of scopeLogs) {
        for (const { body, severityText, traceId, spanId } of logRecords) {
          this.records.push({ body: body.stringValue, level: severityText, traceId, spanId });
        }
      }
    }
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // `shutdown` would wait for the end of a request whose process was killed.
    this.#end.abort();
    await this.#server.finished;
  }
}

// deno-lint-ignore no-explicit-any -- the form of OTLP
function readSpan(span: any, service: string): ReceivedSpan {
  const { traceId, spanId, parentSpanId, name, kind, status } = span;
  return {
    ...{ traceId, spanId, parentSpanId, name, service },
    kind: KINDS[kind]!,
    attributes: readAttributes(span.attributes),
    error: status.code === 2 ? status.message : undefined,
    // deno-lint-ignore no-explicit-any -- the form of OTLP
    events: span.events.map((event: any) => ({
      name: event.name,
      attributes: readAttributes(event.attributes),
    })),
  };
}

// deno-lint-ignore no-explicit-any -- the form of OTLP
function readPoints(metric: any, service: string): ReceivedPoint[] {
  const { name, unit, sum, gauge, histogram } = metric;
  // deno-lint-ignore no-explicit-any -- the form of OTLP
  return (sum ?? gauge ?? histogram).dataPoints.map((point: any) => ({
    ...{ name, unit, service },
    attributes: readAttributes(point.attributes),
    value: Number(point.asDouble ?? point.asInt ?? point.count),
  }));
}

// deno-lint-ignore no-explicit-any -- the form of OTLP
function readAttributes(attributes: any[]): Attributes {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, Object.values(value as object)[0]]),
  );
}

// deno-lint-ignore no-explicit-any -- the form of OTLP
function serviceOf(resource: any): string {
  return `${readAttributes(resource.attributes)["service.name"]}`;
}
