/**
 * The table of servers in `top`.
 *
 * @module
 */
import type { ServerStatus } from "../../runtime/observation/status_protocol.ts";
import {
  formatAge,
  formatBytes,
  formatCount,
  formatCounted,
  formatDelay,
  formatShare,
} from "../kit/quantities.ts";
import { type ServerReport, sortWorstFirst } from "../kit/server_reports.ts";
import type { ServerOrder } from "./orders.ts";
import type { ItemColumn } from "./rows.ts";

/** The numbers by which servers are sorted, the greatest first. */
const MEASURES: Readonly<
  Record<Exclude<ServerOrder, "trouble" | "server">, (status: ServerStatus) => number>
> = {
  cpu: ({ cpu }) => cpu,
  memory: ({ memory }) => memory.rss,
  delay: ({ eventLoopDelay }) => eventLoopDelay.p99,
  mailbox: ({ longestMailboxes: [longest] }) => longest?.length ?? 0,
  actors: ({ actors }) => actors,
  handled: ({ handled }) => handled.messagesPerSecond,
  in: ({ received }) => received.messagesPerSecond,
  out: ({ sent }) => sent.messagesPerSecond,
  pending: ({ pendingAsks }) => pendingAsks,
  restarts: ({ restarts }) => restarts,
  uptime: ({ now, startedAt }) => now - startedAt,
};

/** Sorts servers. Those that do not answer come first by trouble, and otherwise last. */
export function sortServers(
  reports: readonly ServerReport[],
  order: ServerOrder,
): ServerReport[] {
  if (order === "trouble") return sortWorstFirst(reports);
  const byId = reports.toSorted((a, b) => a.id < b.id ? -1 : 1);
  if (order === "server") return byId;
  const measure = ({ status }: ServerReport) => status ? MEASURES[order](status) : -1;
  return byId.sort((a, b) => measure(b) - measure(a));
}

/** A column with a number of the state; empty for a server that does not answer. */
function number(
  heading: string,
  rank: number,
  text: (status: ServerStatus) => string,
): ItemColumn<ServerReport> {
  return {
    heading,
    rank,
    isNumber: true,
    least: 6,
    text: ({ status }) => status ? text(status) : "",
  };
}

/** The columns. */
export const SERVER_COLUMNS: readonly ItemColumn<ServerReport>[] = [
  { heading: "server", rank: 0, least: 12, most: 32, text: ({ id }) => id },
  { heading: "state", rank: 1, least: 11, text: stateOf },
  number("cpu", 2, ({ cpu }) => formatShare(cpu)),
  number("memory", 3, ({ memory }) => formatBytes(memory.rss)),
  number("delay", 4, ({ eventLoopDelay }) => formatDelay(eventLoopDelay.p99)),
  number("mailbox", 5, ({ longestMailboxes: [longest] }) => formatCount(longest?.length ?? 0)),
  number("actors", 9, ({ actors }) => formatCount(actors)),
  number("handled/s", 6, ({ handled }) => formatCount(handled.messagesPerSecond)),
  number("in/s", 7, ({ received }) => formatCount(received.messagesPerSecond)),
  number("out/s", 8, ({ sent }) => formatCount(sent.messagesPerSecond)),
  number("pending", 11, ({ pendingAsks }) => formatCount(pendingAsks)),
  number("restarts", 12, ({ restarts }) => formatCount(restarts)),
  number("uptime", 10, ({ now, startedAt }) => formatAge(Math.max(0, now - startedAt))),
  {
    heading: "pid",
    rank: 14,
    isNumber: true,
    text: ({ status, entry }) => `${status?.pid ?? entry?.pid ?? ""}`,
  },
  {
    heading: "host",
    rank: 13,
    most: 24,
    text: ({ status, entry }) => status?.host ?? entry?.host ?? "",
  },
  {
    heading: "version",
    rank: 15,
    most: 16,
    text: ({ status, entry }) => status?.version ?? entry?.version ?? "",
  },
];

/** The state of a server in words. */
export function stateOf({ entry, status, error }: ServerReport): string {
  if (status) return status.state;
  if (entry?.state === "unreachable") return entry.state;
  return error ? "no answer" : "...";
}

/** Sums up servers in a line. */
export function sumUp(reports: readonly ServerReport[]): string {
  const states = Map.groupBy(reports, stateOf);
  const counts = Array.from(states, ([state, those]) => `${those.length} ${state}`).sort();
  const all = reports.flatMap(({ status }) => status ?? []);
  // Servers of one process use its memory and its time together.
  const processes = new Map(all.map((status) => [`${status.pid} ${status.host}`, status]));
  const sum = (some: Iterable<ServerStatus>, of: (status: ServerStatus) => number) =>
    Iterator.from(some).reduce((total, status) => total + of(status), 0);
  return [
    `${formatCounted(reports.length, "server")}: ${counts.join(", ")}`,
    `${sum(processes.values(), ({ cpu }) => cpu).toFixed(1)} cores`,
    formatBytes(sum(processes.values(), ({ memory }) => memory.rss)),
    `${formatCount(sum(all, ({ actors }) => actors))} actors`,
    `${formatCount(sum(all, ({ handled }) => handled.messagesPerSecond))} messages/s`,
  ].join("; ");
}
