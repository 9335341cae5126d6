/**
 * Formats the states of servers: a block for one, a row for each of several, JSON.
 *
 * @module
 */
import { formatLogLevel } from "../../runtime/home/log_options.ts";
import type {
  Flow,
  ServerStatus,
  SupervisedStatus,
} from "../../runtime/observation/status_protocol.ts";
import {
  formatAge,
  formatBytes,
  formatCount,
  formatCounted,
  formatDelay,
  formatShare,
  formatTime,
  formatWhole,
} from "./quantities.ts";
import type { ServerReport } from "./server_reports.ts";
import type { Column } from "./table.ts";

/** The number of digits of a hash that are shown. */
const HASH_DIGITS = 12;

/** The width of the names in a block. */
const NAME_WIDTH = 13;

/** The columns of a list of servers. */
export const STATUS_COLUMNS: readonly Column[] = [
  { heading: "server" },
  { heading: "state" },
  { heading: "cpu", isNumber: true },
  { heading: "memory", isNumber: true },
  { heading: "delay", isNumber: true },
  { heading: "mailbox", isNumber: true },
  { heading: "actors", isNumber: true },
  { heading: "handled/s", isNumber: true },
  { heading: "in/s", isNumber: true },
  { heading: "out/s", isNumber: true },
  { heading: "pending", isNumber: true },
  { heading: "restarts", isNumber: true },
  { heading: "uptime", isNumber: true },
  { heading: "pid", isNumber: true },
  { heading: "host" },
  { heading: "version" },
];

/** What the supervisors among servers say about their own, by id. */
export function supervisedServers(reports: readonly ServerReport[]): Map<string, Supervised> {
  return new Map(
    reports.flatMap(({ id, status }) =>
      (status?.supervised ?? []).map((each) =>
        [each.server, { ...each, supervisor: id, host: status!.host }] as const
      )
    ),
  );
}

/** A server, as its supervisor sees it. */
export interface Supervised extends SupervisedStatus {
  /** The id of the supervisor. */
  readonly supervisor: string;
  /** The name of its host. */
  readonly host: string;
}

/** Says what a supervisor says about a server. */
export function describeSupervised({ supervisor, state, reason }: Supervised): string {
  return `${supervisor} has it as ${state}${reason === undefined ? "" : ` (${reason})`}`;
}

/** A server that does not run, in {@linkcode STATUS_COLUMNS}, as its supervisor sees it. */
export function supervisedRow({ server, state, restarts, host }: Supervised): string[] {
  const cells: Readonly<Record<string, string>> = {
    ...{ server, state, host },
    restarts: formatCount(restarts),
  };
  return STATUS_COLUMNS.map(({ heading }) => cells[heading] ?? "");
}

/** A server in {@linkcode STATUS_COLUMNS}; of one that does not answer, what the registry says. */
export function reportToRow({ id, entry, status }: ServerReport): string[] {
  if (!status) {
    const state = entry?.state === "unreachable" ? "unreachable" : "no answer";
    const rest = STATUS_COLUMNS.slice(2, -3).map(() => "");
    const pid = entry?.pid === undefined ? "" : `${entry.pid}`;
    return [id, state, ...rest, pid, entry?.host ?? "", entry?.version ?? ""];
  }
  const { received, sent, handled, longestMailboxes: [longest] } = status;
  return [
    id,
    status.state,
    formatShare(status.cpu),
    formatBytes(status.memory.rss),
    formatDelay(status.eventLoopDelay.p99),
    formatCount(longest?.length ?? 0),
    formatCount(status.actors),
    formatCount(handled.messagesPerSecond),
    formatCount(received.messagesPerSecond),
    formatCount(sent.messagesPerSecond),
    formatCount(status.pendingAsks),
    formatCount(status.restarts),
    formatAge(Math.max(0, status.now - status.startedAt)),
    `${status.pid}`,
    status.host,
    status.version,
  ];
}

/** The lines about one server. */
export function formatStatus(status: ServerStatus): string[] {
  const { id, state, roles, memory, eventLoopDelay: delay, loads, openFiles, log } = status;
  const lines: [name: string, text: string][] = [
    [
      "process",
      `pid ${status.pid} on ${status.host}${status.user === undefined ? "" : ` as ${status.user}`}`,
    ],
    ["versions", `gxensemble ${status.version}, Deno ${status.deno}, V8 ${status.v8}`],
    [
      "up",
      `${formatAge(Math.max(0, status.now - status.startedAt))}, since ${
        formatTime(status.startedAt)
      }`,
    ],
    ["processor", `${formatShare(status.cpu)} of a core`],
    [
      "memory",
      `${formatBytes(memory.rss)}, heap ${formatBytes(memory.heapUsed)} of ${
        formatBytes(memory.heapTotal)
      }, outside of it ${formatBytes(memory.external)}`,
    ],
    [
      "event loop",
      `delay ${formatDelay(delay.p50)} median, ${formatDelay(delay.p99)} 99%, ${
        formatDelay(delay.max)
      } longest, in the last minute`,
    ],
    ["actors", `${formatWhole(status.actors)}, ${formatCounted(status.restarts, "restart")}`],
    ["mailboxes", formatMailboxes(status)],
    [
      "handled",
      `${formatRate(status.handled.messagesPerSecond)} messages/s, ${
        formatWhole(status.handled.messages)
      } in all`,
    ],
    ["connections", formatWhole(status.connections)],
    ["received", formatFlow(status.received)],
    ["sent", formatFlow(status.sent)],
    ["asks", `${formatWhole(status.pendingAsks)} pending`],
    ["loads", loads.count === 0 ? "none since the start" : formatWhole(loads.count)],
    ...loads.last.map(({ module, hash, at, by, current }): [string, string] => [
      "",
      `${formatTime(at)} ${module} ${hash.slice(0, HASH_DIGITS)} by ${by}${
        current ? "" : ", replaced"
      }`,
    ]),
  ];
  if (openFiles) {
    const { count, limit } = openFiles;
    lines.push([
      "open files",
      formatWhole(count) + (limit === undefined ? "" : ` of ${formatWhole(limit)}`),
    ]);
  }
  if (status.systemMemory) {
    const { total, available } = status.systemMemory;
    lines.push(["host", `${formatBytes(available)} of ${formatBytes(total)} memory available`]);
  }
  if (status.certificateEnd !== undefined) {
    lines.push(["certificate", `ends ${formatTime(status.certificateEnd)}${until(status)}`]);
  }
  if (log) {
    const { level, warnings, errors } = log;
    lines.push([
      "log",
      `${formatLogLevel(level)}, ${formatCounted(warnings, "warning")}, ${
        formatCounted(errors, "error")
      }`,
    ]);
  }
  if (status.http !== undefined) lines.push(["http", status.http]);
  if (status.registry) {
    const { entries, watchers } = status.registry;
    lines.push([
      "registry",
      `${formatCounted(entries, "server")}, ${formatCounted(watchers, "watcher")}`,
    ]);
  }
  for (const [index, { server, state, reason, restarts }] of (status.supervised ?? []).entries()) {
    const why = reason === undefined ? "" : ` (${reason})`;
    const times = restarts === 0 ? "" : `, ${formatCounted(restarts, "restart")}`;
    lines.push([index === 0 ? "supervises" : "", `${server} ${state}${why}${times}`]);
  }
  return [
    `${id} ${state}${roles.length > 0 ? ` (${roles.join(" ")})` : ""}`,
    ...lines.map(([name, text]) => `  ${name.padEnd(NAME_WIDTH)}${text}`),
  ];
}

/** Converts a state for `--json`: times are in the form of ISO 8601. */
export function statusToJson({ id, ...status }: ServerStatus): object {
  const time = (ms: number) => new Date(ms).toISOString();
  const { startedAt, now, loads, certificateEnd, ...rest } = status;
  return {
    server: id,
    ...rest,
    startedAt: time(startedAt),
    now: time(now),
    loads: { ...loads, last: loads.last.map((load) => ({ ...load, at: time(load.at) })) },
    ...certificateEnd !== undefined && { certificateEnd: time(certificateEnd) },
  };
}

function formatMailboxes({ longestMailboxes }: ServerStatus): string {
  if (longestMailboxes.length === 0) return "empty";
  return longestMailboxes.map(({ actor, length }) => `${actor} ${formatWhole(length)}`).join(", ");
}

function formatFlow({ messages, bytes, messagesPerSecond, bytesPerSecond }: Flow): string {
  return `${formatRate(messagesPerSecond)} messages/s, ${formatBytes(bytesPerSecond)}/s; ` +
    `${formatWhole(messages)} messages, ${formatBytes(bytes)} in all`;
}

/** Formats a rate, below 100 with a digit after the point. */
function formatRate(perSecond: number): string {
  return perSecond > 0 && perSecond < 99.95
    ? `${Number(perSecond.toFixed(1))}`
    : formatWhole(perSecond);
}

function until({ certificateEnd, now }: ServerStatus): string {
  const left = certificateEnd! - now;
  return left > 0 ? `, in ${formatAge(left)}` : ": it has ended";
}
