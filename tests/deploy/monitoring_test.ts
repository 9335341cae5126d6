/**
 * The configuration of Prometheus, its alert rules and Grafana's dashboard, with a real Prometheus.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import dashboard from "../../deploy/grafana-dashboard.json" with { type: "json" };
import { METRICS, prometheusName } from "../../runtime/observation/metrics_table.ts";
import { RunningEnsemble, type RunningProcess, WAITING } from "../e2e/running_ensemble.ts";
import { freePort } from "../free_port.ts";
import { testWith } from "../requirements.ts";

const DEPLOY = fileURLToPath(new URL("../../deploy/", import.meta.url));
const RULES = `${DEPLOY}gxensemble.rules.yml`;

const TOKEN = "0123456789abcdef";

/** The metrics that `/metrics` has, and the one that Prometheus makes. */
const KNOWN = new Set([
  ...METRICS.map(prometheusName),
  ...["gxensemble_ready", "gxensemble_health_check", "up"],
]);

/** Runs `promtool` with text on its standard input, and gives its output. It must succeed. */
async function promtool(args: string[], input = ""): Promise<string> {
  const child = new Deno.Command("promtool", {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await new Blob([input]).stream().pipeTo(child.stdin);
  const { code, stdout, stderr } = await child.output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, output);
  return output;
}

/** Checks expressions of PromQL, and that they name only metrics that there are. */
async function checkExpressions(expressions: string[]): Promise<void> {
  for (const expression of expressions) {
    const names = expression.match(/\b(?:up|(?:gxensemble|process|nodejs|system)_\w+)\b/g) ?? [];
    assert.ok(names.length > 0, expression);
    for (const name of names) assert.ok(KNOWN.has(name), `${name} in ${expression}`);
  }
  const rules = expressions.map((expr, index) => ({ record: `checked${index}`, expr }));
  const file = await Deno.makeTempFile({ prefix: "gx", suffix: ".yml" });
  try {
    // JSON is YAML.
    await Deno.writeTextFile(file, JSON.stringify({ groups: [{ name: "checked", rules }] }));
    await promtool(["check", "rules", file]);
  } finally {
    await Deno.remove(file);
  }
}

testWith(["promtool"], {
  name: "the configuration of Prometheus and its rules are valid",
  async fn() {
    const output = await promtool(["check", "config", `${DEPLOY}prometheus.yml`]);
    assert.match(output, /SUCCESS: 1 rule files found/);
    const rules = await Deno.readTextFile(RULES);
    const alerts = Array.from(rules.matchAll(/- alert: (\w+)/g), ([, name]) => name!);
    const page = await Deno.readTextFile(new URL("../../docs/monitoring.md", import.meta.url));
    const described = Array.from(page.matchAll(/^\| `(Ensemble\w+)` \|/gm), ([, name]) => name!);
    assert.deepEqual(described, alerts);
    const expressions = Array.from(
      rules.matchAll(/expr: (?:>-\n((?: {10}.*\n)+)|(.*))/g),
      ([, block, line]) => block ?? line!,
    );
    assert.equal(expressions.length, alerts.length);
    await checkExpressions(expressions);
  },
});

testWith(["promtool"], {
  name: "the dashboard of Grafana has only expressions that are valid",
  async fn() {
    const targets = dashboard.panels.flatMap((panel) => "targets" in panel ? panel.targets! : []);
    const variables = { $job: ".*", $server: ".*", $__rate_interval: "1m", $__range: "1h" };
    const fill = (text: string) =>
      Object.entries(variables).reduce(
        (filled, [name, value]) => filled.replaceAll(name, value),
        text,
      );
    const annotations = dashboard.annotations.list.map(({ expr }) => expr);
    const expressions = [...targets.map(({ expr }) => expr), ...annotations].map(fill);
    assert.ok(expressions.length > 20);
    await checkExpressions(expressions);
    const ids = dashboard.panels.map(({ id }) => id);
    assert.deepEqual(ids, [...new Set(ids)]);
  },
});

/** Samples of one minute each: a value, or one that grows. */
type Series = readonly [series: string, values: string];

testWith(["promtool"], {
  name: "the alerts fire when they should, and not otherwise",
  async fn() {
    const labels = 'job="gxensemble",instance="h:1",server="web1"';
    const cases: [alert: string, wrong: Series[], good: Series[]][] = [
      [
        "EnsembleServerDown",
        [['up{job="gxensemble",instance="h:1"}', "0x20"]],
        [['up{job="gxensemble",instance="h:1"}', "1x20"], ['up{job="other"}', "0x20"]],
      ],
      [
        "EnsembleServerNotReady",
        [[`gxensemble_ready{${labels}}`, "0x20"], [
          `gxensemble_server_state{${labels},state="draining"}`,
          "0x20",
        ]],
        [[`gxensemble_ready{${labels}}`, "0x20"], [
          `gxensemble_server_state{${labels},state="draining"}`,
          "1x20",
        ]],
      ],
      [
        "EnsembleServersLost",
        [[`gxensemble_registry_entries{${labels}}`, "10x10 7x10"]],
        [[`gxensemble_registry_entries{${labels}}`, "10x10 9x10"]],
      ],
      [
        "EnsembleEventLoopBlocked",
        [[`nodejs_eventloop_delay_p99_seconds{${labels}}`, "0.5x20"]],
        [['nodejs_eventloop_delay_p99_seconds{job="other"}', "0.5x20"]],
      ],
      [
        "EnsembleMailboxLong",
        [[`gxensemble_mailbox_longest{${labels}}`, "10001x20"]],
        [[`gxensemble_mailbox_longest{${labels}}`, "10000x20"]],
      ],
      [
        "EnsembleActorsRestart",
        [[`gxensemble_actor_restarts_total{${labels}}`, "0+2x20"]],
        [[`gxensemble_actor_restarts_total{${labels}}`, "100x20"]],
      ],
      [
        "EnsembleErrorsLogged",
        [[`gxensemble_log_records_total{${labels},level="error"}`, "0+2x20"]],
        [[`gxensemble_log_records_total{${labels},level="warning"}`, "0+2x20"]],
      ],
      [
        "EnsembleCertificateEnds",
        [[`gxensemble_certificate_end_seconds{${labels}}`, "1200000x20"]],
        [[`gxensemble_certificate_end_seconds{${labels}}`, "1300000x20"]],
      ],
      [
        "EnsembleFilesRunOut",
        [[`process_open_fds{${labels}}`, "90x20"], [`process_max_fds{${labels}}`, "100x20"]],
        [[`process_open_fds{${labels}}`, "70x20"], [`process_max_fds{${labels}}`, "100x20"]],
      ],
      [
        "EnsembleVersionsDiffer",
        [[`gxensemble_server_info{${labels},version="1"}`, "1x400"], [
          'gxensemble_server_info{server="web2",version="2"}',
          "1x400",
        ]],
        [[`gxensemble_server_info{${labels},version="1"}`, "1x400"], [
          'gxensemble_server_info{server="web2",version="1"}',
          "1x400",
        ]],
      ],
    ];
    const test = (alertname: string, series: Series[], fires: boolean) => ({
      interval: "1m",
      input_series: series.map(([series, values]) => ({ series, values })),
      // How often it fires, since the texts of alerts are not what is tested.
      promql_expr_test: [{
        expr: `count(ALERTS{alertname="${alertname}",alertstate="firing"})`,
        eval_time: alertname === "EnsembleVersionsDiffer" ? "390m" : "18m",
        exp_samples: fires ? [{ labels: "{}", value: 1 }] : [],
      }],
    });
    const tests = cases.flatMap(([alert, wrong, good]) => [
      test(alert, wrong, true),
      test(alert, good, false),
    ]);
    const directory = await Deno.makeTempDir({ prefix: "gx" });
    try {
      const file = `${directory}/tests.yml`;
      const content = { rule_files: [RULES], evaluation_interval: "1m", tests };
      await Deno.writeTextFile(file, JSON.stringify(content));
      await promtool(["test", "rules", file]);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

/** The values that Prometheus has for an expression, by the server's id. */
async function query(prometheus: string, expression: string): Promise<Record<string, number>> {
  const url = `${prometheus}/api/v1/query?query=${encodeURIComponent(expression)}`;
  const response = await fetch(url).catch(() => undefined);
  if (!response?.ok) {
    await response?.body?.cancel();
    return {};
  }
  const { data } = await response.json() as {
    data: { result: { metric: { server: string }; value: [number, string] }[] };
  };
  return Object.fromEntries(data.result.map(({ metric, value }) => [metric.server, +value[1]]));
}

testWith(["prometheus", "promtool"], {
  name: "Prometheus scrapes the registry, and a server that wants a token",
  async fn() {
    await using ensemble = new RunningEnsemble();
    assert.equal((await ensemble.run("cookie")).code, 0);
    const registry = await ensemble.startRegistry("--http", "0");
    const token = await ensemble.write("token", `${TOKEN}\n`, { mode: 0o600 });
    const options = ["--http", "0.0.0.0:0", "--http-token", token, "--roles", "web"];
    const web1 = await ensemble.startServer("web1", options, WAITING);
    const addressOf = async (process: RunningProcess) => {
      const [, address] = await process.logged(/answers over HTTP at http:\/\/(\S+)$/);
      return address!.replace("0.0.0.0", "127.0.0.1");
    };
    const targets = await Promise.all([addressOf(registry), addressOf(web1)]);

    // Without the token, there are no metrics.
    const refused = await fetch(`http://${targets[1]}/metrics`);
    assert.equal(refused.status, 401);
    assert.equal(refused.headers.get("www-authenticate"), "Bearer");
    assert.match(await refused.text(), /^\{"error":"[^"]+"\}\n$/);
    await web1.logged(
      /WARN server: refused a request of 127\.0\.0\.1 for metrics: it has no token/,
    );

    const headers = { Authorization: `Bearer ${TOKEN}` };
    for (const target of targets) {
      const response = await fetch(`http://${target}/metrics`, { headers });
      assert.equal(
        response.headers.get("content-type"),
        "text/plain; version=0.0.4; charset=utf-8",
      );
      assert.equal(await promtool(["check", "metrics"], await response.text()), "");
    }

    const configuration = await ensemble.write(
      "prometheus.yml",
      JSON.stringify({
        global: { scrape_interval: "1s", evaluation_interval: "1s" },
        rule_files: [RULES],
        scrape_configs: [{
          job_name: "gxensemble",
          authorization: { credentials_file: token },
          static_configs: [{ targets }],
        }],
      }),
    );
    const port = freePort();
    const prometheus = ensemble.spawnProgram(
      "prometheus",
      `--config.file=${configuration}`,
      `--storage.tsdb.path=${ensemble.path("tsdb")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    );
    const has = async (expression: string, expected: Record<string, number>) => {
      const same = async () => {
        const values = await query(`http://127.0.0.1:${port}`, expression);
        return JSON.stringify(Object.entries(values).sort()) ===
          JSON.stringify(Object.entries(expected).sort());
      };
      await prometheus.until(same, `has ${expression} as ${JSON.stringify(expected)}`);
    };
    await has("gxensemble_ready", { registry: 1, web1: 1 });
    await has('gxensemble_server_role{role="web"}', { web1: 1 });
    await has("gxensemble_registry_entries", { registry: 1 });
    await ensemble.lines("drain", "web1");
    await has('gxensemble_server_state{state="draining"} == 1', { web1: 1 });
    await has("gxensemble_ready", { registry: 1, web1: 0 });
  },
});
