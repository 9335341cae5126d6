/**
 * Suggestions of servers, roles and groups of the ensemble near a mistyped name.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { listPages } from "../../runtime/ensemble/remote.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { didYouMean, MOST_SUGGESTED, nearest } from "../../runtime/near_names.ts";
import { groupsOf, membersIn, type RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import type { GroupServers } from "./server_set_options.ts";

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
