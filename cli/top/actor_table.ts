/**
 * The table of a server's actors in `top`, and what stands above it.
 *
 * @module
 */
import type { BusyActor } from "../../runtime/observation/busiest_protocol.ts";
import type { ServerStatus } from "../../runtime/observation/status_protocol.ts";
import {
  formatAge,
  formatBytes,
  formatCount,
  formatCounted,
  formatDelay,
  formatShare,
  formatWhole,
} from "../kit/quantities.ts";
import type { ItemColumn } from "./rows.ts";

/** The columns. */
export const ACTOR_COLUMNS: readonly ItemColumn<BusyActor>[] = [
  {
    heading: "actor",
    rank: 0,
    least: 16,
    most: 40,
    text: ({ name, serial }) => name ?? `${serial}`,
  },
  { heading: "state", rank: 4, least: 10, text: ({ state }) => state },
  {
    heading: "mailbox",
    rank: 1,
    isNumber: true,
    least: 7,
    text: ({ mailbox }) => formatWhole(mailbox),
  },
  {
    heading: "handled/s",
    rank: 2,
    isNumber: true,
    least: 6,
    text: ({ handledPerSecond }) => orNothing(handledPerSecond, formatCount),
  },
  {
    heading: "time",
    rank: 3,
    isNumber: true,
    least: 6,
    text: ({ busy }) => orNothing(busy, formatShare),
  },
  {
    heading: "handled",
    rank: 5,
    isNumber: true,
    least: 9,
    text: ({ handled }) => formatWhole(handled),
  },
  {
    heading: "restarts",
    rank: 6,
    isNumber: true,
    text: ({ restarts }) => orNothing(restarts, formatWhole),
  },
  { heading: "serial", rank: 8, isNumber: true, least: 6, text: ({ serial }) => `${serial}` },
  { heading: "group", rank: 7, most: 40, text: ({ group }) => group },
];

/** What is known of a server, in three lines. */
export function describeServer(status: ServerStatus): string[] {
  const { eventLoopDelay: delay, memory, received, sent, loads } = status;
  const { last: [load] } = loads;
  return [
    `${status.state}${status.roles.length > 0 ? ` (${status.roles.join(" ")})` : ""}, ` +
    `pid ${status.pid} on ${status.host}, up ${
      formatAge(Math.max(0, status.now - status.startedAt))
    }, ` +
    `gxensemble ${status.version}`,
    `cpu ${formatShare(status.cpu)}, memory ${formatBytes(memory.rss)} (heap ${
      formatBytes(memory.heapUsed)
    }), delay ${formatDelay(delay.p50)} median, ${formatDelay(delay.p99)} 99%, ${
      formatDelay(delay.max)
    } longest`,
    [
      formatCounted(status.actors, "actor"),
      formatCounted(status.connections, "connection"),
      `in ${formatCount(received.messagesPerSecond)}/s`,
      `out ${formatCount(sent.messagesPerSecond)}/s`,
      `${formatCounted(status.pendingAsks, "ask")} pending`,
      formatCounted(status.restarts, "restart"),
      formatCounted(loads.count, "load"),
      ...load ? [`the last ${formatAge(Math.max(0, status.now - load.at))} ago`] : [],
    ].join(", "),
  ];
}

function orNothing(value: number | undefined, format: (value: number) => string): string {
  return value === undefined ? "" : format(value);
}
