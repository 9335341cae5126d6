/**
 * The same work in several servers, for the commands that take more than one.
 *
 * @module
 */
import type { ActorSystem } from "../runtime/actor/actor_system.ts";
import type { ServerId } from "../runtime/actor/server_id.ts";
import { EnsembleError } from "../runtime/errors.ts";
import { explainFailure } from "./console.ts";
import { findServers } from "./find_servers.ts";
import { printError, printJson } from "./output.ts";

/** The servers of a command. */
export type NamedServers =
  | { readonly ids: readonly ServerId[] }
  /** All that have one of these. */
  | { readonly roles: readonly string[] };

/** How many servers a command works in at the same time: each takes a connection. */
export const AT_ONCE: number = 64;

/** What a command does in each of its servers. */
export interface ServerWork<Result> {
  /** Whether the results are printed as JSON. */
  readonly json: boolean;
  /** Whether that JSON is on one line. */
  readonly oneLine?: boolean;
  /** In how many servers at the same time; when absent in many. */
  readonly atOnce?: number;
  /** The server whose turn is after all others. */
  readonly last?: ServerId;
  /** Does it in one server. */
  work(server: ServerId): Promise<Result>;
  /** Prints a result; where there are several servers, its lines begin with the label. */
  print(result: Result, label: string): void;
  /** A result as JSON has it. */
  toJson(result: Result): unknown;
}

/**
 * Does the same in servers, and prints what comes of it. What fails in one does not keep the others from it.
 *
 * Of a server that is named alone the result is printed as it is. Of several, and of those that have a role, each line
 * begins with the server's id; as JSON they are a list of `{ server, result }` and `{ server, error }`, in the order of
 * the ids.
 *
 * @throws {EnsembleError} the error of one server alone; of several, when all are done, how many failed.
 */
export async function inEachServer<Result>(
  named: NamedServers,
  { actors, json, oneLine = false, atOnce = AT_ONCE, last, work, print, toJson }:
    & ServerWork<Result>
    & {
      readonly actors: ActorSystem;
    },
): Promise<void> {
  const servers = await findAll(actors, named);
  const [only] = servers;
  if ("ids" in named && servers.length === 1 && only !== undefined) {
    const result = await work(only);
    return json ? printJson(toJson(result), { oneLine }) : print(result, "");
  }
  const outcomes = new Map<ServerId, { result: unknown } | { error: string }>();
  const workIn = async (server: ServerId) => {
    let result: Result;
    try {
      result = await work(server);
    } catch (error) {
      if (!(error instanceof EnsembleError)) throw error; // A fault of the command itself.
      const { message } = await explainFailure(error, actors) as Error;
      outcomes.set(server, { error: message });
      return printError(`${server}: ${message}`);
    }
    outcomes.set(server, { result: toJson(result) });
    if (!json) print(result, `${server}: `);
  };
  const queue = servers.filter((server) => server !== last).values();
  const workThrough = async () => {
    for (const server of queue) await workIn(server);
  };
  await Promise.all(Array.from({ length: atOnce }, workThrough));
  if (last !== undefined && servers.includes(last)) await workIn(last);
  const ordered = servers.map((server) => ({ server, ...outcomes.get(server)! }));
  if (json) printJson(ordered, { oneLine });
  const failed = ordered.filter((outcome) => "error" in outcome);
  if (failed.length === 0) return;
  const names = failed.map(({ server }) => server).join(", ");
  throw new EnsembleError(`failed in ${failed.length} of ${servers.length} servers: ${names}`);
}

async function findAll(actors: ActorSystem, named: NamedServers): Promise<readonly ServerId[]> {
  if ("ids" in named) return named.ids;
  const ids = new Set<ServerId>();
  for (const role of named.roles) {
    for (const { id } of await findServers(actors, { role })) ids.add(id);
  }
  return [...ids];
}
