/**
 * All cases of the benchmark, and those that CI checks.
 *
 * @module
 */
import { type Case, PROJECT } from "./case.ts";
import { ASKS } from "./cases/asks.ts";
import { BACKLOGS } from "./cases/backlog.ts";
import { IN_PROCESS } from "./cases/in_process.ts";
import { LARGE_AND_SMALL } from "./cases/large_and_small.ts";
import { LOADING } from "./cases/loading.ts";
import { OBSERVED } from "./cases/observed.ts";
import { MANY_PEERS } from "./cases/many_peers.ts";
import { ONE_WAY, PAYLOAD_STREAMS } from "./cases/one_way.ts";
import { OUTSTANDING_ASKS } from "./cases/outstanding.ts";
import { PROCESSES } from "./cases/processes.ts";
import { TELEMETRY } from "./cases/telemetry.ts";

/** All cases, in the order of the table. */
export const CASES: readonly Case[] = [
  ...ASKS,
  ...OUTSTANDING_ASKS,
  ...ONE_WAY,
  ...PAYLOAD_STREAMS,
  ...LARGE_AND_SMALL,
  ...MANY_PEERS,
  ...TELEMETRY,
  ...IN_PROCESS,
  ...BACKLOGS,
  ...OBSERVED,
  ...LOADING,
  ...PROCESSES,
];

/**
 * The rows that `--short` checks. All have a ratio as a target, since times differ between
 * machines. It fails if a ratio is more than twice what it should be at most, or less than half of
 * what it should be at least. There is no p99 among them: a host that does other work decides it.
 */
export const CHECKED: readonly string[] = [
  "ask p50 unix",
  "ask p50 tcp",
  "ask p50 tls",
  "64 outstanding rate unix",
  "64 outstanding rate tls",
  "64 outstanding, 1 KiB text rate unix",
  "one way rate unix",
  "64 KiB bytes rate unix",
  "1 MiB text rate unix",
  "receive from a backlog of 100,000 per message",
];

/**
 * A case of which only the given figures are measured, beside the project only what their targets
 * are multiples of.
 */
export function narrowed(each: Case, isWanted: (row: string) => boolean): Case {
  const figures = Object.fromEntries(
    Object.entries(each.figures).filter(([figure]) => isWanted(rowName(each, figure))),
  );
  const needed = new Set([PROJECT, ...Object.values(figures).map(({ target }) => target?.of)]);
  const contestants = Object.fromEntries(
    Object.entries(each.contestants).filter(([who]) => needed.has(who)),
  );
  return { ...each, figures, contestants };
}

/** The name of a row: that of a case, of a figure of it, and of the transport. */
export function rowName(each: Pick<Case, "name" | "transport">, figure: string): string {
  return fullName({ ...each, name: `${each.name} ${figure}` });
}

/** The name of a case, with its transport. */
export function fullName({ name, transport }: Pick<Case, "name" | "transport">): string {
  return transport === undefined ? name : `${name} ${transport}`;
}
