import assert from "node:assert/strict";
import { formatMetrics } from "../../observer/metrics_text.ts";
import { METRICS, prometheusName } from "../../runtime/observation/metrics_table.ts";
import { withEnsemble } from "../../testing/test_ensemble.ts";

/** A line with a value, in the text format of Prometheus. */
const SAMPLE =
  /^([a-zA-Z_:][\w:]*)\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*)\} (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[+-]Inf|NaN)$/;

Deno.test(
  "formatMetrics writes every metric with its help, its type and its values",
  withEnsemble(async (ensemble) => {
    const server = await ensemble.startServer("web1", { roles: ["web", `a "b"\\c\nd`] });
    server.addHealthCheck("db", () => false);
    const status = server.status.read();
    const text = formatMetrics({ status, health: await server.health() });
    assert.match(text, /\n$/);
    const types = new Map<string, string>();
    const samples = new Map<string, number>();
    let family = "";
    for (const line of text.split("\n").slice(0, -1)) {
      const [, help] = /^# HELP (\S+) [A-Z\d].*\.$/.exec(line) ?? [];
      const [, typed, type] = /^# TYPE (\S+) (counter|gauge)$/.exec(line) ?? [];
      if (help !== undefined) {
        assert.ok(!types.has(help), `${help} twice`);
        family = help;
      } else if (typed !== undefined) {
        assert.equal(typed, family);
        types.set(typed, type!);
      } else {
        const [, name, labels, value] = SAMPLE.exec(line) ?? assert.fail(line);
        assert.equal(name, family);
        assert.ok(labels!.startsWith('server="web1"'), line);
        samples.set(`${name}{${labels}}`, Number(value));
      }
    }
    for (const metric of METRICS.filter((each) => each.read(status).length > 0)) {
      const isCounter = metric.kind === "counter";
      assert.equal(types.get(prometheusName(metric)), isCounter ? "counter" : "gauge");
    }
    const value = (sample: string) => samples.get(sample) ?? assert.fail(`no ${sample} in ${text}`);
    assert.equal(value('gxensemble_ready{server="web1"}'), 0);
    assert.equal(value('gxensemble_health_check{server="web1",check="db"}'), 0);
    assert.equal(value('gxensemble_health_check{server="web1",check="state"}'), 1);
    assert.equal(value('gxensemble_actors{server="web1"}'), server.actors.count);
    assert.equal(value('gxensemble_server_role{server="web1",role="web"}'), 1);
    assert.equal(value('gxensemble_server_role{server="web1",role="a \\"b\\"\\\\c\\nd"}'), 1);
    assert.ok(value('process_cpu_seconds_total{server="web1"}') > 0);
  }),
);
