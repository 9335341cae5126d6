/**
 * Suggestions of names near a mistyped one.
 *
 * @module
 */
import { distance } from "npm:fastest-levenshtein@^1.0.16";
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { listPages } from "../../runtime/ensemble/remote.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { groupsOf, membersIn, type RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import type { GroupServers } from "./server_set_options.ts";

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

/** The error for a group of which no server in these states has members. Suggests near names. */
export async function noMember(
  actors: ActorSystem,
  { group, states }: GroupServers,
): Promise<EnsembleError> {
  const entries = await registered(actors);
  const groups = [...new Set(entries.flatMap(groupsOf))].filter((each) => each !== group);
  const others = entries.filter((entry) => membersIn(entry, group) > 0)
    .map(({ id, state }) => `${id} is ${state}`);
  const why = others.length > 0
    ? `: ${others.slice(0, MOST_SUGGESTED).join(", ")}`
    : didYouMean(nearest(group, groups));
  return new EnsembleError(
    `no server that is ${states.join(" or ")} has a member of ${group}${why}`,
    { code: "NO_MEMBER" },
  );
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
