/**
 * What may have been meant by a name that nothing has.
 *
 * @module
 */
import { distance } from "npm:fastest-levenshtein@^1.0.16";
import type { ActorSystem } from "../runtime/actor/actor_system.ts";
import { REGISTRY_ID } from "../runtime/actor/server_id.ts";
import { listServers } from "../runtime/ensemble/remote.ts";
import type { RegistryEntry } from "../runtime/server/registry_entry.ts";

/** The most names that are suggested. */
const MOST_SUGGESTED = 3;

/** Ends an error about a server that is not there: `; did you mean httpd1?`, or with nothing where no id comes near. */
export async function suggestServers(actors: ActorSystem, id: string): Promise<string> {
  return didYouMean(nearestServers(await registered(actors), id));
}

/** Ends an error about a server, or a role, that was looked up and is not there. */
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
  // A role in the place of an id is more likely than one that is also misspelt.
  const asRoles = isRole || near.length > 0
    ? roles.filter((role) => role === query.server)
    : nearest(query.server, roles);
  return didYouMean([...asRoles.map(asRoleOption), ...near]);
}

/**
 * The names that come near to one that was typed, the nearest first: those that are a few letters away, whatever their
 * case, and those of which it is the beginning.
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

/** Whether a word is another with two letters that stand side by side the other way round. */
function isSwapped(typed: string, word: string): boolean {
  const at = Array.from(word).findIndex((letter, index) => letter !== typed[index]);
  return at >= 0 && word === typed.slice(0, at) + typed[at + 1] + typed[at] + typed.slice(at + 2);
}

function nearestServers(entries: readonly RegistryEntry[], id: string): string[] {
  return nearest(id, [...entries.map(({ id }) => id), REGISTRY_ID]);
}

/** The servers that there are; none where the registry does not say, for then there is another error to report. */
async function registered(actors: ActorSystem): Promise<RegistryEntry[]> {
  try {
    return await listServers(actors);
  } catch {
    return [];
  }
}

function asRoleOption(role: string): string {
  return `--role ${/^[\w.:/@-]+$/.test(role) ? role : `'${role.replaceAll("'", `'\\''`)}'`}`;
}

function didYouMean(names: readonly string[]): string {
  const [last, ...others] = names.toReversed();
  if (last === undefined) return "";
  const list = others.length > 0 ? `${others.toReversed().join(", ")} or ${last}` : last;
  return `; did you mean ${list}?`;
}
