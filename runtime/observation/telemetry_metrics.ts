/**
 * The metrics of this process's servers, as OpenTelemetry collects them.
 *
 * @module
 */
import {
  type BatchObservableResult,
  type Meter,
  metrics,
  type Observable,
} from "npm:@opentelemetry/api@~1.9.0";
import { VERSION } from "../version.ts";
import { type Metric, METRICS } from "./metrics_table.ts";
import type { StatusReader } from "./server_status.ts";

/** A server whose metrics are collected. */
export interface MeasuredServer {
  readonly status: Pick<StatusReader, "read">;
  /** Called before each collection. */
  beforeCollection(): void;
}

/** The servers of this process whose metrics are collected. */
const servers = new Set<MeasuredServer>();

/** The instruments, which the servers of the process share. Made with the first of them. */
let instruments: ReadonlyMap<Metric, Observable> | undefined;

/** Collects the metrics of a server, until disposed. */
export function collectMetrics(server: MeasuredServer): Disposable {
  servers.add(server);
  if (!instruments) {
    const meter = metrics.getMeter("gxensemble", VERSION);
    instruments = new Map(METRICS.map((metric) => [metric, makeInstrument(meter, metric)]));
    meter.addBatchObservableCallback(collect, [...instruments.values()]);
  }
  return { [Symbol.dispose]: () => void servers.delete(server) };
}

function makeInstrument(meter: Meter, { kind, name, unit, description }: Metric): Observable {
  const options = { unit, description };
  switch (kind) {
    case "counter":
      return meter.createObservableCounter(name, options);
    case "upDownCounter":
      return meter.createObservableUpDownCounter(name, options);
    case "gauge":
      return meter.createObservableGauge(name, options);
  }
}

function collect(result: BatchObservableResult): void {
  for (const server of servers) {
    server.beforeCollection();
    const status = server.status.read();
    for (const [metric, instrument] of instruments!) {
      for (const { value, attributes } of metric.read(status)) {
        result.observe(instrument, value, { ...attributes, "gxensemble.server.id": status.id });
      }
    }
  }
}
