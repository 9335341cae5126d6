/**
 * The states of several servers, asked at the same time: what `status` and `top` show.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { listServers } from "../../runtime/ensemble/remote.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { observerClient } from "../../runtime/observation/observer_protocol.ts";
import type { ServerStatus } from "../../runtime/observation/status_protocol.ts";
import { registryClient, type RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import { explainFailure } from "./console.ts";
import { findSet, type WorkContext } from "./server_set.ts";
import { AT_ONCE, type ServerSet } from "./server_set_options.ts";
import { reportStale } from "./servers.ts";

/** A server that is asked, and its registry entry, if it has been looked up. */
export interface Reporter {
  /** Its id. */
  readonly id: string;
  /** Its entry. */
  readonly entry?: RegistryEntry;
}

/** What a server told of its state, or why it did not. */
export interface ServerReport extends Reporter {
  /** Its state; absent if there is an error. */
  readonly status?: ServerStatus;
  /** Why there is none. */
  readonly error?: EnsembleError;
}

/**
 * Finds the servers to ask: of a set, or if it is undefined all that are registered, in any state, and
 * the registry.
 */
export async function findReporters(
  actors: ActorSystem,
  set: ServerSet | undefined,
): Promise<Reporter[]> {
  if (set !== undefined) return (await findSet(actors, set)).map((id) => ({ id }));
  const [{ entry }, entries] = await Promise.all([
    registryClient(actors).lookup({ id: REGISTRY_ID }),
    listServers(actors, { onPage: (page) => reportStale(actors, page) }),
  ]);
  return [...entries, ...entry ? [entry] : []].map((each) => ({ id: each.id, entry: each }));
}

/** Asks a server for its state. An unreachable one is not asked. */
export async function readReport(
  reporter: Reporter,
  { actors, administrator }: WorkContext,
): Promise<ServerReport> {
  const { id, entry } = reporter;
  try {
    if (entry?.state === "unreachable") {
      throw new EnsembleError(`${id} is unreachable: its lease in the registry has run out`, {
        code: "DISCONNECTED",
      });
    }
    const ask = () => observerClient(actors, id).status();
    return { ...reporter, status: await administrator.elevating(id, "observer", ask) };
  } catch (error) {
    const explained = await explainFailure(error, actors);
    if (!(explained instanceof EnsembleError)) throw explained; // A bug of the command itself.
    return { ...reporter, error: explained };
  }
}

/** Asks several servers at the same time. `onReport` is called for each. */
export async function readReports(
  reporters: readonly Reporter[],
  { concurrency = AT_ONCE, onReport, ...context }: WorkContext & {
    readonly concurrency?: number | undefined;
    onReport?(report: ServerReport): void;
  },
): Promise<ServerReport[]> {
  const reports: ServerReport[] = [];
  const queue = reporters.values();
  const workThrough = async () => {
    for (const reporter of queue) {
      const report = await readReport(reporter, context);
      reports.push(report);
      onReport?.(report);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, workThrough));
  return reports;
}

/** The delay of an event loop that counts as one trouble, in ms. */
const DELAY_TROUBLE = 100;

/** The number of waiting messages that counts as one. */
const MAILBOX_TROUBLE = 1_000;

/**
 * Sorts reports, the worst first: servers that do not answer, and then by the delay of their event
 * loops (the 99th percentile) and their longest mailboxes, where 100 ms count as much as 1,000
 * messages. Equal ones, as those without trouble are, are sorted by id.
 */
export function sortWorstFirst(reports: readonly ServerReport[]): ServerReport[] {
  return reports.map((report) => ({ report, trouble: troubleOf(report) }))
    .sort((a, b) => compare(b.trouble, a.trouble) || (a.report.id < b.report.id ? -1 : 1))
    .map(({ report }) => report);
}

/** Two infinite ones are equal. */
function compare(one: number, other: number): number {
  return one === other ? 0 : one - other;
}

/** To a tenth, so that servers without trouble do not change their places all the time. */
function troubleOf({ status }: ServerReport): number {
  if (!status) return Infinity;
  const { eventLoopDelay, longestMailboxes: [longest] } = status;
  const sum = eventLoopDelay.p99 / DELAY_TROUBLE + (longest?.length ?? 0) / MAILBOX_TROUBLE;
  return Math.floor(10 * sum) / 10;
}
