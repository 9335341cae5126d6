/**
 * The metrics of a server as Prometheus reads them.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 * @module
 */
import type { ServerHealth } from "../runtime/observation/health_checks.ts";
import { type Measured, METRICS, prometheusName } from "../runtime/observation/metrics_table.ts";
import type { ServerStatus } from "../runtime/observation/status_protocol.ts";

/** The type of the text format, version 0.0.4. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** A metric in the words of Prometheus. */
interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly values: readonly Measured[];
}

/** Writes the state and the health of a server. Each value has the server's id as a label. */
export function formatMetrics(
  { status, health }: { status: ServerStatus; health: ServerHealth },
): string {
  const families = [...healthFamilies(health), ...statusFamilies(status)];
  return families.filter(({ values }) => values.length > 0)
    .map((family) => formatFamily(family, status.id)).join("");
}

function statusFamilies(status: ServerStatus): Family[] {
  return METRICS.map((metric) => ({
    name: prometheusName(metric),
    type: metric.kind === "counter" ? "counter" : "gauge",
    help: metric.description,
    values: metric.read(status),
  }));
}

function healthFamilies({ isReady, checks }: ServerHealth): Family[] {
  return [
    {
      name: "gxensemble_ready",
      type: "gauge",
      help: "1 if the server is ready to get work: all of its health checks pass.",
      values: [{ value: Number(isReady) }],
    },
    {
      name: "gxensemble_health_check",
      type: "gauge",
      help: "1 for each health check that passes, and 0 for each that fails.",
      values: checks.map(({ name, passes }) => ({
        value: Number(passes),
        attributes: { check: name },
      })),
    },
  ];
}

function formatFamily({ name, type, help, values }: Family, server: string): string {
  const lines = values.map(({ value, attributes }) => {
    const labels = Object.entries({ server, ...attributes })
      .map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    return `${name}{${labels.join(",")}} ${value}`;
  });
  // A help text has no line break and no backslash, and so needs no escapes.
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ""].join("\n");
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
