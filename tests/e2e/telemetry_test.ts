import assert from "node:assert/strict";
import { makeExecutable } from "../../cli/executables/executable.ts";
import { METRICS } from "../../runtime/observation/metrics_table.ts";
import { OtlpReceiver, type ReceivedSpan } from "../otlp_receiver.ts";
import { RunningEnsemble, type RunningProcess } from "./running_ensemble.ts";

/** Asks the next server, and says so with `console`. */
const FORWARDING = `
  import { currentServer } from "@gxensemble/ensemble";
  export const main = (next) => {
    const server = currentServer();
    server.serve("orders", {
      async add({ order }) {
        console.log("an order of", order);
        return next === undefined ? order.length : await server.ask(next, { type: "add", order });
      },
    });
    return server.stopped;
  };
`;

/** The metrics that not every server has. */
const ABSENT: ReadonlySet<string> = new Set([
  "gxensemble.certificate.end",
  "gxensemble.log.records",
  "gxensemble.registry.entries",
  "gxensemble.registry.watchers",
  "gxensemble.supervised.restarts",
  "gxensemble.supervised.state",
]);

async function startTraced(
  ensemble: RunningEnsemble,
  { receiver, id, next }: { receiver: OtlpReceiver; id: string; next?: string },
): Promise<RunningProcess> {
  Object.assign(ensemble.places.environment, receiver.environment(id));
  const text = FORWARDING.replace("(next)", `(next = ${JSON.stringify(next)})`);
  const server = await ensemble.startServer(id, ["--roles", "orders"], text);
  for (const name of Object.keys(receiver.environment(id))) {
    delete ensemble.places.environment[name];
  }
  return server;
}

Deno.test("an ask through three servers is one tree of spans, and servers send metrics and logs", async () => {
  await using receiver = new OtlpReceiver();
  await using ensemble = await RunningEnsemble.start();
  await startTraced(ensemble, { receiver, id: "back" });
  await startTraced(ensemble, { receiver, id: "middle", next: "orders@back" });
  const front = await startTraced(ensemble, { receiver, id: "front", next: "orders@middle" });
  assert.deepEqual(await ensemble.lines("call", "orders@front", "add", "order=flour"), ["5"]);

  const spanOf = (service: string, kind: ReceivedSpan["kind"]) =>
    receiver.until(
      () => receiver.spans.find((span) => span.service === service && span.kind === kind),
      `${kind} span of ${service}`,
    );
  const tree = [
    await spanOf("front", "server"),
    await spanOf("front", "client"),
    await spanOf("middle", "server"),
    await spanOf("middle", "client"),
    await spanOf("back", "server"),
  ];
  assert.deepEqual(tree.map(({ name }) => name), tree.map(() => "orders/add"));
  assert.deepEqual(tree.map(({ traceId }) => traceId), tree.map(() => tree[0]!.traceId));
  assert.deepEqual(
    tree.map(({ parentSpanId }) => parentSpanId),
    ["", ...tree.slice(0, -1).map(({ spanId }) => spanId)],
  );
  assert.deepEqual(tree[1]!.attributes, {
    "rpc.system.name": "gxensemble",
    "rpc.method": "orders/add",
    "server.address": "middle",
    "rpc.response.status_code": "OK",
  });
  assert.equal(tree[2]!.attributes["client.address"], "front");

  // Nothing else has spans: not what servers ask the registry.
  assert.equal(receiver.spans.length, tree.length, JSON.stringify(receiver.spans));

  const record = await receiver.until(
    () => receiver.records.find(({ spanId }) => spanId === tree[4]!.spanId),
    "record of the last handler",
  );
  assert.equal(record.body, "an order of flour\n");
  assert.equal(record.traceId, tree[0]!.traceId);

  const duration = await receiver.until(
    () => receiver.points.find(({ name }) => name === "rpc.server.call.duration"),
    "rpc.server.call.duration",
  );
  assert.equal(duration.attributes["rpc.method"], "orders/add");

  const metric = (wanted: string, least = -Infinity) =>
    receiver.until(
      () =>
        receiver.points.find(({ name, service, value }) =>
          name === wanted && service === "back" && value >= least
        ),
      wanted,
    );
  const { unit, attributes } = await metric("gxensemble.actors", 5);
  assert.equal(unit, "{actor}");
  assert.deepEqual(attributes, { "gxensemble.server.id": "back" });
  for (const { name } of METRICS) {
    if (!ABSENT.has(name)) assert.ok(Number.isFinite((await metric(name)).value), name);
  }
  front.signal("SIGTERM");
  assert.equal(await front.exit(), 0);
});

/** Refuses an order, and breaks. */
const FAILING = `
  import { currentServer } from "@gxensemble/ensemble";
  export const main = () => {
    const server = currentServer();
    server.serve("orders", {
      add() {
        throw new RangeError("too many");
      },
    });
    return server.stopped;
  };
`;

Deno.test("records of the log name their trace, and are sent if the console is replaced", async () => {
  await using receiver = new OtlpReceiver();
  await using ensemble = await RunningEnsemble.start();
  Object.assign(ensemble.places.environment, receiver.environment("web"), {
    OTEL_DENO_CONSOLE: "replace",
  });
  const server = await ensemble.startServer("web", [], FAILING);
  const line = server.logged(/ERROR actor: add of \S+ failed in .* trace_id=(\w+) span_id=(\w+)$/);
  await ensemble.failure("call", "orders@web", "add");
  const [, traceId, spanId] = await line;
  const span = await receiver.span("orders/add", "server");
  assert.deepEqual([traceId, spanId], [span.traceId, span.spanId]);
  const record = await receiver.until(
    () => receiver.records.find(({ body }) => body.includes("failed in orders@web")),
    "record of the failure",
  );
  assert.deepEqual([record.traceId, record.spanId], [span.traceId, span.spanId]);
  assert.equal(record.level, "ERROR");
  assert.match(record.body, /^actor: add of \S+ failed in orders@web: too many\n +RangeError: /);
  assert.equal(receiver.records.find(({ body }) => /is in the registry/.test(body))!.level, "INFO");
  // Without telemetry of its own, the console shows the trace, too.
  assert.match((await ensemble.lines("logs", "web", "-n", "1")).join(), /trace_id=\w{32} span_id=/);
});

/** Stops a server when its collector answers spans only after metrics. */
async function endWhileMetricsAreDue(
  start: (ensemble: RunningEnsemble) => Promise<RunningProcess>,
): Promise<void> {
  await using receiver = new OtlpReceiver();
  await using ensemble = await RunningEnsemble.start();
  Object.assign(ensemble.places.environment, receiver.environment("web"), {
    // Its spans are sent when it ends.
    OTEL_BSP_SCHEDULE_DELAY: "600000",
  });
  const server = await start(ensemble);
  await ensemble.failure("call", "orders@web", "add");
  receiver.answerSpansAfterMetrics();
  server.signal("SIGTERM");
  assert.equal(await server.exit(), 0);
  assert.ok(receiver.spans.some(({ name, kind }) => name === "orders/add" && kind === "server"));
}

Deno.test("a server ends, and sends what is left, when metrics become due while it sends spans", async () => {
  await endWhileMetricsAreDue((ensemble) => ensemble.startServer("web", [], FAILING));
});

Deno.test("an executable ends, and sends what is left, when metrics become due while it sends spans", async () => {
  await endWhileMetricsAreDue(async (ensemble) => {
    const entry = await ensemble.write("web.js", FAILING);
    const output = ensemble.path("web");
    const deno = await ensemble.writeDeno();
    await makeExecutable({ entry, output, portable: true, deno, lazyBuiltins: [] });
    const server = ensemble.spawnProgram(output, "web");
    await server.logged(/web is in the registry$/);
    return server;
  });
});

Deno.test("a server ends when its collector accepts connections and does not answer", async () => {
  // It accepts in its backlog.
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using ensemble = await RunningEnsemble.start();
  Object.assign(ensemble.places.environment, {
    OTEL_DENO: "true",
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${silent.addr.port}`,
    OTEL_EXPORTER_OTLP_TIMEOUT: "500",
    OTEL_METRIC_EXPORT_INTERVAL: "500",
  });
  const server = await ensemble.startServer("web", [], FAILING);
  server.signal("SIGTERM");
  assert.equal(await server.exit(), 0);
});
