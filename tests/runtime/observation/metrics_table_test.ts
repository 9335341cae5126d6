import assert from "node:assert/strict";
import { METRICS, prometheusName } from "../../../runtime/observation/metrics_table.ts";
import { testEnsemble } from "../../../testing/test_ensemble.ts";

Deno.test("metrics have different names, which Prometheus accepts", () => {
  const names = METRICS.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
  for (const metric of METRICS) {
    assert.match(metric.name, /^[a-z][\w.]*$/);
    assert.match(prometheusName(metric), /^[a-z][a-z\d_]*$/);
    assert.match(metric.description, /^[A-Z\d].*\.$/);
  }
  const find = (wanted: string) => prometheusName(METRICS.find(({ name }) => name === wanted)!);
  assert.equal(find("gxensemble.network.io"), "gxensemble_network_io_bytes_total");
  assert.equal(find("nodejs.eventloop.delay.p99"), "nodejs_eventloop_delay_p99_seconds");
  assert.equal(find("gxensemble.cpu.usage"), "gxensemble_cpu_usage_ratio");
  assert.equal(find("gxensemble.actors"), "gxensemble_actors");
  assert.equal(find("process.memory.usage"), "process_resident_memory_bytes");
});

Deno.test("metrics are read from the state of a server", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  const read = () => {
    const status = a.status.read();
    return new Map(METRICS.map((metric) => [metric.name, metric.read(status)]));
  };
  const values = read();
  assert.deepEqual(values.get("gxensemble.actors"), [{ value: a.actors.count }]);
  assert.deepEqual(values.get("gxensemble.server.state"), [
    { value: 0, attributes: { state: "starting" } },
    { value: 1, attributes: { state: "up" } },
    { value: 0, attributes: { state: "draining" } },
  ]);
  assert.deepEqual(values.get("gxensemble.certificate.end"), []);
  for (const measured of values.values()) {
    for (const { value } of measured) assert.ok(Number.isFinite(value));
  }
  await a.drain({ timeout: 0 });
  assert.deepEqual(
    read().get("gxensemble.server.state")!.find(({ value }) => value === 1)!.attributes,
    { state: "draining" },
  );
});

Deno.test("docs/telemetry.md has every metric, with its unit and its name in Prometheus", async () => {
  const page = await Deno.readTextFile(new URL("../../../docs/telemetry.md", import.meta.url));
  const rows = [...page.matchAll(/^\| `([a-z][\w.]+)` \| `(\w+)` \| (\S*) ?\|/gm)];
  const units: Record<string, string> = { By: "By", s: "s" };
  assert.deepEqual(
    rows.map(([, name, prometheus, unit]) => [name, prometheus, unit]),
    METRICS.map((metric) => [metric.name, prometheusName(metric), units[metric.unit] ?? ""]),
  );
});
