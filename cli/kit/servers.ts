/**
 * Finding servers by id or role.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { listServers, shutDownServer } from "../../runtime/ensemble/remote.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import {
  registryClient,
  type RegistryEntry,
  SERVER_STATES,
  type ServerState,
  type Staleness,
} from "../../runtime/server/registry_protocol.ts";
import { printNotice } from "./output.ts";

/** A query for one server, or for all with a role, in these states. */
export type LookupQuery =
  & ({ readonly server: string } | { readonly role: string })
  & { readonly states: readonly ServerState[] };

/** The result of queries. */
export interface FoundServers {
  /** The entries, in the order of the queries, each once. */
  readonly found: RegistryEntry[];
  /** The errors of the queries that found none. Each suggests near names. */
  readonly missing: EnsembleError[];
}

/** Asks the registry for the entries of servers. */
export async function findServers(
  actors: ActorSystem,
  queries: readonly LookupQuery[],
): Promise<FoundServers> {
  const found = new Map<string, RegistryEntry>();
  const missing: EnsembleError[] = [];
  const answers = await Promise.all(queries.map((query) => findIn(actors, query)));
  for (const [index, { entries, others }] of answers.entries()) {
    for (const entry of entries) found.set(entry.id, entry);
    if (entries.length > 0) continue;
    const query = queries[index]!;
    missing.push(
      new EnsembleError(
        others.length > 0 ? inOtherStates(query, others) : await notRegistered(actors, query),
        { code: "UNKNOWN_SERVER" },
      ),
    );
  }
  return { found: [...found.values()], missing };
}

/** The entries of a query, and if there are none, those in other states. */
async function findIn(
  actors: ActorSystem,
  query: LookupQuery,
): Promise<{ entries: RegistryEntry[]; others: RegistryEntry[] }> {
  const { states } = query;
  if ("server" in query) {
    const { entry, ...rest } = await registryClient(actors).lookup({ id: query.server });
    reportStale(actors, rest);
    const isMeant = entry !== undefined && states.includes(entry.state);
    return { entries: isMeant ? [entry] : [], others: entry ? [entry] : [] };
  }
  const { role } = query;
  const onPage = (page: Staleness) => reportStale(actors, page);
  const entries = await listServers(actors, { role, states, onPage });
  if (entries.length > 0) return { entries, others: [] };
  const { entries: others } = await registryClient(actors)
    .list({ role, states: SERVER_STATES, limit: MOST_NAMED });
  return { entries, others };
}

/** The number of servers that an error names. */
const MOST_NAMED = 3;

function inOtherStates(query: LookupQuery, others: readonly RegistryEntry[]): string {
  const states = others.map(({ id, state }) => `${id} is ${state}`).join(", ");
  const wanted = query.states.join(" or ");
  const what = "role" in query
    ? `no server with the role ${query.role} is ${wanted}`
    : `${query.server} is not ${wanted}`;
  return `${what}: ${states}${"role" in query ? "; --state any finds all" : ""}`;
}

async function notRegistered(actors: ActorSystem, query: LookupQuery): Promise<string> {
  const what = "role" in query ? `server with the role ${query.role}` : `server ${query.server}`;
  const { suggestLookups } = await import("./suggestions.ts");
  return `no ${what} is registered${await suggestLookups(actors, query)}`;
}

/** The entries of all registries that are in these states, sorted by id. */
export async function listRegistries(
  actors: ActorSystem,
  states: readonly ServerState[],
): Promise<RegistryEntry[]> {
  const registries = await registryClient(actors).registries();
  return registries.filter(({ state }) => states.includes(state));
}

/** The supervisors through which consoles reach servers. */
const ways = new WeakMap<ActorSystem, string>();

/** Has the sets of servers of a console be those on the host of a supervisor. */
export function keepToHostOf(actors: ActorSystem, supervisor: string): void {
  ways.set(actors, supervisor);
}

/**
 * Lists the servers that are meant by a set of servers: all in the registry, or with `--supervisor`
 * the others on the host of the supervisor.
 */
export async function listReached(
  actors: ActorSystem,
  options?: Parameters<typeof listServers>[1],
): Promise<RegistryEntry[]> {
  return await onlyReached(actors, await listServers(actors, options));
}

/** Those of the entries that {@linkcode listReached} lists. */
export async function onlyReached(
  actors: ActorSystem,
  entries: RegistryEntry[],
): Promise<RegistryEntry[]> {
  const supervisor = ways.get(actors);
  if (supervisor === undefined) return entries;
  const { entry } = await registryClient(actors).lookup({ id: supervisor });
  const others = entries.filter(({ id }) => id !== supervisor);
  return entry ? others.filter(({ host }) => host === entry.host) : others;
}

/** The consoles whose commands have reported stale answers. */
const reported = new WeakSet<ActorSystem>();

/** Reports on standard error, once a command, that the registry does not hear from its store. */
export function reportStale(actors: ActorSystem, { staleFor }: Staleness): void {
  if (staleFor === undefined || reported.has(actors)) return;
  reported.add(actors);
  printNotice(
    `warning: the registry has not heard from its store for ${Math.round(staleFor / 1000)} s: ` +
      "this is what it knew before",
  );
}

/** Shuts a server down and waits until it has ended. If that takes long, prints the reason. */
export async function stopServer(
  actors: ActorSystem,
  server: string,
  { print, timeout }: { print: (line: string) => void; timeout?: number | undefined },
): Promise<void> {
  await shutDownServer(actors, server, {
    timeout,
    onWaiting: (grace) =>
      print(`${server} is stopping: its actors have up to ${grace / 1000} s to shut down`),
  });
}
