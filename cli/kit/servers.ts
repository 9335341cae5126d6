/**
 * Finding servers by id or role, and suggesting near names.
 *
 * @module
 */
import { distance } from "npm:fastest-levenshtein@^1.0.16";
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { listPages, listServers, shutDownServer } from "../../runtime/ensemble/remote.ts";
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

/** The maximum number of suggested names. */
const MOST_SUGGESTED = 3;

/**
 * Returns the suggestion for an error about an unknown server: `; did you mean httpd1?`, or an
 * empty text if no id is near.
 */
export async function suggestServers(actors: ActorSystem, id: string): Promise<string> {
  return didYouMean(nearestServers(await registered(actors), id));
}

/** Returns the suggestion for an error about an unknown server or role. */
export async function suggestLookups(
  actors: ActorSystem,
  query: { readonly server: string } | { readonly role: string },
): Promise<string> {
  const entries = await registered(actors);
  const roles = [...new Set(entries.flatMap(({ roles }) => roles))];
  if ("role" in query) {
    const ids = entries.filter(({ id }) => id === query.role).map(({ id }) =>
      `${id} without --role`
    );
    return didYouMean([...ids, ...nearest(query.role, roles).map(asRoleOption)]);
  }
  const near = nearestServers(entries, query.server);
  const isRole = roles.includes(query.server);
  // A role in place of an id is more likely than one that is also misspelled.
  const asRoles = isRole || near.length > 0
    ? roles.filter((role) => role === query.server)
    : nearest(query.server, roles);
  return didYouMean([...asRoles.map(asRoleOption), ...near]);
}

/**
 * Returns the names near a typed one, nearest first: those within a few edits, ignoring case, and
 * those that it is a prefix of.
 */
export function nearest(typed: string, names: readonly string[]): string[] {
  const wanted = typed.toLowerCase();
  const tolerated = Math.max(1, Math.floor(typed.length / 3));
  return names.map((name) => {
    const letters = name.toLowerCase();
    const away = isSwapped(wanted, letters) ? 1 : distance(wanted, letters);
    const isNear = away <= tolerated || (wanted.length > 1 && letters.startsWith(wanted));
    return { name, away, isNear };
  }).filter(({ isNear }) => isNear)
    .sort((a, b) => a.away - b.away || (a.name < b.name ? -1 : 1))
    .slice(0, MOST_SUGGESTED).map(({ name }) => name);
}

/** Whether two words differ only by two adjacent letters that are swapped. */
function isSwapped(typed: string, word: string): boolean {
  const at = Array.from(word).findIndex((letter, index) => letter !== typed[index]);
  return at >= 0 && word === typed.slice(0, at) + typed[at + 1] + typed[at] + typed.slice(at + 2);
}

function nearestServers(entries: readonly RegistryEntry[], id: string): string[] {
  return nearest(id, [...entries.map(({ id }) => id), REGISTRY_ID]);
}

/** The longest time to list servers for suggestions, in ms. */
const SUGGESTION_TIME = 1_000;

/** The servers that each console's command has listed for suggestions. */
const listed = new WeakMap<ActorSystem, Promise<RegistryEntry[]>>();

/**
 * Returns the registered servers: of a large ensemble those that were listed in time, and none if
 * the registry does not answer, since the command already reports another error.
 */
function registered(actors: ActorSystem): Promise<RegistryEntry[]> {
  let entries = listed.get(actors);
  if (!entries) listed.set(actors, entries = listInTime(actors));
  return entries;
}

async function listInTime(actors: ActorSystem): Promise<RegistryEntry[]> {
  const entries: RegistryEntry[] = [];
  const until = performance.now() + SUGGESTION_TIME;
  try {
    for await (const page of listPages(actors)) {
      entries.push(...page.entries);
      if (performance.now() > until) break;
    }
  } catch {
    // The names so far are better than none.
  }
  return entries;
}

function asRoleOption(role: string): string {
  return `--role ${/^[\w.:/@-]+$/.test(role) ? role : `'${role.replaceAll("'", `'\\''`)}'`}`;
}

/** Returns `; did you mean a, b or c?`, or an empty text without names. */
export function didYouMean(names: readonly string[]): string {
  const [last, ...others] = names.toReversed();
  if (last === undefined) return "";
  const list = others.length > 0 ? `${others.toReversed().join(", ")} or ${last}` : last;
  return `; did you mean ${list}?`;
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
