/**
 * The metrics of a server. Telemetry sends them, and `/metrics` prints them; both read them from the
 * server's state.
 *
 * Those that the semantic conventions of OpenTelemetry have are named as they say.
 *
 * @module
 */
import { processorTime } from "./process_usage.ts";
import type { ServerStatus } from "./status_protocol.ts";

/** A value of a metric. */
export interface Measured {
  readonly value: number;
  /** What distinguishes it from other values of the metric. */
  readonly attributes?: Readonly<Record<string, string>>;
}

/** A metric. */
export interface Metric {
  /** Its name in OpenTelemetry; {@linkcode prometheusName} is that in Prometheus. */
  readonly name: string;
  /** Its unit, in UCUM: `By` are bytes, and `{actor}` counts actors. */
  readonly unit: string;
  /**
   * - `counter`: a total that only grows while the server runs
   * - `upDownCounter`: a number whose sum over servers has a meaning
   * - `gauge`: any other
   */
  readonly kind: "counter" | "upDownCounter" | "gauge";
  /** What it measures, a sentence. */
  readonly description: string;
  /** Its values; none if the server does not have it. */
  read(status: ServerStatus): readonly Measured[];
}

type Definition = readonly [
  name: string,
  unit: string,
  description: string,
  read: (status: ServerStatus) => number | undefined | readonly Measured[],
];

const SECOND = 1000;

const STATES = ["starting", "up", "draining"] as const;

const COUNTERS: readonly Definition[] = [
  [
    "process.cpu.time",
    "s",
    "The processor time that the process has used.",
    () => processorTime() / SECOND,
  ],
  [
    "gxensemble.messages.handled",
    "{message}",
    "The messages that actors have taken out of their mailboxes.",
    ({ handled }) => handled.messages,
  ],
  [
    "gxensemble.network.messages",
    "{message}",
    "The messages from and to other servers.",
    ({ received, sent }) => byDirection(received.messages, sent.messages),
  ],
  [
    "gxensemble.network.io",
    "By",
    "The bytes from and to other servers.",
    ({ received, sent }) => byDirection(received.bytes, sent.bytes),
  ],
  [
    "gxensemble.actor.restarts",
    "{restart}",
    "How often supervisors have restarted actors.",
    ({ restarts }) => restarts,
  ],
  [
    "gxensemble.loads",
    "{load}",
    "The loads that changed the server's code.",
    ({ loads }) => loads.count,
  ],
  [
    "gxensemble.supervised.restarts",
    "{restart}",
    "How often the supervisor has restarted each of its servers by itself.",
    ({ supervised }) =>
      supervised?.map(({ server, restarts }) => ({
        value: restarts,
        attributes: { supervised: server },
      })),
  ],
  [
    "gxensemble.log.records",
    "{record}",
    "The warnings and errors in the log of the process.",
    ({ log }) =>
      log && [
        { value: log.warnings, attributes: { level: "warning" } },
        { value: log.errors, attributes: { level: "error" } },
      ],
  ],
];

const UP_DOWN_COUNTERS: readonly Definition[] = [
  ["gxensemble.actors", "{actor}", "The actors.", ({ actors }) => actors],
  ["gxensemble.connections", "{connection}", "The connections.", ({ connections }) => connections],
  [
    "gxensemble.asks.pending",
    "{request}",
    "The requests of the server that wait for an answer.",
    ({ pendingAsks }) => pendingAsks,
  ],
  [
    "process.memory.usage",
    "By",
    "The physical memory that the process uses.",
    ({ memory }) => memory.rss,
  ],
  [
    "process.open_file_descriptor.count",
    "{file_descriptor}",
    "The open files and sockets of the process.",
    ({ openFiles }) => openFiles?.count,
  ],
  [
    "gxensemble.registry.entries",
    "{server}",
    "The servers in the registry.",
    ({ registry }) => registry?.entries,
  ],
  [
    "gxensemble.registry.watchers",
    "{query}",
    "The queries for changes that wait at the registry.",
    ({ registry }) => registry?.watchers,
  ],
];

const GAUGES: readonly Definition[] = [
  [
    "gxensemble.server.info",
    "",
    "1, with the versions of the server as attributes.",
    ({ version, deno }) => [{ value: 1, attributes: { version, deno_version: deno } }],
  ],
  [
    "gxensemble.server.state",
    "",
    "1 for the state of the server, and 0 for all others.",
    (status) =>
      STATES.map((state) => ({
        value: status.state === state ? 1 : 0,
        attributes: { state },
      })),
  ],
  [
    "gxensemble.server.role",
    "",
    "1 for each role of the server.",
    ({ roles }) => roles.map((role) => ({ value: 1, attributes: { role } })),
  ],
  [
    "gxensemble.supervised.state",
    "",
    "1, with the state of each server of the supervisor as an attribute.",
    ({ supervised }) =>
      supervised?.map(({ server, state }) => ({
        value: 1,
        attributes: { supervised: server, state },
      })),
  ],
  [
    "gxensemble.mailbox.longest",
    "{message}",
    "The messages that wait in the longest mailbox.",
    ({ longestMailboxes }) => longestMailboxes[0]?.length ?? 0,
  ],
  [
    "gxensemble.cpu.usage",
    "1",
    "The part of one processor core that the process uses.",
    ({ cpu }) => cpu,
  ],
  [
    "gxensemble.memory.heap.used",
    "By",
    "The memory that JavaScript objects use.",
    ({ memory }) => memory.heapUsed,
  ],
  [
    "gxensemble.memory.heap.total",
    "By",
    "The memory that is reserved for JavaScript objects.",
    ({ memory }) => memory.heapTotal,
  ],
  [
    "gxensemble.memory.external",
    "By",
    "The memory outside of the heap that JavaScript objects use, such as buffers.",
    ({ memory }) => memory.external,
  ],
  [
    "nodejs.eventloop.delay.p50",
    "s",
    "The median delay of the event loop in the last minute.",
    ({ eventLoopDelay }) => eventLoopDelay.p50 / SECOND,
  ],
  [
    "nodejs.eventloop.delay.p99",
    "s",
    "The 99th percentile of the delay of the event loop in the last minute.",
    ({ eventLoopDelay }) => eventLoopDelay.p99 / SECOND,
  ],
  [
    "nodejs.eventloop.delay.max",
    "s",
    "The longest delay of the event loop in the last minute.",
    ({ eventLoopDelay }) => eventLoopDelay.max / SECOND,
  ],
  [
    "process.uptime",
    "s",
    "How long the server has been running.",
    ({ now, startedAt }) => (now - startedAt) / SECOND,
  ],
  [
    "gxensemble.open_file_descriptor.limit",
    "{file_descriptor}",
    "The largest number of open files and sockets of the process.",
    ({ openFiles }) => openFiles?.limit,
  ],
  [
    "gxensemble.certificate.end",
    "s",
    "When the certificate of the server ends, in seconds since 1970.",
    ({ certificateEnd }) => certificateEnd === undefined ? undefined : certificateEnd / SECOND,
  ],
  [
    "system.memory.limit",
    "By",
    "The memory of the host.",
    ({ systemMemory }) => systemMemory?.total,
  ],
  [
    "system.linux.memory.available",
    "By",
    "The memory of the host that programs can still get.",
    ({ systemMemory }) => systemMemory?.available,
  ],
];

/** All metrics of a server, in the order in which `/metrics` prints them. */
export const METRICS: readonly Metric[] = [
  ...GAUGES.map((each) => define("gauge", each)),
  ...UP_DOWN_COUNTERS.map((each) => define("upDownCounter", each)),
  ...COUNTERS.map((each) => define("counter", each)),
];

/** How the units of metrics are written in the names of Prometheus. */
const UNIT_NAMES: Readonly<Record<string, string>> = { By: "bytes", s: "seconds", "1": "ratio" };

/**
 * The names that Prometheus has of its own for what a process uses.
 *
 * @see https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics
 */
const PROCESS_NAMES: Readonly<Record<string, string>> = {
  "process.cpu.time": "process_cpu_seconds_total",
  "process.memory.usage": "process_resident_memory_bytes",
  "process.open_file_descriptor.count": "process_open_fds",
  "gxensemble.open_file_descriptor.limit": "process_max_fds",
};

/**
 * The name of a metric in Prometheus, as OpenTelemetry specifies it: with underscores, the unit, and
 * `total` for a counter. What Prometheus itself has a name for has that name.
 */
export function prometheusName({ name, unit, kind }: Metric): string {
  const own = PROCESS_NAMES[name];
  if (own !== undefined) return own;
  const words = [name.replaceAll(".", "_")];
  const unitName = UNIT_NAMES[unit];
  if (unitName !== undefined) words.push(unitName);
  if (kind === "counter") words.push("total");
  return words.join("_");
}

function define(kind: Metric["kind"], [name, unit, description, read]: Definition): Metric {
  return {
    ...{ name, unit, kind, description },
    read(status) {
      const measured = read(status);
      if (measured === undefined) return [];
      return typeof measured === "number" ? [{ value: measured }] : measured;
    },
  };
}

function byDirection(received: number, sent: number): Measured[] {
  return [
    { value: received, attributes: { direction: "receive" } },
    { value: sent, attributes: { direction: "transmit" } },
  ];
}
