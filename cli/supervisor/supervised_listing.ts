/**
 * Formats the servers of supervisors.
 *
 * @module
 */
import type { ProcessEnd } from "../../supervisor/processes/server_report.ts";
import type { SupervisedServer } from "../../supervisor/supervised_servers_protocol.ts";
import { formatAge, formatBytes } from "../kit/quantities.ts";
import type { Column } from "../kit/table.ts";
import type { ListedServers } from "./chosen_supervisors.ts";

/** The columns of servers, after that of their supervisor. */
export const SUPERVISED_COLUMNS: readonly Column[] = [
  { heading: "server" },
  { heading: "role" },
  { heading: "state" },
  { heading: "pid", isNumber: true },
  { heading: "uptime", isNumber: true },
  { heading: "memory", isNumber: true },
  { heading: "restarts", isNumber: true },
  { heading: "last exit" },
  { heading: "notes" },
];

/** The servers of a supervisor in {@linkcode SUPERVISED_COLUMNS}. */
export function supervisedRows({ servers, now }: ListedServers): string[][] {
  return servers.map((server) => [
    server.id,
    server.role ?? "",
    server.state,
    server.pid === undefined ? "" : `${server.pid}`,
    server.startedAt === undefined ? "" : formatAge(Math.max(0, now - server.startedAt)),
    server.rss === undefined ? "" : formatBytes(server.rss),
    `${server.restarts}`,
    server.lastExit ? `${formatExit(server.lastExit)}, ${since(server.lastExit.at, now)} ago` : "",
    notesOf(server, now),
  ]);
}

/** Formats how a process ended: `exit 1`, `SIGKILL`, `unknown`. */
export function formatExit({ code, signal }: ProcessEnd): string {
  return signal ?? (code === undefined ? "unknown" : `exit ${code}`);
}

/** Formats a server for a line: `web-1 is up (process 4711)`. */
export function describeSupervised({ id, state, pid, reason }: SupervisedServer): string {
  const process = pid === undefined ? "" : ` (process ${pid})`;
  return `${id} is ${state}${process}${reason === undefined ? "" : `: ${reason}`}`;
}

/** Converts a server for `--json`. */
export function supervisedToJson(server: SupervisedServer): object {
  const time = (at: number | undefined) => at === undefined ? null : new Date(at).toISOString();
  const { id, role, state, reason, pid, rss, restarts, lastExit } = server;
  const { adopted, added, outdated, startedAt, startsAt } = server;
  return {
    server: id,
    role: role ?? null,
    state,
    reason: reason ?? null,
    pid: pid ?? null,
    started: time(startedAt),
    memory: rss ?? null,
    restarts,
    startsAt: time(startsAt),
    adopted,
    added,
    outdated,
    lastExit: lastExit ? exitToJson(lastExit) : null,
  };
}

/** Converts how a process ended for `--json`. */
export function exitToJson({ at, code, signal, reason }: ProcessEnd): object {
  return {
    at: new Date(at).toISOString(),
    code: code ?? null,
    signal: signal ?? null,
    reason: reason ?? null,
  };
}

function notesOf(server: SupervisedServer, now: number): string {
  const { reason, startsAt, adopted, added, outdated, lastExit } = server;
  const notes = [
    ...startsAt === undefined ? [] : [`starts in ${since(now, startsAt)}`],
    ...reason === undefined ? [] : [reason],
    ...reason === undefined && lastExit?.reason !== undefined ? [lastExit.reason] : [],
    ...adopted ? ["adopted"] : [],
    ...added ? ["not in the configuration"] : [],
    ...outdated ? ["runs with an older configuration"] : [],
  ];
  return notes.join("; ");
}

function since(earlier: number, later: number): string {
  return formatAge(Math.max(0, Math.round(later - earlier)));
}
