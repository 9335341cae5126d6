import assert from "node:assert/strict";
import { type ServerReport, sortWorstFirst } from "../../../cli/kit/server_reports.ts";
import { formatStatus, reportToRow, statusToJson } from "../../../cli/kit/status_format.ts";
import { EnsembleError } from "../../../runtime/errors.ts";
import { NOW, statusOf } from "../server_states.ts";
import type { ServerStatus } from "../../../runtime/observation/status_protocol.ts";

function reportOf(id: string, changes?: Partial<ServerStatus>): ServerReport {
  return { id, status: statusOf(id, changes) };
}

Deno.test("servers that do not answer come first, then late and long ones, then all others by id", () => {
  const late = (p99: number) => ({ eventLoopDelay: { p50: 1, p99, max: p99 } });
  const long = (length: number) => ({ longestMailboxes: [{ actor: "jobs", length }] });
  const error = new EnsembleError("it is away");
  const sorted = sortWorstFirst([
    reportOf("well2", late(4)),
    reportOf("well1", long(20)),
    reportOf("late", late(250)),
    reportOf("long", long(3_000)),
    reportOf("both", { ...late(200), ...long(2_000) }),
    { id: "away2", error },
    { id: "away1", error },
  ]);
  assert.deepEqual(sorted.map(({ id }) => id), [
    ...["away1", "away2", "both", "long", "late", "well1", "well2"],
  ]);
});

Deno.test("a row has what a server tells, or what the registry knows of one that does not", () => {
  const longestMailboxes = [{ actor: "jobs", length: 4_800 }, { actor: 7, length: 2 }];
  assert.deepEqual(reportToRow(reportOf("a", { longestMailboxes })), [
    ...["a", "up", "4.1%", "96 MB", "2.0 ms", "4.8k", "11", "140", "1.3", "1.3", "2", "1"],
    ...["2h 0m", "12", "myhost", "0.1.0"],
  ]);
  const entry = {
    id: "b",
    instance: new Uint8Array(32),
    addresses: [],
    roles: [],
    state: "unreachable" as const,
    pid: 13,
    host: "other",
    version: "0.0.9",
    revision: 1,
  };
  assert.deepEqual(reportToRow({ id: "b", entry, error: new EnsembleError("away") }), [
    ...["b", "unreachable", ...Array(11).fill(""), "13", "other", "0.0.9"],
  ]);
  const silent = reportToRow({ id: "c", error: new EnsembleError("silent") });
  assert.deepEqual(silent, ["c", "no answer", ...Array(14).fill("")]);
});

Deno.test("all about one server is a block of lines, without what it does not know", () => {
  const hash = "0123456789abcdef".repeat(4);
  const status = statusOf("a", {
    longestMailboxes: [{ actor: "jobs", length: 4_800 }, { actor: 7, length: 2 }],
    loads: { count: 1, last: [{ module: "/a.ts", hash, at: NOW, by: "me@myhost", current: true }] },
    certificateEnd: NOW + 86_400_000,
    openFiles: { count: 20, limit: 1_024 },
    log: { level: "warning", warnings: 1, errors: 0 },
    registry: { entries: 3, watchers: 2 },
  });
  assert.deepEqual(formatStatus(status), [
    "a up (web)",
    "  process      pid 12 on myhost as me",
    "  versions     gxensemble 0.1.0, Deno 2.9.6, V8 15",
    "  up           2h 0m, since 2026-01-02T01:04:05Z",
    "  processor    4.1% of a core",
    "  memory       96 MB, heap 20 MB of 30 MB, outside of it 1 MB",
    "  event loop   delay 1.0 ms median, 2.0 ms 99%, 30 ms longest, in the last minute",
    "  actors       11, 1 restart",
    "  mailboxes    jobs 4,800, 7 2",
    "  handled      140 messages/s, 99,999 in all",
    "  connections  2",
    "  received     1.3 messages/s, 2 kB/s; 1,234 messages, 57 kB in all",
    "  sent         1.3 messages/s, 2 kB/s; 1,234 messages, 57 kB in all",
    "  asks         2 pending",
    "  loads        1",
    "               2026-01-02T03:04:05Z /a.ts 0123456789ab by me@myhost",
    "  open files   20 of 1,024",
    "  certificate  ends 2026-01-03T03:04:05Z, in 1d 0h",
    "  log          WARN, 1 warning, 0 errors",
    "  registry     3 servers, 2 watchers",
  ]);
  const bare = formatStatus(statusOf("b"));
  assert.deepEqual(bare.filter((line) => /files|certificate|registry|log|http/.test(line)), []);
  const json = statusToJson(status) as Record<string, unknown>;
  assert.deepEqual([json.server, json.now, json.certificateEnd, "id" in json], [
    ...["a", "2026-01-02T03:04:05.000Z", "2026-01-03T03:04:05.000Z", false],
  ]);
});
