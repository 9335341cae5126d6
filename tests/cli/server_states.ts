/**
 * States of servers that no server told.
 *
 * @module
 */
import type { ServerStatus } from "../../runtime/observation/status_protocol.ts";

/** The time of these states. */
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

const FLOW = { messages: 1_234, bytes: 56_789, messagesPerSecond: 1.25, bytesPerSecond: 2_000 };

/** The state of a server without trouble. */
export function statusOf(id: string, changes: Partial<ServerStatus> = {}): ServerStatus {
  return {
    id,
    pid: 12,
    host: "myhost",
    user: "me",
    version: "0.1.0",
    deno: "2.9.6",
    v8: "15",
    startedAt: NOW - 7_200_000,
    now: NOW,
    state: "up",
    roles: ["web"],
    memory: { rss: 96e6, heapUsed: 20e6, heapTotal: 30e6, external: 1e6 },
    cpu: 0.041,
    eventLoopDelay: { p50: 1, p99: 2, max: 30 },
    actors: 11,
    longestMailboxes: [],
    connections: 2,
    received: FLOW,
    sent: FLOW,
    handled: { messages: 99_999, messagesPerSecond: 140 },
    pendingAsks: 2,
    restarts: 1,
    loads: { count: 0, last: [] },
    ...changes,
  };
}
